"""Intervals for means over pictures: the bootstrap, paired."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDS = 4000
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
    return _interval(values.mean(), _resamples(len(values)) @ values)


def ratio_of_means(values: ArrayLike, others: ArrayLike) -> Interval:
    """Mean of the one over mean of the other, pictures resampled together."""
    values, others = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    shares = _resamples(len(values))
    return _interval(values.mean() / others.mean(), (shares @ values) / (shares @ others))


@lru_cache(maxsize=1)
def _resamples(n: int) -> NDArray[np.float64]:
    """Share of each picture in each resample, (rounds, n); the same whenever asked for."""
    random = np.random.default_rng(0)
    return random.multinomial(n, np.full(n, 1 / n), size=ROUNDS) / n


def _interval(value: Any, resampled: NDArray[Any]) -> Interval:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(low), float(high))
