"""Intervals for means over pictures: the bootstrap, paired."""

from collections.abc import Sequence
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

    def __neg__(self) -> "Difference":
        """The other way round."""
        return Difference(-self.value, -self.high, -self.low, self.pictures)

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


def differences(columns: Sequence[ArrayLike]) -> list[list[Difference]]:
    """`difference` of each contestant's values and each other one's, [one][other].

    Those without a gap are resampled once, not once for each pair.
    """
    values = [np.asarray(column, dtype=np.float64) for column in columns]
    whole = [i for i, column in enumerate(values) if np.isfinite(column).all()]
    resampled: dict[int, NDArray[Any]] = {}
    if whole:
        means = _resamples(len(values[0])) @ np.stack([values[i] for i in whole], axis=1)
        resampled = dict(zip(whole, means.T, strict=True))

    def compare(i: int, j: int) -> Difference:
        if i not in resampled or j not in resampled:
            return difference(values[i], values[j])
        low, high = np.quantile(resampled[i] - resampled[j], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Difference(
            float((values[i] - values[j]).mean()), float(low), float(high), len(values[i])
        )

    below = [[compare(i, j) for j in range(i)] for i in range(len(values))]
    return [
        [
            below[i][j]
            if j < i
            else Difference(0.0, 0.0, 0.0, int(np.isfinite(values[i]).sum()))
            if j == i
            else -below[j][i]
            for j in range(len(values))
        ]
        for i in range(len(values))
    ]


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
