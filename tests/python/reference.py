"""The answers of the sample bundles, computed without Strongroom: onnxruntime, numpy and Pillow only.

    python tests/python/reference.py answers OUT_DIR    every answer and tensor as JSON
    python tests/python/reference.py photos OUT_DIR     the photos the answers are about, made from the bundles' pictures

The committed JSON in tests/reference is what `answers` writes; tests/reference.rs compares Strongroom with it, and runs
this script again to show that it still writes the same.
"""

import json
import math
import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUNDLES = ROOT / "model-artifacts"
FACES = BUNDLES / "face-analyzer"
IMAGENET = BUNDLES / "imagenet-efficientnet-lite0"
IRIS = BUNDLES / "iris-random-forest"
HERE = ROOT / "tests" / "reference"
ASTRONAUT = FACES / "self-test" / "astronaut.jpg"
PORTRAIT = FACES / "self-test" / "portrait.webp"
CHELSEA = IMAGENET / "self-test" / "chelsea.jpg"

DLIB_MEAN = np.array([122.782, 117.001, 104.298], np.float32)
MEAN_FACE = np.array([[.22549, .21599], [.75476, .21599], [.490127, .515625], [.254149, .780233], [.726104, .780233]])
GENDERS = ["Woman", "Man"]
EMOTIONS = ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"]


class Graphs:
    """Sessions by file, on one thread: sums in one order, so that reruns are equal."""

    def __init__(self):
        self.sessions = {}

    def run(self, path, value, name="image"):
        if path not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            options.log_severity_level = 3
            self.sessions[path] = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        session = self.sessions[path]
        return dict(zip([o.name for o in session.get_outputs()], session.run(None, {name: value})))


GRAPHS = Graphs()


