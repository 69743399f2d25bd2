"""Curves of trainings in one picture, drawn by matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retint.errors import OptionsError, OutputError
from retint.watch.runs import AXES, Panel, Run, label, panels, smoothed

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")
"""Okabe & Ito 2008: told apart by colour-blind readers; in grey the marks tell them apart."""

MARKS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("-", "--", ":", "-.")
SUFFIXES = (".png", ".svg", ".pdf")
INK, QUIET = "#222222", "#767676"


def draw(
    runs: Sequence[Run],
    target: Path,
    *,
    measures: Sequence[str] = (),
    axis: str = "step",
    log: bool = False,
    smooth: float = 0.0,
) -> Path:
    """Write the curves of one or many trainings to `target` (.png, .svg or .pdf).

    measures: names of columns; none for all that `runs.PANELS` knows. axis: one of `runs.AXES`.
    log: losses on a logarithmic scale. smooth: weight of the moving average, 0 to below 1; the
    measured values stay behind it. Raises OptionsError for what the logs do not have and without
    matplotlib, OutputError where `target` cannot be written.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise OptionsError(f"{target}: curves are drawn as {', '.join(SUFFIXES)}")
    if not 0 <= smooth < 1:
        raise OptionsError(f"smooth is {smooth}, not in 0..1 (1 left out)")
    drawn = panels(runs, measures)
    matplotlib = _matplotlib()
    with matplotlib.rc_context(_style()):
        figure = _figure(runs, drawn, axis, log, smooth)
        try:
            figure.savefig(target, metadata=_undated(target))
        except OSError as error:
            raise OutputError(f"{target}: cannot be written: {error.strerror}") from error
    return target


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise OptionsError("curves need matplotlib: pip install 'retint[curves]'") from None
    return matplotlib


def _ticker() -> Any:
    import matplotlib.ticker

    return matplotlib.ticker


def _figure(
    runs: Sequence[Run], drawn: Sequence[Panel], axis: str, log: bool, smooth: float
) -> Any:
    across = min(len(drawn), 3 if len(drawn) in (3, 5, 6) else 2)
    down = -(-len(drawn) // across)
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(4.4 * across + 0.4, 3.1 * down + 0.5))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1)
    places: list[Any] = list(figure.subplots(down, across, squeeze=False).flat)
    for place, panel in zip(places, drawn, strict=False):
        _panel(place, panel, runs, axis, log, smooth)
    if len(runs) == 1:
        _name_stages(places[0], runs[0], runs[0].over(axis))
    for place in places[len(drawn) :]:
        place.set_axis_off()
    handles = [_line(i) for i in range(len(runs))]
    names = [run.name for run in runs]
    spare = places[len(drawn) :]
    if spare and len(runs) <= 10:
        spare[0].legend(handles, names, loc="center", fontsize=10)
    else:
        columns = min(len(runs), 2 * across)
        figure.legend(handles, names, loc="outside upper left", ncols=columns, fontsize=10)
    return figure


def _panel(
    place: Any, panel: Panel, runs: Sequence[Run], axis: str, log: bool, smooth: float
) -> None:
    smallest = np.inf
    for i, run in enumerate(runs):
        x = run.over(axis)
        for measure, style in zip(panel.measures, STYLES * len(panel.measures), strict=False):
            values = run.columns.get(measure, np.full(len(x), np.nan))
            there = np.isfinite(values) & np.isfinite(x)
            if not there.any():
                continue
            smallest = min(smallest, values[there].min())
            first = measure == panel.measures[0]
            how: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "linestyle": style}
            if smooth:
                place.plot(x[there], values[there], **how, linewidth=0.8, alpha=0.3)
            if first:
                how |= {"marker": _mark(i), "markevery": _every(int(there.sum()), i)}
            place.plot(
                x[there],
                smoothed(values, smooth)[there],
                **how,
                linewidth=1.8 if first else 1.3,
                markersize=4.5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                zorder=3,
            )
        for row, _ in run.stages[1:]:
            ends = {"color": COLOURS[i % len(COLOURS)], "linewidth": 0.9, "alpha": 0.6, "zorder": 1}
            place.axvline(x[row - 1], **ends)
    place.set_title(panel.title)
    place.set_xlabel(AXES[axis])
    place.xaxis.set_major_formatter(_ticker().EngFormatter(sep=""))  # 20k rather than 20000
    if panel.ideal is not None:
        place.axhline(panel.ideal, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    if log and smallest > 0 and "loss" in panel.measures[0]:
        place.set_yscale("log")
        place.yaxis.set_major_locator(_ticker().LogLocator(subs=(1, 2, 3, 5)))
        place.yaxis.set_major_formatter(_ticker().FormatStrFormatter("%g"))
        place.yaxis.set_minor_formatter(_ticker().NullFormatter())
    if len(panel.measures) > 1:
        _key(place, panel)


def _key(place: Any, panel: Panel) -> None:
    """Which style is which measure, in a panel that has several."""
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=INK, linestyle=style, linewidth=1.4)
        for _, style in zip(panel.measures, STYLES * len(panel.measures), strict=False)
    ]
    place.legend(lines, [label(name) for name in panel.measures], loc="best", fontsize=8)


def _name_stages(place: Any, run: Run, x: Any) -> None:
    """The names of a training's stages, where there are several, at the top of a panel."""
    for row, name in run.stages if len(run.stages) > 1 else ():
        place.annotate(
            name,
            (x[row - 1] if row else x[0], 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -3),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=QUIET,
        )


def _line(i: int) -> Any:
    from matplotlib.lines import Line2D

    colour = COLOURS[i % len(COLOURS)]
    return Line2D([], [], color=colour, marker=_mark(i), markeredgecolor="white", linewidth=1.8)


def _mark(i: int) -> str:
    """The mark of a training; trainings of one colour differ in it."""
    return MARKS[(i + i // len(COLOURS)) % len(MARKS)]


def _every(count: int, i: int) -> Any:
    """About ten marks on a long curve, not at the same places on every one."""
    step = max(1, count // 10)
    return slice(i % step, None, step)


def _undated(target: Path) -> dict[str, Any]:
    """No date in the file: the same logs give the same bytes."""
    key = {".pdf": "CreationDate", ".svg": "Date"}.get(target.suffix.lower())
    return {key: None} if key else {}


def _style() -> dict[str, Any]:
    return {
        "savefig.dpi": 160,
        "svg.hashsalt": "retint",
        "font.size": 9,
        "text.color": INK,
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlepad": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.formatter.use_mathtext": False,
        "axes.formatter.limits": (-4, 7),
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.7,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": True,
        "legend.framealpha": 0.85,
        "legend.edgecolor": "none",
        "lines.solid_capstyle": "round",
    }
