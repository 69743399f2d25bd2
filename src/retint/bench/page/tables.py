"""Tables of the page: the ranking, every other figure, who was judged, what it costs."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from retint.axis import Axis
from retint.bench.page.judgement import BASELINES, Judgement, Row, film_figures, number, table
from retint.bench.page.measures import BEST, COLUMNS, FILM, MEASURES, Measure
from retint.bench.page.words import joined
from retint.bench.statistics import Interval

FOREST = 120, 26
"""Size of the drawing of an interval."""

SHORT = {"mean colour": "the mean colour", "shuffled": "itself shuffled"}
"""Baselines as a mark names them."""

LETTERS = 10
"""Groups of rows that cannot be told apart above which letters no longer help."""

KINDS = {"folder": "folder", "shuffled": "baseline", "grey": "baseline", "mean colour": "baseline"}

ORDERS = {"low": "ascending", "high": "descending", "one": "other", "zero": "other"}
"""How the values stand, in the words of `aria-sort`, when the best is on top."""

COSTS: dict[str, tuple[str, str]] = {
    "ms": ("ms per picture", "{:,.1f}"),
    "network_ms": ("network alone, ms", "{:,.1f}"),
    "megapixels_per_second": ("megapixels / s", "{:,.2f}"),
    "peak_mb": ("peak memory, MB", "{:,.0f}"),
    "parameters": ("parameters", "{:,.0f}"),
    "megabytes": ("file, MB", "{:,.1f}"),
    "device": ("device", "{}"),
}


def ranking(judgement: Judgement) -> str:
    """Every row with its most telling figures and what it cannot be told from."""
    columns = [name for name in COLUMNS if any(name in row.figures for row in judgement.rows)]
    forest = _forest_axis(judgement.rows)
    groups = [group for group in judgement.groups if len(group) > 1]
    head = [_head("", "contestant", sorts="text")]
    for name in columns:
        first = ' aria-sort="ascending"' if name == "delta_e" else ""
        head.append(_measured(name, MEASURES[name], more=first))
        if name == "delta_e":
            head.append('<th scope="col" class="forest">dE, 95 %</th>')
            head.append('<th scope="col" class="groups">not told apart</th>')
    body: list[str] = []
    for place, row in enumerate(judgement.rows):
        cells = [_name(row, place)]
        for name in columns:
            cells.append(_figure(row.figures.get(name), MEASURES[name], name))
            if name == "delta_e":
                cells.append(f'<td class="forest">{_forest(row, judgement.rows, forest)}</td>')
                cells.append(_ties(row, groups))
        kind = ' class="baseline"' if row.kind in BASELINES else ""
        body.append(f'<tr data-kind="{escape(row.kind)}"{kind}>{"".join(cells)}</tr>')
    return _table("ranked", "Ranking", "".join(head), body)


def figures(judgement: Judgement) -> str:
    """Every figure of the JSON that the ranking has no column for; empty without any."""
    names = list(
        dict.fromkeys(n for row in judgement.rows for n in row.figures if n not in COLUMNS)
    )
    if not names:
        return ""
    head = _head("", "contestant", sorts="text")
    head += "".join(_measured(name, MEASURES.get(name)) for name in names)
    body = [
        f"<tr>{_name(row, place)}"
        + "".join(_figure(row.figures.get(n), MEASURES.get(n), n) for n in names)
        + "</tr>"
        for place, row in enumerate(judgement.rows)
    ]
    return _table("figures", "Every other figure", head, body)


def legend(judgement: Judgement) -> str:
    """What each column means, as a list of definitions."""
    there = {name for row in judgement.rows for name in row.figures}
    return "".join(
        f"<dt>{escape(measure.label)}</dt><dd>{escape(measure.meaning)} "
        f"<em>{BEST[measure.better].capitalize()}.</em></dd>"
        for name, measure in MEASURES.items()
        if name in there
    )


def costs(judgement: Judgement) -> str:
    """What each contestant takes, beside libvips' decoding and encoding; empty if not measured."""
    rows = [row for row in judgement.rows if row.cost]
    if not rows:
        return ""
    libvips = table(judgement.found, "libvips")
    known = [*rows, Row("libvips, decode and encode", "libvips", cost=libvips)]
    known = known if libvips else rows
    keys = [key for key in COSTS if any(row.cost.get(key) is not None for row in known)]
    beside = number(libvips.get("ms")) if libvips else math.nan
    head = _head("", "contestant", sorts="text")
    head += "".join(_head("", COSTS[key][0]) for key in keys)
    if math.isfinite(beside):
        head += _head("Its time over that of libvips for decoding and encoding.", "× libvips")
    body: list[str] = []
    for row in known:
        cells = "".join(_cost(key, row.cost.get(key)) for key in keys)
        if math.isfinite(beside):
            times = number(row.cost.get("ms")) / beside
            cells += _cell(times, f"{times:.1f}") if math.isfinite(times) else "<td></td>"
        name = f'<th scope="row" data-sort="{escape(row.name.casefold())}">{escape(row.name)}</th>'
        body.append(f"<tr>{name}{cells}</tr>")
    return _table("costs", "Cost", head, body)


def contestants(judgement: Judgement) -> str:
    """The models as they were used; empty where the JSON does not say."""
    models = table(judgement.found, "models")
    if not models:
        return ""
    keys = list(dict.fromkeys(key for model in models.values() for key in model if key != "name"))
    head = "<td></td>" + "".join(
        f'<th scope="col">{escape(key.replace("_", " "))}</th>' for key in keys
    )
    body = [
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{_plain(key, model.get(key))}</td>" for key in keys)
        + "</tr>"
        for name, model in models.items()
    ]
    return _table("models", "Models", head, body, sortable=False)


