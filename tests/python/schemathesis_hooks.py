"""Bodies that no JSON schema can tell: files of each media type, as they are, cut, changed, or any bytes."""

import json
import os
import pathlib
import struct

import schemathesis
from hypothesis import strategies as st

IMAGES = pathlib.Path(__file__).resolve().parents[1] / "images"
ROW = [5.1, 3.5, 1.4, 0.2]
# The models of the multi-model endpoint under test.
MODELS = json.loads(os.environ.get("STRONGROOM_TEST_MODELS", "{}"))


def npy(values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(values) // 4}, 4), }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values)


def record_io(*records):
    padded = lambda record: record + b"\0" * (-len(record) % 4)
    return b"".join(struct.pack("<II", 0xCED7230A, len(record)) + padded(record) for record in records)


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def protobuf_row(values):
    """SageMaker's `Record`: features["values"].float32_tensor.values."""
    tensor = field(1, struct.pack(f"<{len(values)}f", *values))
    return field(1, field(1, b"values") + field(2, field(2, tensor)))


def lines(*items):
    return "\n".join(json.dumps(item) for item in items).encode()


@st.composite
def changed(draw, files):
    """A file in which some bytes are others."""
    body = bytearray(draw(files))
    for at in draw(st.lists(st.integers(0, max(len(body) - 1, 0)), max_size=4)):
        if body:
            body[at] = draw(st.integers(0, 255))
    return bytes(body)


def spoiled(*files):
    whole = st.sampled_from(files)
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], whole, st.integers(0, 1 << 16))
    return st.one_of(whole, cut, changed(whole), st.binary(max_size=64))


IMAGE_FILES = [path.read_bytes() for path in sorted(IMAGES.iterdir()) if path.stat().st_size < 4_096 and path.suffix != ".md"]
CSV = [b"5.1,3.5,1.4,0.2\n", b"5.1,3.5,1.4,0.2\n6,3,5,2", b"sepal length,sepal width,petal length,petal width\n1,2,3,4\n"]
LINES = [lines(ROW, {"features": ROW}), lines(ROW, "no row", ROW), lines({"b64": "aGVsbG8="})]

media_type = schemathesis.openapi.media_type
for image in ("image/png", "image/jpeg", "image/webp", "application/x-image"):
    media_type(image, spoiled(*IMAGE_FILES))
media_type("application/octet-stream", spoiled(*IMAGE_FILES, *CSV, npy(ROW), json.dumps(ROW).encode()))
media_type("application/jsonlines", spoiled(*LINES))
media_type("text/csv", spoiled(*CSV))
media_type("application/x-npy", spoiled(npy(ROW), npy(ROW * 3)))
media_type("application/x-recordio", spoiled(record_io(*IMAGE_FILES[:2]), record_io(b"")))
rows = [protobuf_row(ROW), protobuf_row([1.0])]
media_type("application/x-recordio-protobuf", spoiled(record_io(rows[0]), record_io(*rows), rows[0]))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Most requests are for models that are there: a schema knows none. One more, and only that one, comes and goes."""
    if "name" in (case.path_parameters or {}) and MODELS:
        size = len(str(case.path_parameters["name"]))
        if case.method == "DELETE":
            case.path_parameters["name"] = "leaving" if size % 2 else "nobody"
        elif size % 4 != 3:
            case.path_parameters["name"] = sorted(MODELS)[size % len(MODELS)]
    if isinstance(case.body, dict):
        url, rows = case.body.get("url"), case.body.get("instances")
        if isinstance(url, str) and len(url) % 2 and MODELS:
            case.body.update(model_name="leaving", url=sorted(MODELS.values())[0])
        if isinstance(rows, list) and len(rows) % 2:
            case.body["instances"] = [ROW for _ in rows]
