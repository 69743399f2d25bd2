"""Structural similarity."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats
from retint.metrics.accumulate import PictureMean
from retint.metrics.arrays import pair

RADIUS = 5
"""Of the window, in pixels: 11 x 11."""

DEVIATION = 1.5
"""Of the Gaussian that weighs the window, in pixels."""

C1, C2 = 0.01**2, 0.03**2


def ssim(rgb: ArrayLike, truth: ArrayLike) -> float:
    """Structural similarity of two pictures, -1..1, 1 when equal.

    rgb and truth: (h, w, 3), 0..1, encoded. Wang, Bovik, Sheikh & Simoncelli, "Image quality
    assessment", 2004: 11 x 11 Gaussian window of deviation 1.5, K1 = 0.01, K2 = 0.03, over every
    window that lies in the picture; mean of the three channels. A picture of less than 11 pixels
    is mirrored at its border as far as one window needs.
    """
    x, y = (_wide_enough(picture) for picture in pair(rgb, truth))
    channels = [_similarity(x[..., c], y[..., c]) for c in range(x.shape[-1])]
    return float(np.mean(channels))


class SSIM(PictureMean):
    """Mean of `ssim` over pictures."""

    measure = staticmethod(ssim)


def _similarity(x: Floats, y: Floats) -> float:
    """Mean over the windows of one channel."""
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    mx, my = _smooth(x), _smooth(y)
    power, product = mx * mx + my * my, mx * my
    variances = _smooth(x * x + y * y) - power
    covariance = _smooth(x * y) - product
    similarity = (2 * product + C1) * (2 * covariance + C2)
    similarity /= (power + C1) * (variances + C2)
    return float(similarity.mean(dtype=np.float64))


def _smooth(image: Floats) -> Floats:
    """Gaussian means over the windows inside: (h, w) to (h - 10, w - 10)."""
    offsets = np.arange(-RADIUS, RADIUS + 1)
    taps: NDArray[np.float64] = np.exp(-np.square(offsets / DEVIATION) / 2)
    taps = (taps / taps.sum()).astype(image.dtype)
    for _ in range(2):  # down the columns, then, turned, along the rows
        inside = len(image) - 2 * RADIUS
        smooth = taps[RADIUS] * image[RADIUS : RADIUS + inside]
        for step in range(RADIUS):
            opposite = 2 * RADIUS - step
            smooth += taps[step] * (image[step : step + inside] + image[opposite:][:inside])
        image = np.ascontiguousarray(smooth.T)
    return image


def _wide_enough(picture: Floats) -> Floats:
    lacking = [max(0, 2 * RADIUS + 1 - size) for size in picture.shape[:2]]
    if not any(lacking):
        return picture
    border = [(n // 2, n - n // 2) for n in lacking]
    return np.pad(picture, [*border, (0, 0)], mode="symmetric")
