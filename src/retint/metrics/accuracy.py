"""The share of pixels that is right, over every tolerance: the AuC of Zhang et al."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats
from retint.metrics.accumulate import PictureMean, Sum
from retint.metrics.arrays import pair
from retint.metrics.palette import BINS, bins, class_weights
from retint.metrics.vividness import chroma

AUC_LIMIT = 150.0
"""Largest ab error, in Lab units, that the accuracy curve is drawn to (Zhang et al. 2016)."""


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
    index = bins(truth).ravel()
    size = BINS * BINS
    area = np.bincount(index, _within(ab, truth).ravel(), minlength=size)
    number = np.bincount(index, minlength=size)
    return np.array([area, number], dtype=np.float64).reshape(2, BINS, BINS)


def pooled_auc(by_bin: ArrayLike, weights: ArrayLike) -> float:
    """AuC in per cent of sums by `auc_by_bin`, each bin weighted by `class_weights`."""
    area, number = (np.asarray(by_bin) * np.asarray(weights)).sum(axis=(-2, -1))
    return 100 * float(area / number)


class AUC(PictureMean):
    """Mean of `auc` over pictures."""

    measure = staticmethod(auc)


class RebalancedAUC(Sum):
    """Class-rebalanced AuC of the pixels of all pictures.

    histogram: the prior; without one it is the set's own, that of all true colours seen.
    """

    def __init__(self, histogram: ArrayLike | None = None) -> None:
        self.histogram = histogram

    def update(self, ab: ArrayLike, truth: ArrayLike) -> Self:
        """Measure one more picture: ab and truth (..., 2) in Lab units."""
        return self.add(auc_by_bin(ab, truth))

    def compute(self) -> float:
        """AuC in per cent; ValueError before the first picture."""
        total = self.summed()
        prior = total[1] if self.histogram is None else self.histogram
        return pooled_auc(total, class_weights(prior))


def _within(ab: ArrayLike, truth: ArrayLike) -> Floats:
    """Share of the thresholds 0..150 that lie above each pixel's error: its part of the area."""
    ab, truth = pair(ab, truth)
    return np.maximum(0, 1 - chroma(ab - truth) / AUC_LIMIT)
