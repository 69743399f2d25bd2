"""What an evaluation says: figures with their intervals, a verdict against the bar, a table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from retint import metrics
from retint.bench import statistics
from retint.bench.evaluate import Evaluation, Row

VIVID = (0.7, 1.2)
"""The bar: colourfulness of a model over that of the truth."""

NOTES = (
    "dE: mean CIEDE2000. colourfulness: Hasler & Suesstrunk, signed; its ratio is to the truth's."
    " bias: mean error of a*, b*. AuC: Zhang et al. 2016, thresholds 0..150; the prior of the"
    " rebalanced one is the set's own. ms: thumbnail, network and fit."
)


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Everything about the set, its rows and the verdicts, as plain values for JSON."""
    return {
        "set": {
            "pictures": len(evaluation.files),
            "sha256": evaluation.sha256,
            "left_out": evaluation.left_out,
            "true_colourfulness": float(evaluation.true_colourfulness.mean()),
            "mean_ab": list(evaluation.mean_ab),
            "mean_ab_of": evaluation.mean_ab_of,
            "files": evaluation.files,
        },
        "rows": [_row(row, evaluation) for row in evaluation.rows],
        "verdicts": {
            row.model: _verdict(row, evaluation) for row in evaluation.rows if row.kind == "model"
        },
        "notes": NOTES,
    }


def passed(verdict: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every line of a model's verdict holds."""
    return all(line["holds"] for line in verdict)


def table(summary: Mapping[str, Any]) -> str:
    """The summary's rows and verdicts as Markdown, which a terminal shows as well as a page."""
    about = summary["set"]
    header = ["", "dE", "PSNR", "colourfulness", "ratio", "bias a", "bias b"]
    header += ["AuC rebal.", "AuC raw", "ms"]
    lines = [header]
    for row in summary["rows"]:
        figures = row["figures"]
        lines.append(
            [
                row["name"],
                f"{figures['delta_e']['value']:.2f}",
                f"{figures['psnr']['value']:.2f}",
                f"{figures['colourfulness']['value']:.1f}",
                f"{figures['colourfulness_ratio']['value']:.2f}",
                f"{figures['bias_a']['value']:+.1f}",
                f"{figures['bias_b']['value']:+.1f}",
                f"{figures['auc_rebalanced']:.2f}",
                f"{figures['auc']['value']:.2f}",
                f"{figures['ms_median']:.0f}" if "ms_median" in figures else "",
            ]
        )
    a, b = about["mean_ab"]
    said = [
        f"{about['pictures']} pictures, {len(about['left_out'])} left out, true colourfulness "
        f"{about['true_colourfulness']:.1f}; mean colour ({a:.1f}, {b:.1f}) of "
        f"{about['mean_ab_of']}.",
        *(f"Left out: {reason}." for reason in about["left_out"].values()),
        summary["notes"],
    ]
    verdicts = [
        f"- {'yes' if line['holds'] else 'NO '}: {name}: {line['says']}"
        for name, verdict in summary["verdicts"].items()
        for line in verdict
    ]
    return "\n".join([*_aligned(lines), "", *verdicts, "", *said])


def film_table(found: Mapping[str, Any]) -> str:
    """What `film.look` found, as Markdown."""
    lines = [["", "colourfulness", "left grey", "mean a", "mean b"]]
    for name, model in found["film"].items():
        figures = model["figures"]
        lines.append(
            [
                name,
                f"{figures['colourfulness']:.1f}",
                f"{figures['left_grey']:.0%}",
                f"{figures['mean_a']:+.1f}",
                f"{figures['mean_b']:+.1f}",
            ]
        )
    said = [
        f"{len(found['files'])} photographs, {len(found['left_out'])} left out. Left grey: share"
    ]
    said[0] += " of pixels with a chroma below 5."
    said += [f"Left out: {reason}." for reason in found["left_out"].values()]
    return "\n".join([*_aligned(lines), "", *said])


def _row(row: Row, evaluation: Evaluation) -> dict[str, Any]:
    figures: dict[str, Any] = {
        name: asdict(statistics.mean(values))
        for name, values in row.figures.items()
        if name != "ms"
    }
    ratio = statistics.ratio_of_means(row.figures["colourfulness"], evaluation.true_colourfulness)
    figures["colourfulness_ratio"] = asdict(ratio)
    figures["auc_rebalanced"] = metrics.pooled_auc(
        row.by_bin, metrics.class_weights(evaluation.histogram)
    )
    if "ms" in row.figures:
        figures["ms_median"] = float(np.median(row.figures["ms"]))
    per_picture = {name: np.round(values, 4).tolist() for name, values in row.figures.items()}
    return {
        "name": row.name,
        "kind": row.kind,
        "model": row.model,
        "figures": figures,
        "per_picture": per_picture,
    }


def _verdict(row: Row, evaluation: Evaluation) -> list[dict[str, Any]]:
    """The bar: dE below each baseline's beyond doubt, and colours as vivid as the truth's."""
    lines: list[dict[str, Any]] = []
    for other in evaluation.rows:
        if other.kind == "model" or other.model not in ("", row.model):
            continue
        less = statistics.mean(row.figures["delta_e"] - other.figures["delta_e"])
        if less.high < 0:
            word = "below"
        elif less.low > 0:
            word = "above"
        else:
            word = "not to be told from"
        lines.append(
            {
                "against": other.kind,
                "difference": asdict(less),
                "holds": less.high < 0,
                "says": f"dE is {word} that of {other.name} "
                f"({less.value:+.2f}, 95 % {less.low:+.2f}..{less.high:+.2f})",
            }
        )
    ratio = statistics.ratio_of_means(row.figures["colourfulness"], evaluation.true_colourfulness)
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


def _aligned(lines: list[list[str]]) -> list[str]:
    """A Markdown table whose columns also line up where nothing renders it."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def text(line: list[str]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return f"| {' | '.join(cells)} |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return [text(lines[0]), text(rule), *map(text, lines[1:])]
