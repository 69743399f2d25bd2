"""Intervals for what people answered. Judges are resampled: answers of one judge go together."""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.bench.statistics import LEVEL, Interval

ROUNDS = 2000
SEED = 0

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


def resamples(judges: int) -> NDArray[np.float64]:
    """How often each judge comes in each resample, (ROUNDS, judges); always the same."""
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(judges, np.full(judges, 1 / judges), size=ROUNDS)
    return drawn.astype(np.float64)


def interval(value: float, resampled: ArrayLike, independent: tuple[float, float]) -> Interval:
    """A figure with its 95 % range: at each end the wider of two.

    resampled: the figure in resamples of the judges, which know that judges differ, but nothing
    where there are few of them. independent: the range if every answer stood for itself.
    """
    values = np.asarray(resampled, dtype=np.float64)
    ends = np.quantile(values[np.isfinite(values)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = independent
    return Interval(float(value), min(low, float(ends[0])), max(high, float(ends[1])))


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share, 95 %."""
    middle = (hits + Z**2 / 2) / (n + Z**2)
    reach = Z / (n + Z**2) * (hits * (n - hits) / n + Z**2 / 4) ** 0.5
    return max(0.0, middle - reach), min(1.0, middle + reach)


def newcombe(hits: float, n: float, others: float, n_others: float) -> tuple[float, float]:
    """Interval of the difference of two shares, 95 % (Newcombe 1998, method 10)."""
    p, q = hits / n, others / n_others
    (low, high), (other_low, other_high) = wilson(hits, n), wilson(others, n_others)
    down = ((p - low) ** 2 + (other_high - q) ** 2) ** 0.5
    up = ((high - p) ** 2 + (q - other_low) ** 2) ** 0.5
    return p - q - down, p - q + up


def rate(hits: ArrayLike, asked: ArrayLike) -> Interval:
    """Share of hits among what was asked, both per judge, in one pool."""
    k, n = _floats(hits), _floats(asked)
    total = float(k.sum()), float(n.sum())
    return interval(total[0] / total[1], _shares(k, n), wilson(*total))


def difference(
    hits: ArrayLike, asked: ArrayLike, others: ArrayLike, asked_others: ArrayLike
) -> Interval:
    """One rate minus another; the judges, in one order in all four, are resampled together."""
    k, n, k2, n2 = map(_floats, (hits, asked, others, asked_others))
    totals = [float(x.sum()) for x in (k, n, k2, n2)]
    value = totals[0] / totals[1] - totals[2] / totals[3]
    return interval(value, _shares(k, n) - _shares(k2, n2), newcombe(*totals))


def _floats(x: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(x, dtype=np.float64)


def _shares(k: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rate in each resample; nan where nobody in it was asked."""
    weights = resamples(len(n))
    below = weights @ n
    return np.divide(weights @ k, below, out=np.full(ROUNDS, np.nan), where=below > 0)
