"""Makes tests/images/jpeg: small JPEGs of every kind that is decoded at a reduced size, and what libjpeg-turbo makes of them.

Run: python tests/python/jpeg_fixtures.py tests/images/jpeg
Needs Pillow, numpy and opencv-python-headless (which writes samplings that Pillow does not).
Committed are the results, so that the tests need no Python. NAME.png holds four pictures, one below the other: at full
size, and at a half, a quarter and an eighth of it.
"""
import io
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import PIL
from PIL import Image

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
reductions = [cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_8]


def smooth(width, height):
    """Colours without edges: what is reduced then hardly depends on the filter, but much on where a sample lies."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 128 + 100 * np.sin(x / 11 + y / 7)
    green = 128 + 90 * np.cos(x / 9 - y / 13)
    blue = 128 + 110 * np.sin((x + y) / 17)
    return Image.fromarray(np.clip(np.stack([red, green, blue], axis=2), 0, 255).astype(np.uint8))


def save(name, file):
    (out / f"{name}.jpg").write_bytes(file)
    pictures = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))]
    for reduction in reductions:
        pictures.append(cv2.imdecode(np.frombuffer(file, np.uint8), reduction)[:, :, ::-1])
    sheet = np.zeros((sum(picture.shape[0] for picture in pictures), pictures[0].shape[1], 3), np.uint8)
    top = 0
    for picture in pictures:
        sheet[top : top + picture.shape[0], : picture.shape[1]] = picture
        top += picture.shape[0]
    Image.fromarray(sheet).save(out / f"{name}.png", optimize=True)


def pillow(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def opencv(image, *options):
    encoded, file = cv2.imencode(".jpg", np.asarray(image)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90, *options])
    assert encoded
    return file.tobytes()


def segments(file):
    """The segments of a file with one scan, by marker; the scan's bytes are behind its header."""
    found, at = [], 2
    while at < len(file) - 2:
        length = struct.unpack(">H", file[at + 2 : at + 4])[0]
        end = len(file) - 2 if file[at + 1] == 0xDA else at + 2 + length
        found.append((file[at + 1], file[at:end]))
        at = end
    return found


def one_scan_each(image):
    """A sequential file whose components are in scans of their own, as hardly any program writes it."""
    planes = [segments(pillow(plane)) for plane in image.convert("YCbCr").split()]
    tables = b"".join(body for marker, body in planes[0] if marker in (0xC4, 0xDB))
    frame = struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, image.height, image.width, 3)
    frame += bytes([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])
    scans = b""
    for number, plane in enumerate(planes):
        scan = bytearray(next(body for marker, body in plane if marker == 0xDA))
        scan[5] = number + 1
        scans += scan
    return b"\xff\xd8" + tables + frame + scans + b"\xff\xd9"


samplings = {
    "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
    "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
}
for kind, progressive in (("baseline", False), ("progressive", True)):
    for size in ((1, 1), (7, 9), (33, 17), (70, 50)):
        picture, label = smooth(*size), f"{size[0]}x{size[1]}"
        save(f"{kind}_grey_{label}", pillow(picture.convert("L"), progressive=progressive))
        save(f"{kind}_420_{label}", pillow(picture, progressive=progressive, subsampling="4:2:0"))
        if size == (1, 1):
            continue
        for sampling in ("4:4:4", "4:2:2"):
            name = sampling.replace(":", "")
            save(f"{kind}_{name}_{label}", pillow(picture, progressive=progressive, subsampling=sampling))
        for name, sampling in samplings.items():
            options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
            save(f"{kind}_{name}_{label}", opencv(picture, *options))
    picture = smooth(70, 50)
    restarts = {"progressive": progressive, "restart_marker_blocks": 2}
    save(f"{kind}_grey_restarts", pillow(picture.convert("L"), **restarts))
    save(f"{kind}_420_restarts", pillow(picture, subsampling="4:2:0", **restarts))
    save(f"{kind}_rgb", pillow(picture, progressive=progressive, keep_rgb=True))
save("one_scan_each", one_scan_each(smooth(70, 50)))
(out / "README.md").write_text(
    f"Made by `tests/python/jpeg_fixtures.py` with Pillow {PIL.__version__} and OpenCV {cv2.__version__}. `NAME.png` is "
    "what libjpeg-turbo makes of `NAME.jpg`: at full size, and below at a half, a quarter and an eighth.\n"
)
