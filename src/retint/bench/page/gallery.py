"""Which pictures of the set the page shows: an even spread, the best, the worst, the disputed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from retint.bench.page.judgement import Judgement, Row

DISPUTES = 8
"""Pairs of contestants shown where they differ most."""


@dataclass(frozen=True)
class Dispute:
    """Where one contestant is nearer to the truth than another by most, and the other way round.

    Numbers of pictures; None where it never is.
    """

    row: Row
    other: Row
    row_nearer: int | None
    other_nearer: int | None


@dataclass(frozen=True)
class Gallery:
    """Numbers of pictures in the set. best, worst: by contestant's name, the extreme first."""

    contact: Sequence[int]
    best: dict[str, list[int]]
    worst: dict[str, list[int]]
    disputes: Sequence[Dispute]

    @property
    def wanted(self) -> list[int]:
        """Every picture once, the ones that matter most first."""
        cases = [*self.worst.values(), *self.best.values()]
        disputed = [
            k for d in self.disputes for k in (d.row_nearer, d.other_nearer) if k is not None
        ]
        turns = zip_longest(self.contact, *cases, disputed)  # a turn takes one of each
        return list(dict.fromkeys(k for turn in turns for k in turn if k is not None))

    def of(self, shown: set[int]) -> "Gallery":
        """The same without pictures that are not shown."""

        def kept(numbers: Sequence[int]) -> list[int]:
            return [k for k in numbers if k in shown]

        def still(k: int | None) -> int | None:
            return k if k in shown else None

        disputes = [
            Dispute(d.row, d.other, still(d.row_nearer), still(d.other_nearer))
            for d in self.disputes
        ]
        return Gallery(
            kept(self.contact),
            {name: kept(numbers) for name, numbers in self.best.items()},
            {name: kept(numbers) for name, numbers in self.worst.items()},
            [d for d in disputes if (d.row_nearer, d.other_nearer) != (None, None)],
        )


def choose(judgement: Judgement, contact: int, extremes: int) -> Gallery:
    """So many evenly spread pictures, and so many best and worst ones of each contestant, by dE."""
    count = len(judgement.files)
    spread = [i * count // contact for i in range(contact)] if contact < count else range(count)
    orders = {row.name: order for row in judgement.contestants if (order := _from_best(row))}
    return Gallery(
        list(spread),
        {name: order[:extremes] for name, order in orders.items()},
        {
            name: order[::-1][: min(extremes, len(order) - extremes)]
            for name, order in orders.items()
        },
        _disputes([row for row in judgement.contestants if row.name in orders]),
    )


def _from_best(row: Row) -> list[int]:
    """Pictures by dE, without those it has none for."""
    errors = row.per_picture.get("delta_e", np.empty(0))
    return [int(k) for k in np.argsort(errors) if np.isfinite(errors[k])]


def _disputes(rows: Sequence[Row]) -> list[Dispute]:
    """Of the first contestant with each other one."""
    found: list[Dispute] = []
    for other in rows[1 : DISPUTES + 1]:
        less = rows[0].per_picture["delta_e"] - other.per_picture["delta_e"]
        there = np.flatnonzero(np.isfinite(less))
        if not len(there):
            continue
        low, high = int(there[less[there].argmin()]), int(there[less[there].argmax()])
        nearer = low if less[low] < 0 else None
        farther = high if less[high] > 0 else None
        if nearer is not None or farther is not None:
            found.append(Dispute(rows[0], other, nearer, farther))
    return found
