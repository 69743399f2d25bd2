"""How far a colouring is from the truth, and how colourful it is: pure functions without weights.

Colour arrays are channel-last: lab (..., 3) with L* 0..100, ab (..., 2) in Lab units, rgb (..., 3)
encoded sRGB in 0..1. float32 in is computed in float32, anything else in float64.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats

AUC_LIMIT = 150.0
"""Largest ab error, in Lab units, that the accuracy curve is drawn to (Zhang et al. 2016)."""

BIN = 10
"""Width of a bin of the ab histogram, in Lab units (Zhang et al. 2016)."""

SMOOTHING = 5.0
"""Deviation of the Gaussian that smooths a histogram, in Lab units (Zhang et al. 2016)."""

_REACH = 110  # the histogram's bins cover -115..115: all of sRGB
_BINS = 2 * _REACH // BIN + 1


def psnr(rgb: ArrayLike, truth: ArrayLike) -> float:
    """Peak signal-to-noise ratio of two pictures of one shape, peak 1, in dB; inf when equal."""
    return _psnr(rgb, truth, 1.0)


def psnr_ab(ab: ArrayLike, truth: ArrayLike) -> float:
    """The same of a* and b* alone, in dB; the peak is 255, as if they were kept in eight bits."""
    return _psnr(ab, truth, 255.0)


def delta_e2000(lab: ArrayLike, truth: ArrayLike) -> Floats:
    """Colour difference of each pixel, CIEDE2000 with kL = kC = kH = 1 (CIE 142:2001).

    lab and truth (..., 3) broadcast against each other; the result is (...). Symmetric.
    Follows Sharma, Wu & Dalal, "The CIEDE2000 color-difference formula", 2005.
    """
    L1, a1, b1 = np.ascontiguousarray(np.moveaxis(_floats(lab), -1, 0))
    L2, a2, b2 = np.ascontiguousarray(np.moveaxis(_floats(truth), -1, 0))
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


def colourfulness(rgb: ArrayLike) -> float:
    """Colourfulness of a picture as people rate it: 0 grey, about 45 average, 110 extreme.

    Of signed opponent colours on the 0..255 scale: Hasler & Suesstrunk, "Measuring colourfulness
    in natural images", 2003.
    """
    red_green, yellow_blue = _opponents(rgb)
    return _spread_and_mean(red_green, yellow_blue)


def colourfulness_absolute(rgb: ArrayLike) -> float:
    """The variant with absolute opponent colours of DDColor's and ColorMNet's evaluation code.

    Never above `colourfulness`' own spread and not comparable with it.
    """
    red_green, yellow_blue = _opponents(rgb)
    return _spread_and_mean(np.abs(red_green), np.abs(yellow_blue))


def chroma_ratio(ab: ArrayLike, truth: ArrayLike) -> float:
    """Mean chroma of a colouring over that of the truth; nan where the truth is grey."""
    true = float(chroma(truth).mean())
    return float(chroma(ab).mean()) / true if true > 0 else float("nan")


def chroma(ab: ArrayLike) -> Floats:
    """Chroma C*ab of each pixel: distance from grey in Lab units."""
    ab = _floats(ab)
    return np.hypot(ab[..., 0], ab[..., 1])


def colour_bias(ab: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Mean error of a* and of b*, Lab units: a cast to red or green, to yellow or blue."""
    a, b = (_floats(ab) - _floats(truth)).reshape(-1, 2).mean(axis=0, dtype=np.float64)
    return float(a), float(b)


def auc(ab: ArrayLike, truth: ArrayLike) -> float:
    """Area under the curve of "share of pixels with an ab error up to t", t = 0..150, in per cent.

    The raw AuC of Zhang et al., "Colorful image colorization", 2016.
    """
    return 100 * float(_within(ab, truth).mean(dtype=np.float64))


def auc_rebalanced(ab: ArrayLike, truth: ArrayLike, histogram: ArrayLike) -> float:
    """The same with every colour counting alike, however rare, in per cent.

    histogram: the prior, of the set (`ab_histogram` of its true colours) or of a corpus; it
    should be named wherever the figure stands. The class-rebalanced AuC of Zhang et al. 2016.
    """
    return pooled_auc(auc_by_bin(ab, truth), class_weights(histogram))


