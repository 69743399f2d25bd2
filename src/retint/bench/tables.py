"""What a judgement says, as Markdown, which a terminal shows as well as a page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from retint.bench import alternatives, hints
from retint.bench.report import COMPETING

Plain: TypeAlias = Mapping[str, Any]

NAMED = 3
"""Most files, of those that one contestant left out, that are named; the JSON has all."""

KEPT = 0.5
"""Mean |dL*| up to which a folder's colourings count as having kept the lightness: that of JPEG."""

WORDY = 4
"""Contestants above which only the verdicts that do not hold are told; the JSON has all."""

TIES = 12
"""Most pairs that cannot be told apart that are named; the JSON has all."""

OWN = (
    "delta_e", "delta_e_p95", "psnr", "psnr_ab", "ssim", "mse_lab128", "non_identical",
    "argmax_accuracy", "auc", "auc_rebalanced", "colourfulness", "colourfulness_absolute",
    "colourfulness_ratio", "delta_colourfulness", "chroma", "chroma_ratio", "bias_a", "bias_b",
    "bleeding", "delta_L", "calibration_error", "sparsification_error", "ms_median",
)  # fmt: skip
"""Figures that every judgement has; those of extra judges are in a table of their own."""


def table(found: Plain) -> str:
    """The summary of `report.summary`: who is best, who cannot be told apart, what was left out."""
    rows = sorted(found["rows"], key=_place)
    parts = [
        aligned(_figures(rows)),
        aligned(_others(rows)),
        aligned(_hints(rows)),
        aligned(_alternatives(rows)),
        "\n".join(_ties(found)),
        "\n".join(_verdicts(found)),
        aligned(_cost(found)),
        "\n".join(_said(found)),
    ]
    return "\n\n".join(part for part in parts if part)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up where nothing renders it; "" for no rows."""
    if len(lines) < 2:
        return ""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def text(line: Sequence[str]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return f"| {' | '.join(cells)} |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return "\n".join([text(lines[0]), text(rule), *map(text, lines[1:])])


def _place(row: Plain) -> tuple[float, float]:
    delta_e = row["figures"].get("delta_e", {"value": float("inf")})["value"]
    return delta_e, row.get("rank", 0)


def _figures(rows: Iterable[Plain]) -> list[list[str]]:
    header = [
        "",
        "rank",
        "dE",
        "95 %",
        "dE p95",
        "shuffled",
        "PSNR",
        "SSIM",
        "AuC rebal.",
        "AuC raw",
    ]
    header += ["vivid", "cast a, b", "bleeding", "palette", "dL", "ms", "no better than"]
    rows = list(rows)
    shuffled = {row["model"]: row["figures"] for row in rows if row["kind"] == "shuffled"}
    return [header] + [_line(row, shuffled) for row in rows if row["kind"] != "shuffled"]


def _line(row: Plain, shuffled: Mapping[str, Plain]) -> list[str]:
    figures, whole = row["figures"], row["set_figures"]
    delta_e: Plain = figures.get("delta_e", {})
    own: Plain = shuffled.get(row["model"], {}) if row["kind"] in COMPETING else {}
    bias = [_number(figures, name, "+.1f") for name in ("bias_a", "bias_b")]
    few = f" ({row['pictures']})" if row["left_out"] and row["kind"] in COMPETING else ""
    return [
        row["name"] + few,
        str(row.get("rank", "")),
        _number(figures, "delta_e", ".2f"),
        f"{delta_e['low']:.2f}..{delta_e['high']:.2f}" if delta_e else "",
        _number(figures, "delta_e_p95", ".1f"),
        _number(own, "delta_e", ".2f"),
        _number(figures, "psnr", ".2f"),
        _number(figures, "ssim", ".3f"),
        _number(figures, "auc_rebalanced", ".2f"),
        _number(whole, "auc_raw", ".2f"),
        _number(figures, "colourfulness_ratio", ".2f"),
        ", ".join(filter(None, bias)),
        _number(figures, "bleeding", ".3f"),
        _number(whole, "ab_distance", ".2f"),
        _number(figures, "delta_L", ".2f"),
        _number(figures, "ms_median", ".0f"),
        ", ".join(word.removesuffix(" colour") for word in row.get("no_better_than", [])),
    ]


def _number(figures: Plain, name: str, form: str) -> str:
    """A figure, plain or with its interval; "" where there is none."""
    value = figures.get(name)
    if isinstance(value, Mapping):
        value = cast(Plain, value)["value"]
    return "" if value is None else format(value, form)


def _others(rows: Iterable[Plain]) -> list[list[str]]:
    """What the extra judges found: means over pictures, and one figure of a set each."""
    rows = [row for row in rows if row["kind"] != "shuffled"]
    shown = {*OWN, *hints.FIGURES, *alternatives.FIGURES}
    means = dict.fromkeys(name for row in rows for name in row["figures"] if name not in shown)
    whole = dict.fromkeys(
        judge
        for row in rows
        for judge, says in row["set_figures"].items()
        if isinstance(says, Mapping) and isinstance(cast(Plain, says).get(judge), float)
    )
    if not means and not whole:
        return []
    return [["", *means, *whole]] + [
        [
            row["name"],
            *(_number(row["figures"], name, ".3f") for name in means),
            *(_number(row["set_figures"].get(name, {}), name, ".3f") for name in whole),
        ]
        for row in rows
    ]


def _hints(rows: Iterable[Plain]) -> list[list[str]]:
    """What true colours in a few places bring, and where a false one goes."""
    told = [row for row in rows if "hints_psnr" in row["figures"]]
    if not told:
        return []
    many = f"{told[0]['set_figures']['hints']['count']} hints"
    header = ["", "PSNR", "1 hint", many, "rise, 95 %", "dE", "1 hint", many, "fall, 95 %"]
    lines = [[*header, "followed", "near", "far", "kept"]]
    for row in told:
        figures = row["figures"]
        measured = [row["name"]]
        for name, change in (("psnr", "rise"), ("delta_e", "fall")):
            measured += [
                _number(figures, key, ".2f") for key in (name, f"hint_{name}", f"hints_{name}")
            ]
            measured.append(_range(figures, f"hints_{name}_{change}", "+.2f"))
        lost = [_number(figures, f"hint_{name}", ".0%") for name in ("followed", "near", "far")]
        lines.append([*measured, *lost, _number(figures, "hint_kept", ".0%")])
    return lines


def _alternatives(rows: Iterable[Plain]) -> list[list[str]]:
    """How far a model's answers are apart, whether where it is unsure, and what the best is."""
    told = [row for row in rows if "alternatives_apart" in row["figures"]]
    if not told:
        return []
    lines = [["", "alternatives", "apart", "unsure, 95 %", "dE", "best dE", "fall, 95 %", "even"]]
    return lines + [
        [
            row["name"],
            str(row["set_figures"]["alternatives"]["count"]),
            _number(row["figures"], "alternatives_apart", ".1f"),
            _range(row["figures"], "alternatives_unsure", "+.2f"),
            _number(row["figures"], "delta_e", ".2f"),
            _number(row["figures"], "alternatives_delta_e", ".2f"),
            _range(row["figures"], "alternatives_delta_e_fall", "+.2f"),
            _number(row["figures"], "alternatives_even_fall", "+.2f"),
        ]
        for row in told
    ]


