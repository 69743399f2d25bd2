"""CIEDE2000, the difference of two colours as it is seen."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats
from retint.metrics.arrays import floats


def delta_e2000(lab: ArrayLike, truth: ArrayLike) -> Floats:
    """Colour difference of each pixel, CIEDE2000 with kL = kC = kH = 1 (CIE 142:2001).

    lab and truth (..., 3) broadcast against each other; the result is (...). Symmetric.
    Follows Sharma, Wu & Dalal, "The CIEDE2000 color-difference formula", 2005.
    """
    L1, a1, b1 = np.ascontiguousarray(np.moveaxis(floats(lab), -1, 0))
    L2, a2, b2 = np.ascontiguousarray(np.moveaxis(floats(truth), -1, 0))
    boost = 1.5 - 0.5 * _seventh_power_share((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    a1, a2 = a1 * boost, a2 * boost
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = _positive(np.arctan2(b1, a1)), _positive(np.arctan2(b2, a2))

    # From hue to hue the shorter way round; opposite hues, up to rounding, are left as they are.
    turn: NDArray[Any] = h2 - h1
    half = np.pi * (1 + 4 * float(np.finfo(turn.dtype).eps))
    turn = turn - 2 * np.pi * ((turn > half).astype(turn.dtype) - (turn < -half))
    # Without chroma the hue is arctan2(0, 0) = 0, and the mean hue is that of the other colour.
    neutral: NDArray[Any] = C1 * C2 == 0
    mean_hue: NDArray[Any] = np.where(neutral, h1 + h2, h1 + turn / 2)
    dL, dC, dH = L2 - L1, C2 - C1, 2 * np.sqrt(C1 * C2) * np.sin(turn / 2)

    C = (C1 + C2) / 2
    offset = np.square((L1 + L2) / 2 - 50)
    T = (
        1
        - 0.17 * np.cos(mean_hue - np.deg2rad(30).item())
        + 0.24 * np.cos(2 * mean_hue)
        + 0.32 * np.cos(3 * mean_hue + np.deg2rad(6).item())
        - 0.20 * np.cos(4 * mean_hue - np.deg2rad(63).item())
    )
    SL = 1 + 0.015 * offset / np.sqrt(20 + offset)
    SC = 1 + 0.045 * C
    SH = 1 + 0.015 * C * T
    degrees = np.rad2deg(_positive(mean_hue))
    degrees = degrees - 360 * (degrees > 360).astype(degrees.dtype)
    rotation = -2 * np.sin(np.deg2rad(60 * np.exp(-np.square((degrees - 275) / 25))))
    RT = rotation * _seventh_power_share(C)
    dL, dC, dH = dL / SL, dC / SC, dH / SH
    return np.sqrt(np.maximum(dL * dL + dC * dC + dH * dH + RT * dC * dH, 0))


def _positive(angle: Floats) -> NDArray[Any]:
    """The same direction, a turn further where it is negative."""
    return angle + 2 * np.pi * (angle < 0).astype(angle.dtype)


def _seventh_power_share(C: Floats) -> Floats:
    """sqrt(C^7 / (C^7 + 25^7)), without overflow in float32."""
    ratio = (C / 25) ** 7
    return np.sqrt(ratio / (ratio + 1))
