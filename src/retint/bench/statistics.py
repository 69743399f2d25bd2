"""Intervals for means over pictures: the bootstrap, paired."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDS = 4000
LEVEL = 0.95

FEWEST = 6
"""Pictures below which no two contestants are told apart: five that all favour the same side are
nothing unusual, one time in sixteen by chance (sign test)."""


@dataclass(frozen=True)
class Interval:
    """A figure of the set, and the range that holds 95 % of its bootstrap resamples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Interval):
    """Mean of one contestant less that of another, over the pictures that both have."""

    pictures: int

    @property
    def below(self) -> bool:
        """Whether the one is lower beyond doubt."""
        return self.pictures >= FEWEST and self.high < 0

    @property
    def above(self) -> bool:
        """Whether the one is higher beyond doubt."""
        return self.pictures >= FEWEST and self.low > 0


def mean(values: ArrayLike) -> Interval:
    """Mean over the pictures that have a value: the others' is nan, and all are for none."""
    return ratio_of_means(values, np.ones(np.shape(values)))


def difference(values: ArrayLike, others: ArrayLike) -> Difference:
    """Compare two contestants picture by picture; values in the set's order, nan where missing."""
    apart = np.asarray(values, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    found = mean(apart)
    return Difference(found.value, found.low, found.high, int(np.isfinite(apart).sum()))


def ratio_of_means(values: ArrayLike, others: ArrayLike) -> Interval:
    """Mean of the one over mean of the other, pictures resampled together, those with both."""
    values, others = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    both = np.isfinite(values) & np.isfinite(others)
    if not both.any():
        return Interval(np.nan, np.nan, np.nan)
    above, below = np.where(both, values, 0), np.where(both, others, 0)
    shares = _resamples(len(values))
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold none of them
        resampled = (shares @ above) / (shares @ below)
        low, high = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(float(above.sum() / below.sum()), float(low), float(high))


@lru_cache(maxsize=1)
def _resamples(n: int) -> NDArray[Any]:
    """Share of each picture in each resample, (rounds, n); the same whenever asked for."""
    random = np.random.default_rng(0)
    return random.multinomial(n, np.full(n, 1 / n), size=ROUNDS) / n