def _range(figures: Plain, name: str, form: str) -> str:
    """A figure with its interval; "" where there is none."""
    if name not in figures:
        return ""
    value, low, high = (format(figures[name][key], form) for key in ("value", "low", "high"))
    return f"{value} ({low}..{high})"


def _ties(found: Plain) -> list[str]:
    """Which contestants cannot be told apart."""
    competing = {row["name"]: _place(row) for row in found["rows"] if row["kind"] in COMPETING}
    pairs = [pair for pair in found["ties"] if set(pair) <= competing.keys()]
    pairs.sort(key=lambda pair: sorted(competing[name] for name in pair))
    lines = [
        f"- not to be told apart by dE: {' and '.join(sorted(pair, key=competing.__getitem__))}"
        for pair in pairs[:TIES]
    ]
    if len(pairs) > TIES:
        lines.append(f"- and {len(pairs) - TIES} more pairs")
    return lines


def _verdicts(found: Plain) -> list[str]:
    verdicts = found["verdicts"]
    return [
        f"- {'yes' if line['holds'] else 'NO '}: {name}: {line['says']}"
        for name, verdict in verdicts.items()
        for line in verdict
        if len(verdicts) <= WORDY or not line["holds"]
    ]


def _cost(found: Plain) -> list[list[str]]:
    """What each model costs, beside libvips decoding and encoding the same picture."""
    costs = [(row["name"], row["cost"]) for row in found["rows"] if "cost" in row]
    if not costs:
        return []
    header = ["", "device", "parameters", "MB", "network ms", "ms", "megapixels/s", "peak MB"]
    costs.append(("libvips", found["libvips"]))
    return [header] + [
        [
            name,
            cost.get("device", "cpu"),
            _number(cost, "parameters", ",d"),
            _number(cost, "megabytes", ".1f"),
            _number(cost, "network_ms", ".0f"),
            _number(cost, "ms", ".0f"),
            _number(cost, "megapixels_per_second", ".1f"),
            _number(cost, "peak_mb", ".0f"),
        ]
        for name, cost in costs
    ]


def _said(found: Plain) -> list[str]:
    about = found["set"]
    a, b = about["mean_ab"]
    said = [
        f"{about['name']}{', frozen' if about['frozen'] else ''}: {about['pictures']} of "
        f"{about['of']} pictures, "
        f"{len(about['left_out'])} left out, true colourfulness {about['true_colourfulness']:.1f}; "
        f"mean colour ({a:.1f}, {b:.1f}) of {about['mean_ab_of']}."
    ]
    said += [f"Left out: {reason}." for reason in about["left_out"].values()]
    said += [f"Left out altogether: {name}: {why}." for name, why in found["failed"].items()]
    for row in found["rows"]:
        if row["left_out"] and row["kind"] in COMPETING:
            reasons = list(row["left_out"].values())
            more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
            said.append(
                f"{row['name']}: {row['pictures']} of {about['pictures']} pictures; without "
                f"{'; '.join(reasons[:NAMED])}{more}."
            )
        moved = row["figures"].get("delta_L", {"value": 0.0})["value"]
        if row["kind"] == "folder" and moved > KEPT:
            said.append(f"{row['name']}: lightness was not kept: mean |dL*| {moved:.2f}.")
        for says in row["set_figures"].values():
            if isinstance(says, Mapping) and "without" in says:
                said.append(f"{row['name']} {cast(Plain, says)['without']}.")
        if row["extra"]:
            some = ", ".join(row["extra"][:NAMED]) + (", ..." if len(row["extra"]) > NAMED else "")
            said.append(
                f"{row['name']}: {len(row['extra'])} files of no picture of the set: {some}."
            )
    if cost := found.get("libvips"):
        said.append(f"Cost: {cost['what']}; libvips decodes it and encodes an RGB JPEG.")
    return [*said, *found["judges"], found["notes"]]
