"""A judgement as its page needs it: read from the JSON, whatever of it is there."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from retint.bench import statistics
from retint.bench.statistics import Interval

Values: TypeAlias = NDArray[np.float64]
Plain: TypeAlias = Mapping[str, Any]

BASELINES = ("grey", "mean colour", "shuffled")


@dataclass(frozen=True)
class Row:
    """A contestant and what was found of it.

    figures: of the set; where no interval is known its ends are nan. per_picture: in the order of
    the set's files, nan where there was no usable picture.
    """

    name: str
    kind: str = "model"
    model: str = ""
    figures: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    per_picture: Mapping[str, Values] = field(default_factory=dict[str, Values])
    set_figures: Plain = field(default_factory=dict[str, Any])
    cost: Plain = field(default_factory=dict[str, Any])
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    no_better_than: Sequence[str] = ()
    rank: int | None = None
    extra: Sequence[str] = ()

    def value(self, measure: str) -> float:
        """A figure of the set; nan where it is not known."""
        return self.figures[measure].value if measure in self.figures else math.nan


@dataclass(frozen=True)
class Judgement:
    """What was judged. rows: the smallest mean dE first."""

    found: Plain
    files: Sequence[str]
    rows: Sequence[Row]

    @classmethod
    def of(cls, found: Plain) -> "Judgement":
        """Read the JSON of `retint bench`, of any schema."""
        files = [str(name) for name in table(found, "set").get("files", [])]
        verdicts = table(found, "verdicts")
        rows = [_row(plain, verdicts, len(files)) for plain in found.get("rows", [])]
        rows.sort(key=lambda row: (math.isnan(row.value("delta_e")), row.value("delta_e")))
        return cls(found, files, rows)

    @property
    def about(self) -> Plain:
        """The set."""
        return table(self.found, "set")

    @property
    def contestants(self) -> list[Row]:
        """Rows that are no baseline."""
        return [row for row in self.rows if row.kind not in BASELINES]

    @cached_property
    def ties(self) -> set[frozenset[str]]:
        """Pairs of rows whose dE cannot be told apart: as the JSON says, or found again."""
        if "ties" in self.found:
            return {frozenset(map(str, pair)) for pair in self.found["ties"]}
        rows = [row for row in self.rows if "delta_e" in row.per_picture]
        apart = statistics.differences([row.per_picture["delta_e"] for row in rows])
        return {
            frozenset((row.name, other.name))
            for row, line in zip(rows, apart, strict=True)
            for other, less in zip(rows, line, strict=True)
            if row is not other and less.pictures and not (less.below or less.above)
        }

    @cached_property
    def groups(self) -> list[list[Row]]:
        """Rows that cannot be told from one another, as few groups as say it all, best first.

        A row may be in several; the shuffled ones are in none. The compact letter display of
        Piepho, "An algorithm for a letter-based representation of all-pairwise comparisons", 2004.
        """
        rows = [row for row in self.rows if row.kind != "shuffled"]
        columns = [frozenset(range(len(rows)))]
        for i, row in enumerate(rows):
            for j in range(i + 1, len(rows)):
                if frozenset((row.name, rows[j].name)) not in self.ties:
                    split = (c - {k} if {i, j} <= c else c for c in columns for k in (i, j))
                    columns = _largest(split)
        return [[rows[k] for k in sorted(column)] for column in sorted(columns, key=sorted)]


def film_figures(plain: Plain) -> dict[str, Interval]:
    """What was found of a contestant on film: with ranges where the JSON has them."""
    both = {**table(plain, "figures"), **table(plain, "intervals")}
    found = {name: _interval(value) for name, value in both.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def table(plain: Plain, name: str) -> Plain:
    """A table within a table; empty where there is none."""
    found = plain.get(name)
    return cast(Plain, found) if isinstance(found, Mapping) else {}


def number(value: object) -> float:
    """A plain number, or nan."""
    return float(value) if isinstance(value, int | float) else math.nan


def _largest(columns: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """Without those that lie within another."""
    kept: list[frozenset[int]] = []
    for column in sorted(set(columns), key=len, reverse=True):
        if not any(column <= other for other in kept):
            kept.append(column)
    return kept


def _row(plain: Plain, verdicts: Plain, count: int) -> Row:
    name = str(plain.get("name", ""))
    no_better = plain.get("no_better_than")
    if no_better is None:  # the first schema has verdicts alone
        lines = cast(Sequence[Plain], verdicts.get(name, ()))
        no_better = [
            line["against"]
            for line in lines
            if line.get("against") in BASELINES and not line.get("holds")
        ]
    per_picture = {
        measure: np.array([number(value) for value in values], dtype=np.float64)
        for measure, values in table(plain, "per_picture").items()
    }
    return Row(
        name=name,
        kind=str(plain.get("kind", "model")),
        model=str(plain.get("model", "")),
        figures={
            measure: interval
            for found in (_flat(table(plain, "set_figures")), table(plain, "figures"))
            for measure, value in found.items()
            if (interval := _interval(value)) is not None
        },
        per_picture={m: values for m, values in per_picture.items() if len(values) == count},
        set_figures=table(plain, "set_figures"),
        cost=table(plain, "cost"),
        left_out={str(file): str(why) for file, why in table(plain, "left_out").items()},
        no_better_than=[str(other) for other in no_better],
        rank=plain["rank"] if isinstance(plain.get("rank"), int) else None,
        extra=[str(file) for file in plain.get("extra", ())],
    )


def _flat(plain: Plain) -> dict[str, Any]:
    """Figures of a set, and those that a judge found, side by side."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping) and "value" not in value:
            flat |= {f"{name}, {k}" if k in flat else k: v for k, v in table(plain, name).items()}
        else:
            flat[name] = value
    return flat


def _interval(value: object) -> Interval | None:
    """Of a plain number or {value, low, high}; None for anything else, and where there is none."""
    if isinstance(value, Mapping):
        plain = cast(Plain, value)
        found = Interval(*(number(plain.get(end)) for end in ("value", "low", "high")))
    else:
        found = Interval(number(value), math.nan, math.nan)
    return found if math.isfinite(found.value) else None