def auc_by_bin(ab: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """What `pooled_auc` needs of a picture, (2, 23, 23): add them up to pool a set.

    Per bin of the true colour: its pixels' parts of the area, and their number.
    """
    index = _bin(truth).ravel()
    size = _BINS * _BINS
    area = np.bincount(index, _within(ab, truth).ravel(), minlength=size)
    number = np.bincount(index, minlength=size)
    return np.array([area, number], dtype=np.float64).reshape(2, _BINS, _BINS)


def pooled_auc(by_bin: ArrayLike, weights: ArrayLike) -> float:
    """AuC in per cent of sums by `auc_by_bin`, each bin weighted by `class_weights`."""
    area, number = (np.asarray(by_bin) * np.asarray(weights)).sum(axis=(-2, -1))
    return 100 * float(area / number)


def ab_histogram(ab: ArrayLike) -> NDArray[np.int64]:
    """Number of pixels in each bin of 10 x 10 Lab units, (23, 23) by a* and b*, -115..115."""
    flat = _bin(ab)
    return np.bincount(flat.ravel(), minlength=_BINS * _BINS).reshape(_BINS, _BINS)


def class_weights(histogram: ArrayLike) -> NDArray[np.float64]:
    """Weight of a pixel of each bin, (23, 23), that lets every colour of the prior count alike.

    One over the share of the bin after smoothing by a Gaussian of 5 Lab units: equation 4 of
    Zhang et al. 2016 with lambda = 0. Colours that the prior lacks weigh as much as its rarest.
    The mean over the prior's pixels is 1.
    """
    share = np.asarray(histogram, dtype=np.float64)
    share = share / share.sum()
    distance = np.subtract.outer(np.arange(_BINS), np.arange(_BINS)) * BIN
    blur = np.exp(-np.square(distance / SMOOTHING) / 2)
    blur /= blur.sum(axis=0)
    smooth = blur @ share @ blur.T
    weights = 1 / np.maximum(smooth, smooth[share > 0].min())
    return weights / (share * weights).sum()


def _psnr(picture: ArrayLike, truth: ArrayLike, peak: float) -> float:
    error = float(np.mean(np.square(_floats(picture) - _floats(truth)), dtype=np.float64))
    return float("inf") if error == 0 else 10 * float(np.log10(peak * peak / error))


def _positive(angle: Floats) -> NDArray[Any]:
    """The same direction, a turn further where it is negative."""
    return angle + 2 * np.pi * (angle < 0).astype(angle.dtype)


def _seventh_power_share(C: Floats) -> Floats:
    """sqrt(C^7 / (C^7 + 25^7)), without overflow in float32."""
    ratio = (C / 25) ** 7
    return np.sqrt(ratio / (ratio + 1))


def _opponents(rgb: ArrayLike) -> tuple[Floats, Floats]:
    R, G, B = np.moveaxis(_floats(rgb) * 255, -1, 0)
    return R - G, (R + G) / 2 - B


def _spread_and_mean(x: Floats, y: Floats) -> float:
    moments = [f(v, dtype=np.float64) for f in (np.std, np.mean) for v in (x, y)]
    return float(np.hypot(moments[0], moments[1]) + 0.3 * np.hypot(moments[2], moments[3]))


def _within(ab: ArrayLike, truth: ArrayLike) -> Floats:
    """Share of the thresholds 0..150 that lie above each pixel's error: its part of the area."""
    error = chroma(_floats(ab) - _floats(truth))
    return np.maximum(0, 1 - error / AUC_LIMIT)


def _bin(ab: ArrayLike) -> NDArray[np.intp]:
    index = np.rint(_floats(ab) / BIN).astype(np.intp) + _REACH // BIN
    a, b = np.moveaxis(np.clip(index, 0, _BINS - 1), -1, 0)
    return a * _BINS + b


def _floats(v: ArrayLike) -> Floats:
    array = np.asarray(v)
    return array if array.dtype == np.float32 else array.astype(np.float64)
