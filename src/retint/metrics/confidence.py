"""Whether a model knows how right it is."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats
from retint.metrics.accumulate import PictureMean, Sum
from retint.metrics.arrays import finite, pair

RADIUS = 15.0
"""Deviation of the Gaussian by which an ab error counts as near, in Lab units."""

BINS = 15
"""Bins of confidence, of equal width (Guo et al. 2017)."""


class Reliability(NamedTuple):
    """Confidence against what came true, per bin of confidence, (15,) each; nan in empty bins."""

    confidence: NDArray[np.float64]
    nearness: NDArray[np.float64]
    error: NDArray[np.float64]
    share: NDArray[np.float64]


def nearness(error: ArrayLike) -> Floats:
    """How right a colour is, given its ab error in Lab units: 1 without error, 0.61 at 15.

    `exp(-error^2 / (2 * 15^2))`. The confidence of retint's models is their expectation of it.
    """
    return np.exp(-np.square(finite(error) / RADIUS) / 2)


def reliability(confidence: ArrayLike, error: ArrayLike) -> Reliability:
    """The reliability curve: mean `nearness` of the pixels of each bin of confidence.

    confidence: 0..1; error: of ab, Lab units, of the same shape.
    """
    return ConfidenceCalibration().update(confidence, error).reliability()


def calibration_error(confidence: ArrayLike, error: ArrayLike) -> float:
    """Expected calibration error, 0..1: how far confidence is from `nearness`, bin by bin.

    confidence: 0..1; error: of ab, Lab units, of the same shape. The mean over pixels of the
    difference between both means in the pixel's bin; Naeini et al. 2015, Guo et al. 2017.
    """
    return ConfidenceCalibration().update(confidence, error).compute()


def sparsification_error(confidence: ArrayLike, error: ArrayLike) -> float:
    """How badly confidence sorts the pixels by error: 0 perfectly, 1 no better than chance.

    confidence: 0..1, told apart in steps of 1/65535; error: of ab, Lab units, of the same shape.
    The least confident pixels are taken away step by step; the area between the mean error of
    those that remain and that of the best possible order (AUSE, Ilg et al. 2018), over the same
    area of a random order. Above 1 the surer pixels are the worse ones. Pixels of one confidence
    count as in random order. nan where every pixel has the same error: there is no order.
    """
    confidence, error = _flat_pair(confidence, error)
    error = error.astype(np.float64)
    best = np.sort(error)
    chance, perfect = float(error.mean()), float(_running_mean(best).mean())
    if best[-1] == best[0]:
        return float("nan")
    level = np.rint((1 - confidence) * 65535).astype(np.intp)
    number, total = np.bincount(level), np.bincount(level, error)
    expected = np.repeat(total / np.maximum(number, 1), number)
    return (float(_running_mean(expected).mean()) - perfect) / (chance - perfect)


class ConfidenceCalibration(Sum):
    """`calibration_error` and the reliability curve of the pixels of all pictures."""

    def update(self, confidence: ArrayLike, error: ArrayLike) -> Self:
        """Measure one more picture: confidence 0..1, and ab error in Lab units."""
        confidence, error = _flat_pair(confidence, error)
        index = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
        parts = (None, confidence, nearness(error), error)
        return self.add(np.array([np.bincount(index, part, minlength=BINS) for part in parts]))

    def reliability(self) -> Reliability:
        """The reliability curve; ValueError before the first picture."""
        number, confidence, near, error = self.summed()
        count = np.where(number > 0, number, np.nan)
        share = number / number.sum()
        return Reliability(confidence / count, near / count, error / count, share)

    def compute(self) -> float:
        """Expected calibration error, 0..1; ValueError before the first picture."""
        number, confidence, near, _ = self.summed()
        return float(np.abs(confidence - near).sum() / number.sum())


class SparsificationError(PictureMean):
    """Mean of `sparsification_error` over pictures."""

    measure = staticmethod(sparsification_error)


def _flat_pair(confidence: ArrayLike, error: ArrayLike) -> tuple[Floats, Floats]:
    confidence, error = (v.ravel() for v in pair(confidence, error))
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError("confidence must lie in 0..1")
    return confidence, error


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the first 1, 2, ... values."""
    return np.cumsum(values) / np.arange(1, len(values) + 1)