def open_photo(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def planes(image, mean=0.0, std=1.0):
    pixels = (np.asarray(image).astype(np.float32) - np.float32(mean)) / np.float32(std)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def find_faces(image, threshold=0.5, overlap=0.3):
    """CenterFace: boxes as corners, scores and landmarks in pixels of the image, best first."""
    ratio = min(640 / image.width, 480 / image.height)
    width, height = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    canvas = Image.new("RGB", (640, 480))
    canvas.paste(image.resize((width, height), Image.Resampling.BILINEAR), (0, 0))
    maps = GRAPHS.run(FACES / "centerface_640x480.onnx", planes(canvas))
    heat = maps["heatmap"][0, 0]
    rows, columns = np.nonzero(heat > threshold)
    size = np.exp(maps["scale"][0][:, rows, columns].astype(np.float64)) * 4
    shift = maps["offset"][0][:, rows, columns].astype(np.float64)
    top = (rows + shift[0] + 0.5) * 4 - size[0] / 2
    left = (columns + shift[1] + 0.5) * 4 - size[1] / 2
    boxes = np.stack([left, top, left + size[1], top + size[0]], 1)
    marks = maps["landmarks"][0][:, rows, columns].astype(np.float64).reshape(5, 2, -1)
    points = np.stack([marks[:, 1] * size[1] + left, marks[:, 0] * size[0] + top], -1).transpose(1, 0, 2)
    scores = heat[rows, columns]
    kept = []
    for candidate in np.argsort(-scores, kind="stable"):
        if all(intersection_over_union(boxes[candidate], boxes[other]) <= overlap for other in kept):
            kept.append(candidate)
    back = np.array([image.width / width, image.height / height])
    limits = np.array([image.width, image.height] * 2)
    return [(np.clip(boxes[i] * np.tile(back, 2), 0, limits), float(scores[i]), points[i] * back) for i in kept]


def intersection_over_union(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return width * height / (area(a) + area(b) - width * height)


def umeyama(source, target):
    """The similarity of least squares by singular value decomposition (Umeyama, 1991), as 2 x 3 matrix."""
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    u, strength, v = np.linalg.svd(b.T @ a / len(source))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    rotation = u @ np.diag(sign) @ v
    scale = (strength * sign).sum() / a.var(0).sum()
    return np.hstack([scale * rotation, (target_mean - scale * rotation @ source_mean)[:, None]])


def cut_chip(image, points, size, padding):
    """An upright face; where it shrinks more than twice, cut from a part around the chip that Pillow's resize has brought to
    the chip's scale."""
    chip_from_image = umeyama(points, (MEAN_FACE + padding) / (1 + 2 * padding) * size)
    shrink = 1 / math.sqrt(np.linalg.det(chip_from_image[:, :2]))
    inverse = np.linalg.inv(np.vstack([chip_from_image, [0, 0, 1]]))[:2]
    if shrink > 2:
        corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ inverse.T
        low = np.clip(np.floor(corners.min(0) - 2 * shrink), 0, image.size)
        high = np.clip(np.ceil(corners.max(0) + 2 * shrink), 0, image.size)
        small = np.ceil((high - low) / shrink)
        image = image.resize([int(side) for side in small], Image.Resampling.BILINEAR, box=(*low, *high))
        inverse[:, 2] -= low
        inverse *= (small / (high - low))[:, None]
    return sample(np.asarray(image).astype(np.float64), inverse, size)


def sample(pixels, image_from_chip, size):
    """Bilinear, black outside, rounded. (Pillow's affine transform cuts fractions off: half a level darker on average, and
    the gender of a face by more than a per cent.)"""
    framed = np.pad(pixels, ((1, 1), (1, 1), (0, 0)))
    rows, columns = np.mgrid[:size, :size] + 0.5
    points = image_from_chip @ np.stack([columns.ravel(), rows.ravel(), np.ones(size * size)])
    # The frame moves everything by a pixel; what lies beyond it is black too.
    x, y = (np.clip(axis + 0.5, 0, side - 1.000001) for axis, side in zip(points, framed.shape[1::-1]))
    left, top = x.astype(int), y.astype(int)
    across, down = (x - left)[:, None], (y - top)[:, None]
    upper = framed[top, left] * (1 - across) + framed[top, left + 1] * across
    lower = framed[top + 1, left] * (1 - across) + framed[top + 1, left + 1] * across
    return np.floor(upper * (1 - down) + lower * down + 0.5).reshape(size, size, 3)


def embed(image, points):
    chip = planes(cut_chip(image, points, 150, .25), DLIB_MEAN, 255)
    return GRAPHS.run(FACES / "face_recognition.onnx", chip)["embedding"][0]


def area(box, points):
    named = dict(zip(["right_eye", "left_eye", "nose", "mouth_right", "mouth_left"], points.tolist()))
    return {"x": box[0], "y": box[1], "w": box[2] - box[0], "h": box[3] - box[1], **named}


def per_cent(labels, scores):
    return {label: float(score) * 100 for label, score in zip(labels, scores)}


def analyze(path):
    image, results = open_photo(path), []
    for box, score, points in find_faces(image):
        run = lambda file, size, padding, std: GRAPHS.run(
            FACES / file, planes(cut_chip(image, points, size, padding), DLIB_MEAN, std)
        )
        gender = per_cent(GENDERS, run("gender.onnx", 32, .2, 256)["probabilities"][0])
        emotion = per_cent(EMOTIONS, run("face_expression.onnx", 112, .25, 255)["probabilities"][0])
        results.append({
            "facial_area": area(box, points),
            "face_confidence": score,
            "embedding": embed(image, points).tolist(),
            "age": float(run("age.onnx", 64, .2, 256)["age"][0, 0]),
            "gender": gender,
            "dominant_gender": max(gender, key=gender.get),
            "emotion": emotion,
            "dominant_emotion": max(emotion, key=emotion.get),
        })
    return {"results": results}


def compare(first, second):
    faces = []
    for path in (first, second):
        image = open_photo(path)
        box, _, points = find_faces(image)[0]
        faces.append(embed(image, points))
    return float(np.linalg.norm(faces[0].astype(np.float64) - faces[1]))


def classify(path):
    image = open_photo(path)
    scale = 256 / min(image.size)
    size = [256 if side == min(image.size) else int(side * scale) for side in image.size]
    left, top = (round((side - 224) / 2) for side in size)
    middle = image.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + 224, top + 224))
    scores = GRAPHS.run(IMAGENET / "efficientnet_lite0.onnx", planes(middle, 127, 128))["probabilities"][0]
    labels = (IMAGENET / "labels.txt").read_text().splitlines()
    best = np.argsort(-scores, kind="stable")[:5]
    return [{"label": labels[i], "score": float(scores[i])} for i in best]


def flowers():
    rows = np.loadtxt(IRIS / "self-test" / "flowers.csv", np.float32, delimiter=",", skiprows=1)
    answer = GRAPHS.run(IRIS / "iris_rf.onnx", rows, "features")
    names = ["setosa", "versicolor", "virginica"]
    rows = [{"label": names[i], "scores": p.tolist()} for i, p in zip(answer["label"], answer["probabilities"])]
    return {"predictions": rows}