def film(judgement: Judgement) -> str:
    """Figures on photographs without true colours; empty without any."""
    found = table(judgement.found, "film")
    rows = [(name, film_figures(table(found, name))) for name in found]
    names = list(dict.fromkeys(key for _, figures in rows for key in figures))
    if not names:
        return ""
    head = _head("", "contestant", sorts="text")
    head += "".join(_measured(name, FILM.get(name)) for name in names)
    body = [
        f'<tr><th scope="row" data-sort="{escape(who.casefold())}">{escape(who)}</th>'
        + "".join(_figure(figures.get(name), FILM.get(name), name) for name in names)
        + "</tr>"
        for who, figures in rows
    ]
    return _table("film-figures", "Film", head, body)


def _table(name: str, label: str, head: str, body: Iterable[str], *, sortable: bool = True) -> str:
    kind = ' class="sortable"' if sortable else ""
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{label}">'
        f'<table id="{name}"{kind}><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _head(meaning: str, label: str, *, sorts: str = "ascending", more: str = "") -> str:
    return (
        f'<th scope="col"{more}><button type="button" data-sorts="{sorts}" '
        f'data-meaning="{escape(meaning)}">{escape(label)}</button></th>'
    )


def _name(row: Row, place: int) -> str:
    others = [escape(SHORT.get(other, other)) for other in row.no_better_than]
    marks = f'<span class="mark">no better than {joined(others, "or")}</span>' if others else ""
    kind = KINDS.get(row.kind, "")
    kind = f' <span class="kind">{kind}</span>' if kind else ""
    rank = f'<span class="rank">{row.rank}</span>' if row.rank else ""
    return (
        f'<th scope="row" data-sort="{escape(row.name.casefold())}">{rank}'
        f'<i class="key" data-row="{place}"></i>{escape(row.name)}{kind}{marks}</th>'
    )


def _measured(name: str, measure: Measure | None, more: str = "") -> str:
    """The heading of a measure's column, or of a figure that nobody has described."""
    if measure is None:
        return _head("", name.replace("_", " "), more=more)
    said = f"{measure.meaning} ({BEST[measure.better]}.)"
    return _head(said, measure.label, sorts=ORDERS[measure.better], more=more)


def _figure(found: Interval | None, measure: Measure | None, name: str) -> str:
    """A figure with its range."""
    if found is None:
        return '<td data-sort=""></td>'
    measure = measure or Measure(name, "low", 3, "")
    ends = measure.range(found)
    ends = f'<span class="ends">{ends}</span>' if ends else ""
    return _cell(measure.distance(found.value), f"{measure.text(found.value)}{ends}")


def _cell(sort: float, text: str) -> str:
    return f'<td data-sort="{sort:.6g}">{text}</td>'


def _cost(key: str, value: Any) -> str:
    if value is None:
        return '<td data-sort=""></td>'
    as_number = number(value)
    form = COSTS[key][1]
    if key != "device" and math.isfinite(as_number):
        return _cell(as_number, form.format(as_number))
    return f"<td>{escape(str(value))}</td>"


def _plain(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = escape(str(value))
    return f'<code title="{text}">{text[:12]}</code>' if "sha256" in key else text


# ---- the two columns that are drawn


def _forest_axis(rows: Sequence[Row]) -> Axis:
    found = [row.figures["delta_e"] for row in rows if "delta_e" in row.figures]
    ends = [end for one in found for end in (one.value, one.low, one.high)]
    return Axis.over(ends, 4, FOREST[0] - 4, room=0.02)


def _forest(row: Row, rows: Sequence[Row], axis: Axis) -> str:
    """The interval of dE on a line, and where grey lies."""
    found: Interval | None = row.figures.get("delta_e")
    if found is None:
        return ""
    width, height = FOREST
    middle = height / 2
    grey = next((other.value("delta_e") for other in rows if other.kind == "grey"), math.nan)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
    ]
    if math.isfinite(grey):
        parts.append(f'<path class="reference" d="M{axis.place(grey):.1f} 0V{height}"/>')
    if math.isfinite(found.low) and math.isfinite(found.high):
        low, high = axis.place(found.low), axis.place(found.high)
        parts.append(f'<path class="whisker" d="M{low:.1f} {middle}H{high:.1f}"/>')
    parts.append(f'<circle cx="{axis.place(found.value):.1f}" cy="{middle}" r="3.5"/></svg>')
    return "".join(parts)


def _ties(row: Row, groups: Sequence[Sequence[Row]]) -> str:
    """A row's letters in their places, shared by rows that cannot be told apart; or their names."""
    if len(groups) > LETTERS:
        mine = [group for group in groups if any(row is one for one in group)]
        names = dict.fromkeys(one.name for group in mine for one in group if one is not row)
        if not names:
            return "<td></td>"
        count = f"{len(names)} other{'' if len(names) == 1 else 's'}"
        listed = "<br>".join(map(escape, names))
        return f'<td class="groups"><details><summary>{count}</summary>{listed}</details></td>'
    slots = [
        f"<b>{_letter(k)}</b>" if any(row is one for one in group) else "<i></i>"
        for k, group in enumerate(groups)
    ]
    return f'<td class="groups"><span>{"".join(slots)}</span></td>'


def _letter(k: int) -> str:
    return chr(ord("a") + k)
