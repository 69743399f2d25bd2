"""Whether colour stops where the things in a picture do."""

import numpy as np
from numpy.typing import ArrayLike

from retint.color import Floats
from retint.metrics.accumulate import PictureMean
from retint.metrics.arrays import finite
from retint.metrics.vividness import chroma

COLOURLESS = 1.0
"""Mean chroma, in Lab units, below which a picture has no colour that could bleed."""

EDGE = 10.0
"""Step of L* from pixel to pixel that counts as an edge."""


def bleeding(ab: ArrayLike, L: ArrayLike) -> float:
    """Steps of colour where luminance has none, beside the picture's own chroma: 0 for none.

    ab: (h, w, 2) in Lab units; L: (h, w), 0..100.
    """
    ab, guide = finite(ab), finite(L)
    if ab.shape != (*guide.shape, 2):
        raise ValueError(f"sizes differ: ab {ab.shape}, L {guide.shape}")
    strength = float(chroma(ab).mean(dtype=np.float64))
    if strength < COLOURLESS:
        return float("nan")
    stray = [_stray(np.diff(ab, axis=i), np.diff(guide, axis=i)) for i in range(2)]
    return float(np.mean(np.concatenate(stray))) / strength


class Bleeding(PictureMean):
    """Mean of `bleeding` over the pictures that have colour."""

    measure = staticmethod(bleeding)


def _stray(ab_step: Floats, L_step: Floats) -> Floats:
    return (chroma(ab_step) * np.maximum(0, 1 - np.abs(L_step) / EDGE)).ravel()
