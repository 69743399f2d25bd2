"""How strong each contestant is, from choices between two.

The model of Bradley & Terry (1952), with ties after Davidson (1970).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats64 = NDArray[np.float64]

WIN, LOSS, TIE = 0, 1, 2
"""Outcomes of a comparison of i with j, as seen from i; the last axis of the counts."""

PRIOR = 0.5
"""Added to each outcome of each pair: without it, one who never lost would be infinitely strong."""

_STEPS = 100
_LONGEST_STEP = 2.0
_CLOSE = 1e-10


@dataclass(frozen=True)
class Strengths:
    """Abilities (..., contestants) on the logit scale, of mean 0; log nu (...) of ties, or None.

    i is preferred to j with odds exp(ability_i - ability_j); a tie has the weight
    nu * sqrt(exp(ability_i + ability_j)). covariance (..., contestants, contestants): of the
    abilities, as if all answers were independent (inverse Fisher information).
    """

    ability: Floats64
    log_nu: Floats64 | None
    covariance: Floats64


def pairs(contestants: int) -> list[tuple[int, int]]:
    """All pairs in the order of the counts: (0, 1), (0, 2), ..., (1, 2), ..."""
    return list(itertools.combinations(range(contestants), 2))


def fit(
    counts: ArrayLike, contestants: int, *, ties: bool = False, prior: float = PRIOR
) -> Strengths:
    """The maximum of the likelihood, by Newton's method, for any number of tables at once.

    counts (..., pairs, 3): wins of the first, wins of the second, ties, for each of `pairs`;
    without ties the last is not looked at. prior: added to each outcome of each pair; 0 is the
    plain maximum, which exists where everybody has won and lost (Ford 1957).
    """
    outcomes = 3 if ties else 2
    n = np.asarray(counts, dtype=np.float64)[..., :outcomes] + prior
    X = _design(pairs(contestants), contestants, ties)
    # Adding the same to all abilities changes nothing: their sum is held at 0.
    gauge = np.zeros((X.shape[-1], X.shape[-1]))
    gauge[:contestants, :contestants] = 1
    at = np.zeros((*n.shape[:-2], X.shape[-1]))
    for _ in range(_STEPS):
        slope, information = _slope(n, X, at)
        step = np.linalg.solve(information + gauge, slope[..., None])[..., 0]
        longest = np.abs(step).max(axis=-1, keepdims=True)
        at += step / np.maximum(1, longest / _LONGEST_STEP)
        if longest.max() < _CLOSE:
            break
    centred = np.eye(contestants) - 1 / contestants
    inverse: NDArray[Any] = np.linalg.inv(_slope(n, X, at)[1] + gauge)
    return Strengths(
        at[..., :contestants] @ centred,
        at[..., contestants] if ties else None,
        centred @ inverse[..., :contestants, :contestants] @ centred,
    )


def _slope(n: Floats64, X: Floats64, at: Floats64) -> tuple[Floats64, Floats64]:
    """Slope (..., f) of the log likelihood, and Fisher information (..., f, f)."""
    p: Floats64 = np.exp(np.einsum("pof,...f->...po", X, at))
    p /= p.sum(axis=-1, keepdims=True)
    total: Floats64 = n.sum(axis=-1)
    mean: Floats64 = np.einsum("...po,pof->...pf", p, X)
    slope: Floats64 = np.einsum("...po,pof->...f", n - total[..., None] * p, X)
    square: Floats64 = np.einsum("...p,...po,pof,pog->...fg", total, p, X, X, optimize=True)
    return slope, square - np.einsum("...p,...pf,...pg->...fg", total, mean, mean)


def preference(ability: Floats64) -> Floats64:
    """Chance (..., contestants) of being preferred to one of the others at random, ties aside."""
    against = ability[..., :, None] - ability[..., None, :]
    chance: Floats64 = 1 / (1 + np.exp(-against))
    return (chance.sum(axis=-1) - 0.5) / (ability.shape[-1] - 1)


def _design(compared: Sequence[tuple[int, int]], contestants: int, ties: bool) -> Floats64:
    """What each outcome of each pair adds to the score: (pairs, outcomes, parameters)."""
    X = np.zeros((len(compared), 3 if ties else 2, contestants + ties))
    for pair, (i, j) in enumerate(compared):
        X[pair, WIN, i] = 1
        X[pair, LOSS, j] = 1
        if ties:
            X[pair, TIE, [i, j]] = 0.5
            X[pair, TIE, contestants] = 1
    return X
