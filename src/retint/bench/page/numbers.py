"""The numbers that the page's charts are drawn from, as plain values."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from retint.bench.page.judgement import Judgement, Row
from retint.bench.page.measures import CHARTED, MEASURES
from retint.bench.page.pictures import Album
from retint.bench.report import VIVID
from retint.bench.statistics import Interval, differences

CROWD = 12
"""Rows above which the shuffled ones are left out of the charts."""


def numbers(judgement: Judgement, album: Album) -> dict[str, Any]:
    """Rows, the values of every picture, and each row's mean difference from each other one."""
    crowd = len(judgement.rows) > CROWD
    charted = [k for k, row in enumerate(judgement.rows) if not (crowd and row.kind == "shuffled")]
    rows = [judgement.rows[k] for k in charted]
    measures = [name for name in CHARTED if any(name in row.per_picture for row in rows)]
    return {
        "files": list(judgement.files),
        "rows": [_row(row) for row in judgement.rows],
        "charted": charted,
        "vivid": list(VIVID),
        "measures": {
            name: {key: value for key, value in asdict(MEASURES[name]).items() if key != "percent"}
            for name in measures
        },
        "values": {name: [_values(row, name) for row in rows] for name in measures},
        "differences": {name: _differences(rows, name) for name in measures},
        "confidence": album.confidence,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "vivid": _ends(row.figures.get("colourfulness_ratio")),
        "delta_e": _ends(row.figures.get("delta_e")),
    }


def _values(row: Row, measure: str) -> list[float | None] | None:
    values = row.per_picture.get(measure)
    return None if values is None else _finite(values.tolist(), 4)


def _differences(rows: list[Row], measure: str) -> list[list[list[float | None] | None]]:
    """[of][from]: value, low, high; None with itself and without a picture in common."""
    there = [k for k, row in enumerate(rows) if measure in row.per_picture]
    found: list[list[list[float | None] | None]] = [[None] * len(rows) for _ in rows]
    for k, line in zip(
        there, differences([rows[k].per_picture[measure] for k in there]), strict=True
    ):
        for other, less in zip(there, line, strict=True):
            if other != k and less.pictures:
                found[k][other] = _ends(less)
    return found


def _ends(found: Interval | None) -> list[float | None] | None:
    return None if found is None else _finite((found.value, found.low, found.high), 5)


def _finite(values: Iterable[float], digits: int) -> list[float | None]:
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values]
