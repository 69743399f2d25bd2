"""Charts for a page: SVG that takes its colours from the page, light or dark."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

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
    across = _range([x for _, x, _, _ in drawn])
    ideal = [] if panel.ideal is None else [np.array([panel.ideal])]
    up = _widened(_range([*(y for _, _, y, _ in drawn), *ideal]))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="chart" '
        f'data-from="{across[0]:g}" data-to="{across[1]:g}" aria-label="{_words(panel, runs)}">'
    ]
    rises = _ticks(*up)
    digits = max(0, -math.floor(math.log10(rises[1] - rises[0]) + 1e-9))
    for tick in rises:
        y = _place(tick, up, bottom, TOP)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{y + 3.5:.1f}">{tick:.{digits}f}</text>')
    for tick in _ticks(*across):
        x = _place(tick, across, LEFT, right)
        parts.append(f'<text class="x" x="{x:.1f}" y="{HEIGHT - 8}">{_short(tick)}</text>')
    if panel.ideal is not None:
        y = _place(panel.ideal, up, bottom, TOP)
        parts.append(f'<path class="ideal" d="M{LEFT} {y:.1f}H{right}"/>')
    for k, run in enumerate(runs):
        for row, _ in run.stages[1:]:
            x = _place(run.columns["step"][row - 1], across, LEFT, right)
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


def _line(x: Floats, y: Floats, across: tuple[float, float], up: tuple[float, float]) -> str:
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    points = [
        f"{_place(float(x[i]), across, LEFT, WIDTH - RIGHT):.1f} "
        f"{_place(float(y[i]), up, HEIGHT - BOTTOM, TOP):.1f}"
        for i in chosen
    ]
    return "M" + "L".join(points) + ("h.01" if len(points) == 1 else "") if points else ""


def _place(value: float, limits: tuple[float, float], low: float, high: float) -> float:
    return low + (high - low) * (value - limits[0]) / (limits[1] - limits[0])


def _range(values: Sequence[Floats]) -> tuple[float, float]:
    """Smallest and greatest finite value; they always differ."""
    every = np.concatenate([*values, np.empty(0)])
    every = every[np.isfinite(every)]
    if not len(every):
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _widened(limits: tuple[float, float]) -> tuple[float, float]:
    room = 0.05 * (limits[1] - limits[0])
    return limits[0] - room, limits[1] + room


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers."""
    rough = (high - low) / 4.5
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
    return [round(i * step, 12) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _short(value: float) -> str:
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
