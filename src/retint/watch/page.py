"""A page about trainings: the same photographs at every checkpoint, curves, recipe, figures."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

import retint
from retint.errors import OutputError
from retint.watch import svg
from retint.watch.runs import Run, panels
from retint.watch.strips import Strips, cut

FIGURES = {
    "step": ("steps", ",.0f"),
    "pictures": ("pictures", ",.0f"),
    "minutes": ("minutes", ",.1f"),
    "loss": ("loss", ".3f"),
    "val_loss": ("validation loss", ".3f"),
    "val_accuracy": ("accuracy", ".3f"),
    "val_ab": ("distance", ".2f"),
    "val_chroma": ("chroma", ".2f"),
    "val_a": ("error of a*", "+.2f"),
    "val_b": ("error of b*", "+.2f"),
    "general_ab": ("distance, general set", ".2f"),
}
"""Columns of the page's tables: heading and format."""

SOURCES = {
    "data": "Learned from",
    "encoder_origin": "Encoder",
    "weights_license": "Licence of the weights",
    "not_for": "Not for",
}
"""What of a recipe's card the page repeats, and under which heading."""


@dataclass(frozen=True)
class Shown:
    """A training on the page: its number there, and its photographs, where it kept sheets."""

    number: int
    run: Run
    strips: Strips | None


