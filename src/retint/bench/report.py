"""What an evaluation says: figures with their intervals, ranks and ties, a verdict on each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from retint import metrics
from retint.bench import statistics
from retint.bench.evaluate import Evaluation
from retint.bench.statistics import Difference, Interval
from retint.bench.survey import Column, Survey
from retint.bench.tally import Row

SCHEMA = 2
"""Of the JSON. The first had no per-picture gaps, and plain numbers for some figures."""

VIVID = (0.7, 1.2)
"""The bar: colourfulness of a contestant over that of the truth."""

COMPETING = ("model", "folder")
"""Kinds of rows that are judged; the others are what they are judged against."""

NOTES = (
    "rank: one more than the number of contestants whose mean dE is lower beyond doubt (paired "
    "bootstrap over pictures, 95 %). dE: CIEDE2000, mean over pixels, then pictures; shuffled: "
    "that of the contestant's own colours of another picture. vivid: colourfulness (Hasler & "
    "Suesstrunk, signed) over the truth's. cast: mean error of a*, b*. AuC: Zhang et al. 2016, "
    "thresholds 0..150; the prior of the rebalanced one is the set's own. bleeding: share of "
    "the colour's change across edges of lightness that is not at the edge, 1 for grey. palette: "
    "distance between the ab histograms of all colourings and all truths, 0..1. dL: mean |dL*|; "
    "8 bits cost about 0.1. ms: thumbnail, network and fit, median, while judging."
)


Apart: TypeAlias = Mapping[tuple[str, str], Difference]
"""How far the dE of the one row lies above that of the other, by their names."""


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Everything about the set, its rows and the verdicts, as plain values for JSON."""
    about, rows = evaluation.survey, evaluation.rows
    apart = _apart(rows)
    return {
        "schema": SCHEMA,
        "set": {
            "name": evaluation.pictures.name,
            "frozen": evaluation.pictures.frozen,
            "pictures": len(about.files),
            "of": len(evaluation.pictures.files) + len(evaluation.pictures.others),
            "sha256": about.sha256,
            "left_out": about.left_out,
            "true_colourfulness": float(about.figures["colourfulness"].mean()),
            "true": {name: _mean(column) for name, column in about.figures.items()},
            "mean_ab": list(evaluation.mean_ab),
            "mean_ab_of": evaluation.mean_ab_of,
            "histogram": about.histogram.tolist(),
            "files": about.files,
        },
        "rows": [_row(row, evaluation, apart) for row in rows],
        "ties": [
            sorted((row.name, other.name))
            for row, other in combinations(rows, 2)
            if (less := apart[row.name, other.name]).pictures and not (less.below or less.above)
        ],
        "failed": evaluation.failed,
        "verdicts": {row.name: _verdict(row, evaluation, apart) for row in _competing(rows)},
        "judges": evaluation.notes,
        "notes": NOTES,
    }


def passed(verdict: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every line of a contestant's verdict holds."""
    return all(line["holds"] for line in verdict)


def _row(row: Row, evaluation: Evaluation, apart: Apart) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": row.name,
        "kind": row.kind,
        "model": row.model,
        "pictures": len(evaluation.survey.files) - len(row.left_out),
        "left_out": row.left_out,
        "extra": row.extra,
        "figures": _figures(row, evaluation.survey),
        "set_figures": _set_figures(row, evaluation.survey) | row.judged,
        "per_picture": {name: _plain(column) for name, column in row.figures.items()},
    }
    if row.kind in COMPETING:
        if found["pictures"] >= statistics.FEWEST:  # or none would ever be surely better
            others = _competing(evaluation.rows)
            found["rank"] = 1 + sum(apart[other.name, row.name].below for other in others)
        found["no_better_than"] = [
            other.kind
            for other in _baselines(row, evaluation.rows)
            if not apart[row.name, other.name].below
        ]
    return found


