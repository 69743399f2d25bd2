"""Structural similarity."""

import numpy as np
from numpy.typing import ArrayLike

from retint.color import Floats
from retint.metrics.accumulate import PictureMean
from retint.metrics.arrays import pair

RADIUS = 5
"""Of the window, in pixels: 11 x 11."""

DEVIATION = 1.5
"""Of the Gaussian that weighs the window, in pixels."""

C1, C2 = 0.01**2, 0.03**2

# half of the Gaussian, from the middle on; the whole sums to 1
_BELL = np.exp(-np.square(np.arange(RADIUS + 1) / DEVIATION) / 2)
_TAPS = _BELL / (2 * _BELL.sum() - _BELL[0])


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
    taps = _TAPS.astype(image.dtype)
    for _ in range(2):  # down the columns, then, turned, along the rows
        inside = len(image) - 2 * RADIUS
        smooth = taps[0] * image[RADIUS : RADIUS + inside]
        both = np.empty_like(smooth)
        for distance in range(1, RADIUS + 1):
            above, below = image[RADIUS - distance :], image[RADIUS + distance :]
            np.add(above[:inside], below[:inside], out=both)
            both *= taps[distance]
            smooth += both
        image = np.ascontiguousarray(smooth.T)
    return image


def _wide_enough(picture: Floats) -> Floats:
    lacking = [max(0, 2 * RADIUS + 1 - size) for size in picture.shape[:2]]
    if not any(lacking):
        return picture
    border = [(n // 2, n - n // 2) for n in lacking]
    return np.pad(picture, [*border, (0, 0)], mode="symmetric")
