"""One picture: from bytes in any format to upright sRGB."""

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

SUFFIXES = frozenset(
    {
        ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
        ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
    }
)  # fmt: skip
"""Endings of files that are taken for pictures."""


def decode(data: bytes, shorter: int | None = None) -> Image.Image:
    """Decode a picture to 8-bit sRGB, upright by its EXIF orientation, on white where transparent.

    `shorter`: shrink it with a Lanczos filter until the shorter side has at most so many pixels.
    Raises what Pillow raises for what it cannot decode.
    """
    image = Image.open(io.BytesIO(data))
    if shorter:  # a JPEG is decoded at half, a quarter or an eighth, never below twice the size
        side = min(image.size)
        image.draft("RGB", (2 * shorter * image.width // side, 2 * shorter * image.height // side))
    image = to_srgb(ImageOps.exif_transpose(image))
    return image if shorter is None else shrink(image, shorter)


def shrink(image: Image.Image, shorter: int) -> Image.Image:
    """Make the shorter side at most so many pixels, with a Lanczos filter; never larger."""
    scale = shorter / min(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture as 8-bit sRGB: colour profile applied, transparency laid on white."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    profile = image.info.get("icc_profile")
    if profile and (transform := _to_srgb(profile, image.mode)):
        return ImageCms.applyTransform(image, transform) or image
    return image.convert("RGB")


@lru_cache(16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where it is sRGB already, or does not fit the picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        create: Callable[[str], Any] = ImageCms.createProfile  # pyright: ignore
        return ImageCms.buildTransform(source, create("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
