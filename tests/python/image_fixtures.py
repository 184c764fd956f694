"""Makes tests/images: small pictures of every kind we read, and what Pillow makes of them.

Run: python tests/python/image_fixtures.py tests/images
Committed are the results, so that the tests need no Python.
"""
import io
import struct
import sys
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)


def photo(width, height):
    """Smooth colours, edges and noise: what filters and codecs differ on."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 127 + 100 * np.sin(x / 17 + y / 29)
    green = 255 * (((x // 23).astype(int) + (y // 31).astype(int)) % 2)
    blue = 255 * np.hypot(x / width - 0.5, y / height - 0.4)
    picture = np.stack([red, green, blue], axis=2)
    picture += np.random.default_rng(7).normal(0, 12, picture.shape)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def save(name, image, **options):
    path = out / name
    image.save(path, **options)
    opened = ImageOps.exif_transpose(Image.open(path))
    opened.convert("RGB").save(out / (path.name + ".rgb.png"), optimize=True)


small = photo(40, 30)
save("rgb.jpg", small, quality=90)
save("progressive.jpg", small, quality=90, progressive=True)
save("subsampled.jpg", small, quality=85, subsampling=2)
save("grey.jpg", small.convert("L"), quality=90)
save("cmyk.jpg", small.convert("CMYK"), quality=95)  # Pillow writes Adobe's inverted form
save("rgb.png", small)
save("interlaced_palette.png", small.quantize(64))
save("grey.png", small.convert("L"))
save("bilevel.png", small.convert("1"))
alpha = small.copy()
alpha.putalpha(Image.fromarray((np.arange(1200).reshape(30, 40) % 256).astype(np.uint8)))
save("alpha.png", alpha)
save("grey_alpha.png", alpha.convert("LA"))
save("alpha.webp", alpha, lossless=True, exact=True)
save("lossless.webp", small, lossless=True)
save("lossy.webp", small, quality=80)
save("rgb.bmp", small)
save("palette.bmp", small.quantize(64))
save("rgb.tiff", small)
save("lzw.tiff", small, compression="tiff_lzw")
save("deflate.tiff", small, compression="tiff_adobe_deflate")
save("cmyk.tiff", small.convert("CMYK"))
frames = [small.quantize(64), ImageOps.mirror(small).quantize(64)]
save("animated.gif", frames[0], save_all=True, append_images=frames[1:], duration=50)
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(f"orientation_{orientation}.png", small.crop((0, 0, 12, 8)), exif=exif)
exif = Image.Exif()
exif[0x0112] = 6
save("orientation_6.jpg", small, quality=90, exif=exif)
save("orientation_6.webp", small, lossless=True, exif=exif)

# 16 bits: numpy says what the upper 8 bits are; Pillow clips instead.
ramp = (np.arange(30 * 40, dtype=np.uint32).reshape(30, 40) * 54 % 65536).astype(np.uint16)
Image.fromarray(ramp).save(out / "grey16.png")
grey = Image.fromarray((ramp >> 8).astype(np.uint8))
grey.convert("RGB").save(out / "grey16.png.rgb.png", optimize=True)

# Resizing: Pillow's own results.
large = photo(160, 107)
large.save(out / "resize.png", optimize=True)
filters = {"nearest": 0, "bilinear": 2, "bicubic": 3, "lanczos": 1}
for name, resample in filters.items():
    for width, height in [(56, 56), (80, 50), (9, 13), (225, 175), (159, 108)]:
        large.resize((width, height), resample).save(out / f"resize_{name}_{width}x{height}.png", optimize=True)


def shorter_side(image, side, crop):
    """torchvision's Resize(side), CenterCrop(crop)."""
    width, height = image.size
    if width < height:
        size = (side, int(side * height / width))
    else:
        size = (int(side * width / height), side)
    scaled = image.resize(size, Image.BICUBIC)
    left, top = int(round((size[0] - crop) / 2.0)), int(round((size[1] - crop) / 2.0))
    return scaled.crop((left, top, left + crop, top + crop))


def letterbox(image, width, height, fill, center):
    ratio = min(width / image.width, height / image.height)
    size = (round(image.width * ratio), round(image.height * ratio))
    canvas = Image.new("RGB", (width, height), fill)
    place = ((width - size[0]) // 2, (height - size[1]) // 2) if center else (0, 0)
    canvas.paste(image.resize(size, Image.BILINEAR), place)
    return canvas


shorter_side(large, 64, 56).save(out / "shorter_side_64_56.png", optimize=True)
shorter_side(large, 61, 58).save(out / "shorter_side_61_58.png", optimize=True)
shorter_side(large, 32, 40).save(out / "shorter_side_32_40.png", optimize=True)
letterbox(large, 64, 64, (114, 114, 114), True).save(out / "letterbox_64_center.png", optimize=True)
letterbox(large, 64, 48, (0, 0, 0), False).save(out / "letterbox_64x48_top_left.png", optimize=True)
(out / "README.md").write_text(
    f"Made by `tests/python/image_fixtures.py` with Pillow {PIL.__version__}. `NAME.rgb.png` is Pillow's "
    "`exif_transpose(image).convert(\"RGB\")` of `NAME`.\n"
)