def tensors():
    """Every output of every graph for pixels that need no decoding but PNG's: what differs is arithmetic alone."""
    chip = lambda size: Image.open(HERE / "chips" / f"astronaut_chip_{size}.png").convert("RGB")
    wall = np.tile(np.asarray(chip(150)), (4, 5, 1))[:480, :640]
    inputs = {
        "face-analyzer/centerface_640x480.onnx": planes(wall),
        "face-analyzer/face_recognition.onnx": planes(chip(150), DLIB_MEAN, 255),
        "face-analyzer/age.onnx": planes(chip(64), DLIB_MEAN, 256),
        "face-analyzer/gender.onnx": planes(chip(32), DLIB_MEAN, 256),
        "face-analyzer/face_expression.onnx": planes(chip(112), DLIB_MEAN, 255),
        "imagenet-efficientnet-lite0/efficientnet_lite0.onnx":
            planes(Image.open(HERE / "chips" / "chelsea_224.png").convert("RGB"), 127, 128),
    }
    answers = {}
    for name, value in inputs.items():
        outputs = GRAPHS.run(BUNDLES / name, value)
        # The detector's maps are large: every 97th number of each.
        answers[name] = {key: thin(map_).tolist() for key, map_ in outputs.items()}
    return answers


def thin(values):
    flat = values.ravel()
    return flat if flat.size <= 1000 else flat[::97]


def answers(out):
    photos = {"astronaut": ASTRONAUT, "portrait": PORTRAIT, "chelsea": CHELSEA}
    photos |= {path.stem: path for path in sorted((HERE / "photos").iterdir())}
    face_answers = {name: analyze(path) for name, path in photos.items()}
    with_a_face = [name for name, answer in face_answers.items() if answer["results"] and name != "astronaut"]
    write(out / "faces.json", face_answers)
    write(out / "distances.json", {name: compare(ASTRONAUT, photos[name]) for name in with_a_face})
    write(out / "classify.json", {name: classify(path) for name, path in photos.items()})
    write(out / "flowers.json", flowers())
    write(out / "tensors.json", tensors())


def photos(out):
    """Turned, mirrored, cut, scaled, grey, lying, upside down: the same astronaut. Where the extension is not .jpg every
    decoder gives the same pixels."""
    picture = Image.open(ASTRONAUT)
    save = lambda image, name, **how: image.save(out / name, quality=88, **how)
    save(picture.rotate(25, Image.Resampling.BICUBIC).crop((60, 0, 460, 400)), "tilted.webp", lossless=True)
    save(picture.resize((1000, 1000), Image.Resampling.LANCZOS).crop((150, 0, 750, 800)), "large.jpg")
    save(picture.resize((160, 200), Image.Resampling.LANCZOS).convert("L"), "small_grey.png")
    save(picture.crop((0, 0, 235, 300)), "cut_face.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(picture.crop((100, 0, 400, 400)).transpose(Image.Transpose.ROTATE_90), "exif_6.jpg", exif=exif)
    exif[0x0112] = 3
    save(picture.crop((100, 0, 400, 400)).transpose(Image.Transpose.ROTATE_180), "exif_3.jpg", exif=exif)
    # 640 x 480 is what the detector reads, and a face of this size shrinks less than twice: nothing depends on a resizer.
    alone = Image.new("RGB", (640, 480), (90, 120, 150))
    alone.paste(picture.resize((256, 256), Image.Resampling.LANCZOS), (192, 112))
    save(alone, "portrait.webp", lossless=True)
    two = Image.new("RGB", (700, 420), (90, 120, 150))
    two.paste(picture.crop((80, 0, 420, 400)), (10, 10))
    two.paste(ImageOps.mirror(picture).resize((300, 300), Image.Resampling.LANCZOS), (380, 60))
    save(two, "two_faces.webp", lossless=True)


def write(path, value):
    path.write_text(json.dumps(shortest(value), indent=1) + "\n")


def shortest(value):
    """Numbers with as many digits as an f32 has."""
    if isinstance(value, dict):
        return {key: shortest(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortest(item) for item in value]
    return float(f"{value:.8g}") if isinstance(value, float) else value


if __name__ == "__main__":
    verb, directory = sys.argv[1:]
    target = pathlib.Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    {"answers": answers, "photos": photos}[verb](target)
