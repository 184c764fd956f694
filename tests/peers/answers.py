"""Whether two servers did the same work."""


def disagreement(ours: list[dict], theirs: list[dict], apart: float) -> str:
    """Why two lists of labels with scores, best first, are not the same answer; empty where they are."""
    first, second = ({entry["label"]: entry["score"] for entry in answer} for answer in (ours, theirs))
    for mine, other in ((first, second), (second, first)):
        best = max(mine, key=mine.get)
        if best not in other or max(other.values()) - other[best] > apart:
            return f"one answers {best!r} with {mine[best]:.4f}, the other {other}"
    far = {label: (first[label], second[label]) for label in first.keys() & second if abs(first[label] - second[label]) > apart}
    return f"scores are more than {apart} apart: {far}" if far else ""