def _figures(row: Row, about: Survey) -> dict[str, Any]:
    """Means over the pictures that have a value, and the ratios that only a set has."""
    columns = {name: column for name, column in row.figures.items() if name != "ms"}
    intervals = {
        name: statistics.mean(column)
        for name, column in columns.items()
        if np.isfinite(column).any()
    }
    if "delta_e" in columns:
        for name in ("colourfulness", "chroma"):
            intervals[f"{name}_ratio"] = statistics.ratio_of_means(
                columns[name], about.figures[name]
            )
        area = statistics.ratio_of_means(row.area, about.weight)
        intervals["auc_rebalanced"] = Interval(
            *(100 * v for v in (area.value, area.low, area.high))
        )
    figures: dict[str, Any] = {name: asdict(interval) for name, interval in intervals.items()}
    if "ms" in row.figures:
        figures["ms_median"] = float(np.nanmedian(row.figures["ms"]))
    return figures


def _set_figures(row: Row, about: Survey) -> dict[str, Any]:
    """What the pixels of all pictures give together."""
    right, number = row.by_bin
    if not number.any():
        return {}
    with np.errstate(invalid="ignore"):
        by_bin = 100 * right / number
    found: dict[str, Any] = {
        "auc_raw": 100 * float(right.sum() / number.sum()),
        "auc_rebalanced": metrics.pooled_auc(row.by_bin, about.weights),
        "auc_by_bin": [_plain(line) for line in by_bin],
        "ab_distance": metrics.ab_distance(row.colours, number),
        "non_identical_max": float(np.nanmax(row.figures["non_identical"])),
    }
    if row.calibration is not None:
        curve = {name: _plain(v) for name, v in row.calibration.reliability()._asdict().items()}
        found["calibration"] = curve | {"calibration_error": row.calibration.compute()}
    return found


def _verdict(row: Row, evaluation: Evaluation, apart: Apart) -> list[dict[str, Any]]:
    """The bar: dE below each baseline's beyond doubt, and colours as vivid as the truth's."""
    lines: list[dict[str, Any]] = []
    for other in _baselines(row, evaluation.rows):
        less = apart[row.name, other.name]
        word = "below" if less.below else "above" if less.above else "not to be told from"
        lines.append(
            {
                "against": other.kind,
                "difference": _finite(asdict(less)),
                "holds": less.below,
                "says": f"dE is {word} that of {other.name} ({_told(less)})",
            }
        )
    if "colourfulness" not in row.figures:
        return lines
    true = evaluation.survey.figures["colourfulness"]
    ratio = statistics.ratio_of_means(row.figures["colourfulness"], true)
    low, high = VIVID
    lines.append(
        {
            "against": "true colourfulness",
            "ratio": asdict(ratio),
            "holds": low <= ratio.value <= high,
            "says": f"colourfulness is {ratio.value:.2f} of the truth's "
            f"(95 % {ratio.low:.2f}..{ratio.high:.2f}; the bar is {low}..{high})",
        }
    )
    return lines


def _competing(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.kind in COMPETING]


def _baselines(row: Row, rows: Sequence[Row]) -> list[Row]:
    """What a row has to beat: grey, the mean colour, and its own colours shuffled."""
    others = (other for other in rows if other.kind not in COMPETING)
    return [other for other in others if other.model in ("", row.model)]


def _apart(rows: Sequence[Row]) -> Apart:
    columns = [row.figures.get("delta_e", np.full(len(row.area), np.nan)) for row in rows]
    lines = statistics.differences(columns)
    return {
        (row.name, other.name): less
        for row, line in zip(rows, lines, strict=True)
        for other, less in zip(rows, line, strict=True)
    }


def _told(less: Difference) -> str:
    if less.pictures == 0:
        return "no picture in common"
    few = f"; {less.pictures} pictures are too few" if less.pictures < statistics.FEWEST else ""
    return f"{less.value:+.2f}, 95 % {less.low:+.2f}..{less.high:+.2f}{few}"


def _mean(column: Column) -> float | None:
    return float(np.nanmean(column)) if np.isfinite(column).any() else None


def _plain(column: Column) -> list[float | None]:
    """For JSON, which knows no nan: six digits are more than was measured."""
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in column.tolist()]


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v if math.isfinite(v) else None for k, v in values.items()}
