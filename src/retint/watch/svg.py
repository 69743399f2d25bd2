"""Charts for a page: SVG that takes its colours from the page, light or dark."""

from collections.abc import Sequence
from html import escape
from itertools import chain

import numpy as np

from retint.axis import Axis
from retint.color import Floats
from retint.watch.runs import Panel, Run, label

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 10, 26  # margins around the plot
POINTS = 300  # a curve has at most about so many
STYLES = ("", "5 3", "1.5 3", "6 3 1.5 3")


def chart(panel: Panel, runs: Sequence[Run]) -> str:
    """A panel's curves over the steps; run k has the class `rk`, the line of a moment `now`.

    `data-from` and `data-to` on the element say which steps its left and right end are.
    """
    drawn = [
        (k, run.columns["step"], run.columns[measure], style)
        for k, run in enumerate(runs)
        for measure, style in zip(panel.measures, STYLES * len(panel.measures), strict=False)
        if measure in run.columns
    ]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    across = Axis.over(chain.from_iterable(x for _, x, _, _ in drawn), LEFT, right)
    ideal = [] if panel.ideal is None else [panel.ideal]
    heights = chain(ideal, *(y for _, _, y, _ in drawn))
    up = Axis.over(heights, bottom, TOP, room=0.05)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="chart" '
        f'data-from="{across.low:g}" data-to="{across.high:g}" aria-label="{_words(panel, runs)}">'
    ]
    for tick in up.ticks():
        y = up.place(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{y + 3.5:.1f}">{up.label(tick)}</text>')
    for tick in across.ticks():
        x = across.place(tick)
        parts.append(f'<text class="x" x="{x:.1f}" y="{HEIGHT - 8}">{across.label(tick)}</text>')
    if panel.ideal is not None:
        y = up.place(panel.ideal)
        parts.append(f'<path class="ideal" d="M{LEFT} {y:.1f}H{right}"/>')
    for k, run in enumerate(runs):
        for row, _ in run.stages[1:]:
            x = across.place(run.columns["step"][row - 1])
            parts.append(f'<path class="stage r{k}" d="M{x:.1f} {TOP}V{bottom}"/>')
    parts.append(f'<path class="now" d="M{right} {TOP}V{bottom}"/>')
    for k, x, y, style in drawn:
        line = _line(x, y, across, up)
        dash = f' stroke-dasharray="{style}"' if style else ""
        parts.append(f'<path class="curve r{k}"{dash} d="{line}"/>')
    return "".join([*parts, "</svg>"])


def _words(panel: Panel, runs: Sequence[Run]) -> str:
    """The chart for those who do not see it: where each curve ends."""
    ends = [
        f"{run.name}, {label(measure)}: {value:.4g} at the end"
        for run in runs
        for measure in panel.measures
        if (value := run.last(measure)) is not None
    ]
    return escape(f"{panel.title} over the steps. {'; '.join(ends)}.")


def _line(x: Floats, y: Floats, across: Axis, up: Axis) -> str:
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    points = [f"{across.place(float(x[i])):.1f} {up.place(float(y[i])):.1f}" for i in chosen]
    return "M" + "L".join(points) + ("h.01" if len(points) == 1 else "") if points else ""
