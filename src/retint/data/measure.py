"""What can be said of a picture without understanding it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retint.color import LUMINANCE_WEIGHTS, srgb_to_lab
from retint.data.hashes import dhash

SIDE = 64
"""Pictures are measured at 64 x 64 pixels, whatever their shape: noise is gone, colour is not."""

LEVELS = 10
"""Steps of lightness within which a toned print has one colour."""

CELL = 4
REACH = 112
CELLS = 2 * REACH // CELL
"""The ab histogram has 56 x 56 cells of 4 Lab units, -112..112."""


@dataclass(frozen=True)
class Measures:
    """Of one picture; chroma, a, b and L* in Lab units, shares 0..1.

    chroma: mean. own_chroma: how far ab is from what lightness tells of it, root mean square: near
    nothing in grey and toned pictures. contrast: from the 2nd to the 98th percentile of L*. flat:
    share of the eight most frequent colours of 32,768. white: share of the picture's rim that is
    white. dhash: perceptual hash.
    """

    a: float
    b: float
    chroma: float
    own_chroma: float
    contrast: float
    flat: float
    white: float
    dhash: int


def mean_colour(image: Image.Image) -> tuple[float, float, int]:
    """Mean a* and b*, Lab units, and the perceptual hash of an sRGB picture."""
    codes = thumbnail(image)
    ab = lab_of(codes)[..., 1:]
    return float(ab[..., 0].mean()), float(ab[..., 1].mean()), _hash(codes)


class Seen(NamedTuple):
    """Measures, and L* at 16 x 16 pixels, uint8."""

    measures: Measures
    small: NDArray[np.uint8]


def measure(image: Image.Image) -> tuple[Seen, NDArray[np.int64]]:
    """Measure an sRGB picture of any size; and its ab histogram, (CELLS, CELLS) with b* down."""
    codes = thumbnail(image)
    lab = lab_of(codes)
    L, ab = lab[..., 0].reshape(-1), lab[..., 1:].reshape(-1, 2)
    rim = np.ones((SIDE, SIDE), bool)
    rim[3:-3, 3:-3] = False
    low, high = np.percentile(L, (2, 98))
    found = Measures(
        a=float(ab[:, 0].mean()),
        b=float(ab[:, 1].mean()),
        chroma=float(np.hypot(ab[:, 0], ab[:, 1]).mean()),
        own_chroma=_own_chroma(L, ab),
        contrast=float(high - low),
        flat=_flat(np.asarray(image)),
        white=float((codes[rim].min(axis=1) >= 245).mean()),
        dhash=_hash(codes),
    )
    place = np.clip((ab + REACH) // CELL, 0, CELLS - 1).astype(np.int64)
    counts = np.bincount(place[:, 1] * CELLS + place[:, 0], minlength=CELLS * CELLS)
    small = lab[..., 0].reshape(16, SIDE // 16, 16, SIDE // 16).mean((1, 3)).round()
    return Seen(found, small.astype(np.uint8)), counts.reshape(CELLS, CELLS)


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    """The picture at 64 x 64 pixels, each the mean of its part: uint8 (64, 64, 3)."""
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))


def lab_of(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Lab (h, w, 3) of sRGB codes."""
    return srgb_to_lab(codes.astype(np.float32) / 255).astype(np.float32)


def _own_chroma(L: NDArray[np.float32], ab: NDArray[np.float32]) -> float:
    """Root mean square distance of ab from its mean among pixels of about the same lightness."""
    level = np.minimum(L * (LEVELS / 100), LEVELS - 1).astype(np.int64)
    count = np.maximum(np.bincount(level, minlength=LEVELS), 1)
    square = 0.0
    for axis in (0, 1):
        mean = np.bincount(level, ab[:, axis], LEVELS) / count
        square += float(np.square(ab[:, axis] - mean[level]).mean())
    return square**0.5


def _flat(codes: NDArray[np.uint8]) -> float:
    """Share of the eight most frequent colours, of 32 steps in each channel."""
    r, g, b = np.moveaxis(codes.astype(np.int32) >> 3, -1, 0)
    counts = np.bincount(((r << 10) | (g << 5) | b).reshape(-1), minlength=1 << 15)
    return float(np.sort(counts[counts > 0])[-8:].sum() / counts.sum())


def _hash(codes: NDArray[np.uint8]) -> int:
    return dhash((codes @ LUMINANCE_WEIGHTS).astype(np.float32))
