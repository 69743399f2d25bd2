"""Which colours a set holds: histograms of ab, the prior made of one, and how far two differ."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats
from retint.metrics.accumulate import Sum
from retint.metrics.arrays import finite

BIN = 10
"""Width of a bin of the ab histogram, in Lab units (Zhang et al. 2016)."""

SMOOTHING = 5.0
"""Deviation of the Gaussian that smooths a histogram, in Lab units (Zhang et al. 2016)."""

REACH = 110
"""Centre of the outermost bins, in Lab units: they cover -115..115, all of sRGB."""

BINS = 2 * REACH // BIN + 1
"""Bins along a* and along b*."""


def ab_histogram(ab: ArrayLike) -> NDArray[np.int64]:
    """Number of pixels in each bin of 10 x 10 Lab units, (23, 23) by a* and b*, -115..115."""
    flat = bins(ab)
    return np.bincount(flat.ravel(), minlength=BINS * BINS).reshape(BINS, BINS)


def class_weights(histogram: ArrayLike) -> NDArray[np.float64]:
    """Weight of a pixel of each bin, (23, 23), that lets every colour of the prior count alike.

    One over the share of the bin after smoothing by a Gaussian of 5 Lab units: equation 4 of
    Zhang et al. 2016 with lambda = 0. Colours that the prior lacks weigh as much as its rarest.
    The mean over the prior's pixels is 1.
    """
    share = np.asarray(histogram, dtype=np.float64)
    share = share / share.sum()
    distance = np.subtract.outer(np.arange(BINS), np.arange(BINS)) * BIN
    blur = np.exp(-np.square(distance / SMOOTHING) / 2)
    blur /= blur.sum(axis=0)
    smooth = blur @ share @ blur.T
    weights = 1 / np.maximum(smooth, smooth[share > 0].min())
    return weights / (share * weights).sum()


def ab_distance(histogram: ArrayLike, truth: ArrayLike) -> float:
    """How differently two sets are coloured: 0 alike, 1 without a colour in common.

    The Jensen-Shannon distance (Endres & Schindelin 2003) of two `ab_histogram`s: a metric, finite
    whatever bins are empty. Which picture has which colour does not matter to it.
    Raises ValueError where a histogram counts nothing.
    """
    one, other = np.ravel(histogram), np.ravel(truth)
    return float(np.sqrt(jensen_shannon(one, other) / np.log(2)))


def jensen_shannon(counts: ArrayLike, other: ArrayLike) -> Floats:
    """Jensen-Shannon divergence of distributions along the last axis, in nats: 0..log 2.

    counts and other: of any sum; ValueError where one is empty or has a negative count.
    """
    p, q = _shares(counts), _shares(other)
    middle = (p + q) / 2
    return np.maximum(0, _entropy(middle) - (_entropy(p) + _entropy(q)) / 2)


class ABDistance(Sum):
    """`ab_distance` between all pixels of a set's colourings and those of its true colours."""

    def update(self, ab: ArrayLike, truth: ArrayLike) -> Self:
        """Count one more picture: ab and truth (..., 2) in Lab units."""
        return self.add(np.stack([ab_histogram(ab), ab_histogram(truth)]))

    def compute(self) -> float:
        """Distance, 0..1; ValueError before the first picture."""
        return ab_distance(*self.summed())


def bins(ab: ArrayLike) -> NDArray[np.intp]:
    """Index of each pixel's bin in the flattened histogram; colours beyond it lie at its edge."""
    ab = finite(ab)
    a, b = (np.clip(np.rint(ab[..., i] / BIN), -REACH // BIN, REACH // BIN) for i in range(2))
    return (a * BINS + b).astype(np.intp) + BINS * BINS // 2


def _shares(counts: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (total > 0).all()):
        raise ValueError("a histogram must have counts of zero or more, and count something")
    return counts / total


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=-1)
