"""A training's folder, read: what was measured when, its recipe, its sheets."""

import csv
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from retint.color import Floats
from retint.errors import InputError, OptionsError

AXES = {"step": "Steps", "pictures": "Pictures", "minutes": "Minutes", "epoch": "Epochs"}
"""What a curve may be drawn over."""

LABELS = {
    "loss": "training loss",
    "val_loss": "validation loss",
    "accuracy": "training accuracy",
    "val_accuracy": "validation accuracy",
    "val_ab": "distance to the true colours, Lab units",
    "val_chroma": "chroma over the true chroma",
    "val_a": "mean error of a* (+ red, − green)",
    "val_b": "mean error of b* (+ yellow, − blue)",
    "general_ab": "distance on the general set",
    "rate": "learning rate",
    "per_second": "pictures per second",
    "waiting": "share of time waiting for data",
}
"""Columns of a log in words; the others stand for themselves."""


@dataclass(frozen=True)
class Panel:
    """Measures that are drawn together, the first first in rank; a value that is ideal, if any."""

    title: str
    measures: tuple[str, ...]
    ideal: float | None = None


PANELS = (
    Panel("Loss", ("val_loss", "loss")),
    Panel("Accuracy", ("val_accuracy", "accuracy")),
    Panel("Distance to the true colours, Lab units", ("val_ab", "general_ab")),
    Panel("Chroma over the true chroma", ("val_chroma",), 1.0),
    Panel("Cast: mean error of a* and b*, Lab units", ("val_a", "val_b"), 0.0),
)


@dataclass(frozen=True)
class Run:
    """A training: columns of its log as float64 (n,), NaN where nothing was measured.

    stages: rows at which a stage begins, with its name. sheets: pictures by step. about: what the
    training knew of itself, where it wrote that down.
    """

    name: str
    path: Path
    columns: Mapping[str, Floats]
    stages: tuple[tuple[int, str], ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    recipe_text: str = ""
    sheets: Mapping[int, Path] = field(default_factory=dict[int, Path])
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def last(self, measure: str) -> float | None:
        """The latest value of a measure, None where there is none."""
        values = self.columns.get(measure, np.empty(0))
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else None

    def at(self, measure: str, step: int) -> float | None:
        """The value of a measure at a step of the log, None where there is none."""
        (rows,) = np.nonzero(self.columns["step"] == step)
        if measure not in self.columns or not len(rows):
            return None
        value = float(self.columns[measure][rows[-1]])
        return value if np.isfinite(value) else None

    def over(self, axis: str) -> Floats:
        """The values of an axis (n,). OptionsError where the log does not have it."""
        if axis not in self.columns:
            raise OptionsError(
                f"{self.path}: its log has no {axis}; there are "
                + ", ".join(name for name in AXES if name in self.columns)
            )
        return self.columns[axis]


def read(paths: Sequence[Path]) -> list[Run]:
    """The trainings in run folders or log.csv files, each with a name of its own.

    A log that is being written may be read. Raises InputError for what holds no log, or one
    without a row.
    """
    runs = [_read(path) for path in paths]
    names = [run.name for run in runs]
    return [replace(run, name=str(run.path)) if names.count(run.name) > 1 else run for run in runs]


def panels(runs: Sequence[Run], measures: Sequence[str] = ()) -> list[Panel]:
    """What to draw of some trainings: the measures asked for, or all that any of them has.

    Measures of no panel get one of their own. OptionsError for one that no training has.
    """
    there = [name for run in runs for name in run.columns if np.isfinite(run.columns[name]).any()]
    for name in measures:
        if name not in there:
            choice = ", ".join(n for n in dict.fromkeys(there) if n not in AXES)
            raise OptionsError(f"no measure {name!r} in these logs: there are {choice}")
    wanted = dict.fromkeys(measures or [name for panel in PANELS for name in panel.measures])
    if not measures:
        wanted |= dict.fromkeys(n for n in there if n.startswith("loss_"))
    drawn: list[Panel] = []
    for panel in PANELS:
        kept = tuple(name for name in panel.measures if name in wanted and name in there)
        if kept:
            drawn.append(Panel(panel.title, kept, panel.ideal))
    known = {name for panel in PANELS for name in panel.measures}
    terms = tuple(name for name in wanted if name.startswith("loss_"))
    if terms:
        drawn.append(Panel("Terms of the training loss", terms))
    own = [name for name in wanted if name not in known and name not in terms]
    return drawn + [Panel(label(name).capitalize(), (name,)) for name in own]


def label(measure: str) -> str:
    """A column in words."""
    return LABELS.get(measure, measure.removeprefix("loss_").replace("_", " "))


def smoothed(values: Floats, weight: float) -> Floats:
    """Exponential moving average (n,) without a bias toward 0 at its beginning; NaN stays NaN.

    weight: of what came before, 0 (nothing changes) to below 1, as TensorBoard has it.
    """
    result = np.full(len(values), np.nan)
    mean = total = 0.0
    for i, value in enumerate(values):
        if np.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            total = weight * total + (1 - weight)
            result[i] = mean / total
    return result


def _read(path: Path) -> Run:
    log = path / "log.csv" if path.is_dir() else path
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{log}: {error.strerror}: not the log of a training") from None
    if not text.endswith("\n"):  # the last line is still being written
        text = text.rpartition("\n")[0]
    rows = [row for row in csv.DictReader(text.splitlines()) if (row.get("step") or "").isdecimal()]
    if not rows:
        raise InputError(f"{log}: no row yet, or not the log of a training")
    columns = {name: _numbers(rows, name) for name in rows[0] if isinstance(name, str)}
    folder = log.parent
    recipe_text, recipe = _recipe(folder / "recipe.toml")
    return Run(
        folder.resolve().name if log.name == "log.csv" else log.stem,
        path,
        {name: values for name, values in columns.items() if values is not None},
        _stages(rows),
        recipe,
        recipe_text,
        _sheets(folder / "sheets"),
        _about(folder / "about.json"),
    )


def _numbers(rows: Sequence[Mapping[str, str | None]], name: str) -> Floats | None:
    """A column as numbers, None where it is text."""
    try:
        return np.array([float(row[name] or "nan") for row in rows])
    except ValueError:
        return None


def _stages(rows: Sequence[Mapping[str, str | None]]) -> tuple[tuple[int, str], ...]:
    names = [row.get("stage") or "" for row in rows]
    return tuple(
        (i, name) for i, name in enumerate(names) if name and (i == 0 or names[i - 1] != name)
    )


def _recipe(path: Path) -> tuple[str, dict[str, Any]]:
    """A recipe's text and values; nothing where there is none: a log can be read without."""
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except (OSError, ValueError):
        return "", {}


def _about(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _sheets(folder: Path) -> dict[int, Path]:
    found = {path.stem: path for path in sorted(folder.glob("*.jpg"))}
    return {int(stem): path for stem, path in found.items() if stem.isdecimal()}
