"""Small charts, one per contestant: how sure it may be, and which colours it misses."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any, cast

import numpy as np

from retint import color
from retint.axis import Axis
from retint.bench.page.judgement import Judgement, Plain, Row, number, table
from retint.metrics import BIN

SIDE = 260
LEFT, BOTTOM, TOP, RIGHT = 34, 30, 8, 10  # margins around the plot

LIGHTNESS = 65.0
"""L* at which the colours of the bins are shown."""


def calibration(judgement: Judgement) -> str:
    """How right each contestant was where it was so sure; empty where none says."""
    return "".join(_panel(row.name, _calibration(curve)) for row, curve in _with_curves(judgement))


def colours(judgement: Judgement) -> str:
    """AuC by the true colour, for each contestant that has it; empty without any."""
    panels: list[str] = []
    for row in judgement.rows:
        grid = row.set_figures.get("auc_by_bin")
        if isinstance(grid, list) and row.kind != "shuffled":
            panels.append(_panel(row.name, _colours(cast(Sequence[Sequence[Any]], grid))))
    return "".join(panels)


def _with_curves(judgement: Judgement) -> list[tuple[Row, Plain]]:
    curves = [(row, table(row.set_figures, "calibration")) for row in judgement.rows]
    return [(row, curve) for row, curve in curves if curve.get("confidence")]


def _panel(name: str, chart: str) -> str:
    return f"<figure><figcaption>{escape(name)}</figcaption>{chart}</figure>"


def _calibration(curve: Plain) -> str:
    """The reliability curve: a dot per bin of confidence, the larger the more pixels are in it."""
    columns = [
        [number(v) for v in curve.get(key, [])] for key in ("confidence", "nearness", "share")
    ]
    dots = [dot for dot in zip(*columns, strict=False) if all(map(math.isfinite, dot))]
    x, y = Axis(0, 1, LEFT, SIDE - RIGHT), Axis(0, 1, SIDE - BOTTOM, TOP)
    said = "; ".join(f"confidence {c:.2f}: {near:.2f} right" for c, near, _ in dots)
    line = "L".join(f"{x.place(sure):.1f} {y.place(near):.1f}" for sure, near, _ in dots)
    line = line and f"M{line}"
    parts = [
        *_frame(f"Reliability curve. {said}.", x, y, (0, 0.5, 1), "confidence", "how right"),
        f'<path class="ideal" d="M{x.start} {y.start}L{x.end} {y.end}"/>',
        f'<path class="curve" d="{line}"/>',
    ]
    for sure, near, share in dots:
        radius = 1.5 + 9 * math.sqrt(share)
        parts.append(
            f'<circle cx="{x.place(sure):.1f}" cy="{y.place(near):.1f}" r="{radius:.1f}">'
            f"<title>confidence {sure:.2f}, how right {near:.2f}, {share:.1%} of the pixels"
            "</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def _colours(grid: Sequence[Sequence[Any]]) -> str:
    """The ab plane: each colour of the set a square, the fuller the better it is met."""
    reach = len(grid) // 2 * BIN
    there = [
        ((i - len(grid) // 2) * BIN, (j - len(grid) // 2) * BIN, number(auc))
        for i, line in enumerate(grid)
        for j, auc in enumerate(line)
        if math.isfinite(number(auc))
    ]
    reach = max((max(abs(a), abs(b)) for a, b, _ in there), default=reach) + BIN
    x, y = Axis(-reach, reach, LEFT, SIDE - RIGHT), Axis(-reach, reach, SIDE - BOTTOM, TOP)
    half = reach // (2 * BIN) * BIN
    worst = sorted(there, key=lambda one: one[2])[:3]
    said = "; ".join(f"a {a:+d}, b {b:+d}: {auc:.0f} %" for a, b, auc in worst)
    parts = _frame(
        f"AuC by true colour. The least met: {said}.", x, y, (-half, 0, half), "a*", "b*"
    )
    cell = x.place(BIN) - x.place(0)
    for a, b, auc in there:
        side = cell * max(0.12, auc / 100)
        lab = np.array([[LIGHTNESS, a, b]], dtype=np.float64)
        code = "".join(f"{round(255 * float(v)):02x}" for v in color.lab_to_srgb(lab)[0])
        parts.append(
            f'<rect x="{x.place(a) - side / 2:.1f}" y="{y.place(b) - side / 2:.1f}" '
            f'width="{side:.1f}" height="{side:.1f}" fill="#{code}">'
            f"<title>a* {a:+d}, b* {b:+d}: AuC {auc:.1f} %</title></rect>"
        )
    return "".join([*parts, "</svg>"])


def _frame(said: str, x: Axis, y: Axis, ticks: Sequence[float], across: str, up: str) -> list[str]:
    """The beginning of a chart: what it says in words, its grid, what its axes are."""
    parts = [
        f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" class="chart" aria-label="{escape(said)}">'
    ]
    for tick in ticks:
        h, v = x.place(tick), y.place(tick)
        parts.append(
            f'<path class="grid" d="M{h:.1f} {y.start}V{y.end}M{x.start} {v:.1f}H{x.end}"/>'
        )
        parts.append(f'<text class="x" x="{h:.1f}" y="{y.start + 13}">{tick:g}</text>')
        parts.append(f'<text class="y" x="{x.start - 5}" y="{v + 3.5:.1f}">{tick:g}</text>')
    parts.append(f'<text class="x" x="{(x.start + x.end) / 2}" y="{SIDE - 3}">{across}</text>')
    middle = (y.start + y.end) / 2
    parts.append(
        f'<text class="x" x="10" y="{middle}" transform="rotate(-90 10 {middle})">{up}</text>'
    )
    return parts
