"""Intervals for means over pictures: the bootstrap, paired."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDS = 10_000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure of the set, and the range that holds 95 % of its bootstrap resamples."""

    value: float
    low: float
    high: float


def mean(values: ArrayLike) -> Interval:
    """Mean over pictures. For a paired comparison give the differences, picture by picture."""
    values = np.asarray(values, dtype=np.float64)
    return _interval(values.mean(), np.concatenate([m @ values for m in _resamples(len(values))]))


def ratio_of_means(values: ArrayLike, others: ArrayLike) -> Interval:
    """Mean of the one over mean of the other, pictures resampled together."""
    values, others = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    ratios = [(m @ values) / (m @ others) for m in _resamples(len(values))]
    return _interval(values.mean() / others.mean(), np.concatenate(ratios))


def _resamples(n: int) -> list[NDArray[Any]]:
    """Share of each picture in each resample, (rounds, n) in blocks; the same in every call."""
    random = np.random.default_rng(0)
    return [random.multinomial(n, np.full(n, 1 / n), size=ROUNDS // 10) / n for _ in range(10)]


def _interval(value: Any, resampled: NDArray[Any]) -> Interval:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(low), float(high))
