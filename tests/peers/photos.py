"""The photos that are sent: one of tests/, enlarged to what cameras make, with the grain that fills their files."""

import pathlib

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests/reference/photos/large.jpg"
#: Width and height by the name the page has for them.
SIZES = {"224 px": (224, 224), "1 MP": (864, 1152), "12 MP": (3000, 4000)}
#: With this standard deviation of 255 and quality a file has 2 to 3 bits a pixel, as a phone's have.
GRAIN, QUALITY = 5, 90


def enlarged(size: tuple[int, int]) -> Image.Image:
    width, height = size
    source = Image.open(SOURCE).convert("RGB")
    tall = source.width * height // width
    top = (source.height - tall) // 2
    photo = source.resize(size, Image.Resampling.LANCZOS, (0, top, source.width, top + tall))
    grain = np.random.default_rng(0).standard_normal((height, width, 1), np.float32)
    return Image.fromarray((np.asarray(photo, np.float32) + GRAIN * grain).clip(0, 255).round().astype(np.uint8))


def write(directory: pathlib.Path) -> dict[str, pathlib.Path]:
    """A JPEG of each size."""
    files = {}
    for name, size in SIZES.items():
        photo, files[name] = enlarged(size), directory / f"{name.replace(' ', '')}.jpg"
        photo.save(files[name], quality=QUALITY)
    return files
