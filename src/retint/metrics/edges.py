"""Whether colour stops where the things in a picture do."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats
from retint.metrics.accumulate import PictureMean
from retint.metrics.arrays import finite
from retint.metrics.vividness import chroma

FAR = 4
"""Pixels on either side of an edge that are looked at."""

STEP = 10.0
"""Least step of L* across an edge."""

DARKEST, LIGHTEST = 10.0, 92.0
"""L* between which sRGB has room for colour: beyond, any colour has edges where the gamut ends."""

FLAT = 0.2
"""Most that L* may vary on either side of an edge, over the step across it."""

FAINT = 0.1
"""Step of colour, over the picture's mean chroma, that is hardly one; and at least 1 Lab unit."""


def bleeding(ab: ArrayLike, L: ArrayLike) -> float:
    """How much of the colour's change across luminance edges does not happen at the edge.

    ab: (h, w, 2) in Lab units; L: (h, w), 0..100. 0: all of it lies within a pixel of the edge.
    1: colour runs on as if there were no edge, by a smooth ramp or not at all, so that grey and
    one colour everywhere have 1 too. Above 1: colour has its edges beside those of luminance. A
    little below 0: it is sharper still. nan where luminance has no clean edge.

    Clean edges are those between two pixels of a row or column across which L* steps by 10 or
    more while it is flat, but for a fifth of the step, over the pixels 2..5 on either side, all
    of them between 10 and 92: beyond these sRGB has little colour, and any colouring steps. Over
    all of them, with the colour's step `far` between the outer pixels and `near` between those
    next but one to the edge: `(far.far - near.far) / far.far`, divided by what a linear ramp has,
    2/3. So that grain does not count as a step, `far.far` is the product of the steps at two
    distances; so that the steps of hardly any colour do not count either, both sides are given as
    much of a ramp as a step of a tenth of the picture's mean chroma makes. Colour that covers a
    whole object wrongly is not seen.
    """
    ab, guide = finite(ab), finite(L)
    if ab.shape != (*guide.shape, 2):
        raise ValueError(f"sizes differ: ab {ab.shape}, L {guide.shape}")
    turned = np.ascontiguousarray(guide.T)
    across = [_profiles(ab, guide), _profiles(ab.swapaxes(0, 1), turned)]
    profiles = np.concatenate(across, axis=1).astype(np.float64)
    if profiles.size == 0:
        return float("nan")
    near, less_far, far = (
        profiles[FAR + 1 + reach] - profiles[FAR - reach] for reach in (1, FAR - 1, FAR)
    )
    whole = float((far * less_far).sum())
    at_edge = float((near * (far + less_far)).sum()) / 2
    faint = max(1.0, FAINT * float(chroma(ab).mean(dtype=np.float64)))
    ramp = profiles.shape[1] * faint * faint
    return ((whole - at_edge) / (1 - _RAMP) + ramp) / (whole + ramp)


class Bleeding(PictureMean):
    """Mean of `bleeding` over the pictures that have edges."""

    measure = staticmethod(bleeding)


# `at_edge` over `whole` of a linear ramp, whose steps are as the distances 3, 7 and 9
_NEAR, _LESS_FAR, _FAR = 3, 2 * FAR - 1, 2 * FAR + 1
_RAMP = _NEAR * (_FAR + _LESS_FAR) / 2 / (_FAR * _LESS_FAR)


def _profiles(ab: Floats, guide: Floats) -> Floats:
    """Colour along the rows across clean edges, (10, n, 2): five pixels before it, five after."""
    width = guide.shape[1]
    if width < 2 * FAR + 2:
        return np.zeros((2 * FAR + 2, 0, 2), ab.dtype)
    step = np.abs(np.diff(guide, axis=1))
    before, here, after = (step[:, FAR + k : width - 1 - FAR + k] for k in (-1, 0, 1))
    # a step of STEP over the three pixels about the edge has a third of it or more in the middle
    row, column = np.nonzero((here >= STEP / 3) & (here >= before) & (here >= after))
    along: NDArray[np.intp] = np.arange(2 * FAR + 2)[:, None] + column
    lightness = guide[row, along]
    height = np.abs(lightness[-1] - lightness[0])
    clean = (height >= STEP) & (lightness.min(0) >= DARKEST) & (lightness.max(0) <= LIGHTEST)
    for side in (lightness[:FAR], lightness[-FAR:]):
        clean &= np.ptp(side, axis=0) <= FLAT * height
    return ab[row[clean], along[:, clean]]