def write_page(runs: Sequence[Run], folder: Path, *, checkpoints: int = 24) -> Path:
    """Write `index.html` and the pictures it needs to `folder`, and return the page's path.

    checkpoints: at most so many of each training are shown, evenly spread, first and last among
    them. The page loads nothing from elsewhere and works from a disk. Raises InputError for a
    sheet that cannot be read, OutputError where `folder` cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shown = [
            Shown(k, run, cut(run.sheets, folder / _folder(k, run), checkpoints))
            for k, run in enumerate(runs)
        ]
        path = folder / "index.html"
        path.write_text(_page(shown), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: page not written ({error.strerror})") from error
    return path


def _folder(number: int, run: Run) -> str:
    return f"{number + 1}-" + re.sub(r"[^A-Za-z0-9._-]+", "-", run.name).strip("-.")[-60:]


def _page(shown: Sequence[Shown]) -> str:
    runs = [one.run for one in shown]
    if len(runs) == 1:
        title = f"How {runs[0].name} learned colour"
    else:
        title = f"How {len(runs)} networks learned colour"
    steps = sorted({step for one in shown if one.strips for step in one.strips.steps})
    return _template("page.html").substitute(
        title=escape(title),
        facts="\n".join(f"<p>{_facts(run)}</p>" for run in runs),
        slider=_slider(steps) if steps else "",
        photographs="\n".join(_photographs(group) for group in _alike(shown)),
        legend=_legend(runs),
        charts="\n".join(_chart(panel, runs) for panel in panels(runs)),
        table=_table(runs),
        recipes=_differences(runs) + "\n".join(map(_recipe, shown)),
        sources=_sources(runs),
        version=escape(retint.__version__),
        data=json.dumps(_data(shown, steps)).replace("<", "\\u003c"),
    )


# ---- words


def _facts(run: Run) -> str:
    """What can be said of a training from its log, in sentences."""
    said = [f"<strong>{escape(run.name)}</strong> took {_count(run.last('step'), 'step')}"]
    if (pictures := run.last("pictures")) is not None:
        epochs = run.last("epoch")
        said.append(f" and saw {_count(pictures, 'picture')}")
        if epochs is not None:
            said.append(f", {epochs:.3g} times as many as there are to learn from")
    if (minutes := run.last("minutes")) is not None:
        said.append(f", in {_time(minutes)}")
    said.append(". ")
    family, size = run.recipe.get("family"), run.about.get("parameters")
    if isinstance(size, int):
        of = f" of the family <em>{escape(str(family))}</em>" if family else ""
        said.append(f"The network{of} has {size:,} parameters. ")
    measured: list[str] = []
    if (distance := run.last("val_ab")) is not None:
        measured.append(f"its colours are {distance:.1f} Lab units from the true ones on average")
    if (chroma := run.last("val_chroma")) is not None:
        measured.append(f"their chroma is {chroma:.2f} times the true one")
    if measured:
        said.append(f"On the validation pictures {' and '.join(measured)}. ")
    losses = run.columns.get("val_loss", np.empty(0))
    if np.isfinite(losses).any():
        best = int(np.nanargmin(losses))
        said.append(
            f"The smallest validation loss, {losses[best]:.3f}, was at step "
            f"{run.columns['step'][best]:,.0f}."
        )
    return "".join(said)


def _sources(runs: Sequence[Run]) -> str:
    """What the recipes say of data, licence and use; once where several say the same."""
    said: dict[str, list[str]] = {}
    for run in runs:
        card: Mapping[str, Any] = run.recipe.get("card", {})
        lines = [
            f"<dt>{title}</dt><dd>{escape(str(card[key]).strip())}</dd>"
            for key, title in SOURCES.items()
            if card.get(key)
        ]
        text = f"<dl>{''.join(lines)}</dl>"
        if not lines:
            text = "<p>The recipe does not say what the network learned from.</p>"
        said.setdefault(text, []).append(run.name)
    if len(said) == 1:
        return next(iter(said))
    return "\n".join(f"<h3>{escape(', '.join(who))}</h3>{text}" for text, who in said.items())


def _count(number: float | None, noun: str) -> str:
    number = number or 0
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def _time(minutes: float) -> str:
    if minutes < 90:
        return f"{minutes:.1f} minutes"
    return f"{minutes // 60:.0f} hours and {minutes % 60:.0f} minutes"


# ---- photographs


def _alike(shown: Sequence[Shown]) -> list[list[Shown]]:
    """Trainings grouped by the photographs on their sheets."""
    groups: list[list[Shown]] = []
    for one in shown:
        if one.strips is None:
            continue
        for group in groups:
            first = group[0].strips
            if first is not None and first.shows_the_same_as(one.strips):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _photographs(group: Sequence[Shown]) -> str:
    strips = group[0].strips
    assert strips is not None
    names = ", ".join(one.run.name for one in group)
    figures = "\n".join(_figure(group, k, strips) for k in range(strips.count))
    cells = 2 + len(group)
    return (
        f'<section class="wall{" pairs" if cells == 4 else ""}" style="--cells:{cells}"'
        f' aria-label="Photographs coloured by {escape(names)}">{figures}</section>'
    )


def _figure(group: Sequence[Shown], k: int, strips: Strips) -> str:
    what = f"Photograph {k + 1}"
    cells = [
        _cell(strips.true, k, strips.count, "true", f"{what} in its true colours"),
        _cell(strips.grey, k, strips.count, "grey", f"{what} in grey, as the network sees it"),
    ]
    for one in group:
        assert one.strips is not None
        name = "coloured" if len(group) == 1 else one.run.name
        cells.append(
            _cell(
                one.strips.coloured[-1],
                k,
                strips.count,
                name,
                f"{what} coloured by {one.run.name}",
                f' data-run="{one.number}"',
            )
        )
    return f"<figure>{''.join(cells)}</figure>"


def _cell(src: str, k: int, count: int, name: str, alt: str, more: str = "") -> str:
    """One square of a strip."""
    return (
        f'<div class="cell"><img src="{escape(src)}" alt="{escape(alt)}"'
        f' style="--k:{k};--n:{count}"{more}><span class="label">{escape(name)}</span></div>'
    )


def _slider(steps: Sequence[int]) -> str:
    last = len(steps) - 1
    return _template("slider.html").substitute(last=last, step=f"{steps[-1]:,}")


def _data(shown: Sequence[Shown], steps: Sequence[int]) -> dict[str, Any]:
    """What the slider chooses between: for each of its places a step, and each training's strip
    of that step, or of the one before where it has none, with what was measured then."""
    found: dict[int, Any] = {}
    for one in shown:
        if one.strips is None:
            continue
        own = one.strips.steps
        at = [max(0, int(np.searchsorted(own, step, side="right")) - 1) for step in steps]
        found[one.number] = {
            "name": one.run.name,
            "files": [one.strips.coloured[i] for i in at],
            "facts": [_moment(one.run, own[i]) for i in at],
        }
    return {"steps": list(steps), "runs": found}


def _moment(run: Run, step: int) -> str:
    """A checkpoint in a few words."""
    words = [f"step {step:,}"]
    for measure, form in (
        ("pictures", "{:,.0f} pictures"),
        ("minutes", "{:,.1f} min"),
        ("val_ab", "{:.1f} Lab units off"),
        ("val_chroma", "chroma × {:.2f}"),
    ):
        if (value := run.at(measure, step)) is not None:
            words.append(form.format(value))
    return " · ".join(words)


# ---- curves, tables, recipes


def _legend(runs: Sequence[Run]) -> str:
    return "".join(f'<li class="r{k}">{escape(run.name)}</li>' for k, run in enumerate(runs))


def _chart(panel: Any, runs: Sequence[Run]) -> str:
    key = ""
    if len(panel.measures) > 1:
        marks = ("solid", "dashed", "dotted", "dot-dashed") * len(panel.measures)
        named = zip(marks, panel.measures, strict=False)
        key = ", ".join(f"{mark}: {svg.label(measure)}" for mark, measure in named)
        key = f'<p class="hint">{escape(key)}</p>'
    return f"<div><h3>{escape(panel.title)}</h3>{svg.chart(panel, runs)}{key}</div>"


def _table(runs: Sequence[Run]) -> str:
    """The last row of every training, and below it, where there is one, the rows of all sheets."""
    ends = _rows([(run.name, {name: run.last(name) for name in FIGURES}) for run in runs])
    every = [
        f"<details><summary>{escape(run.name)}: every checkpoint</summary>"
        + _rows([("", {name: run.at(name, step) for name in FIGURES}) for step in run.sheets])
        + "</details>"
        for run in runs
        if run.sheets
    ]
    return ends + "".join(every)


def _rows(rows: Sequence[tuple[str, Mapping[str, float | None]]]) -> str:
    """An HTML table of the figures that any row has."""
    kept = [name for name in FIGURES if any(row[name] is not None for _, row in rows)]
    named = any(name for name, _ in rows)
    head = ("<td></td>" if named else "") + _cells("th", (FIGURES[name][0] for name in kept))
    body = "".join(
        "<tr>"
        + (f'<th scope="row">{escape(title)}</th>' if named else "")
        + _cells("td", ("" if (v := row[n]) is None else f"{v:{FIGURES[n][1]}}" for n in kept))
        + "</tr>"
        for title, row in rows
    )
    return (
        f'<div class="table" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(tag: str, texts: Iterable[str]) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    return "".join(f"<{tag}{scope}>{escape(text)}</{tag}>" for text in texts)


def _recipe(shown: Shown) -> str:
    run = shown.run
    if not run.recipe_text:
        return f"<p>{escape(run.name)}: its folder holds no recipe.</p>"
    return (
        f"<details><summary>{escape(run.name)}: recipe.toml</summary>"
        f'<pre tabindex="0">{escape(run.recipe_text)}</pre></details>'
    )


def _differences(runs: Sequence[Run]) -> str:
    """A table of the keys in which recipes differ."""
    flat = [dict(_flattened(run.recipe)) for run in runs]
    keys = [
        key
        for key in dict.fromkeys(key for values in flat for key in values)
        if len({values.get(key) for values in flat}) > 1 and key != "name"
    ]
    if len(runs) < 2 or not keys:
        return ""
    head = "<td></td>" + _cells("th", (run.name for run in runs))
    body = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code></th>'
        + _cells("td", (values.get(key, "") for values in flat))
        + "</tr>"
        for key in keys
    )
    return (
        "<h3>What differs</h3>"
        f'<div class="table" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _flattened(table: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{above}{key}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield above + key, str(value)


def _template(name: str) -> Template:
    return Template(resources.files(__name__.rpartition(".")[0]).joinpath(name).read_text("utf-8"))
