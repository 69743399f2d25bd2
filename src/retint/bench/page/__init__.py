"""A judgement as one HTML file: ranking, distributions, pictures to compare; all of it inside."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import retint
from retint.bench.contestants import Contestant
from retint.bench.page import charts, tables, words
from retint.bench.page.gallery import choose
from retint.bench.page.judgement import Judgement, Plain
from retint.bench.page.numbers import numbers
from retint.bench.page.photographs import Wall
from retint.bench.page.pictures import Album, collect
from retint.bench.sets import Truth
from retint.errors import OutputError

SCRIPTS = ("data.js", "svg.js", "table.js", "tradeoff.js", "strips.js", "comparison.js", "album.js")
"""In the order in which the page runs them."""

SHOWN_KINDS = ("model", "folder")
"""Contestants whose pictures are shown: of the baselines grey alone, beside each."""


def write_page(
    found: Plain,
    contestants: Sequence[Contestant],
    truths: Callable[[str], Truth],
    path: Path,
    *,
    contact: int = 12,
    extremes: int = 3,
    side: int = 640,
    megabytes: float = 11.0,
    progress: Callable[[Iterable[int]], Iterable[int]] = lambda numbers: numbers,
) -> Path:
    """Write a judgement, the JSON of `retint bench`, as one HTML file and return its path.

    contestants and truths, by a file's name in the set, are asked for the pictures on the page:
    `contact` of them evenly spread, `extremes` best and as many worst ones of each contestant, and
    where the first and another one differ most; each at most `side` pixels long, and smaller or
    fewer where the file would be larger than `megabytes` (1e6 bytes each; figures and scripts, some
    0.1 to 1 MB, come on top). What the JSON lacks, the page leaves out; a picture that cannot be
    read or coloured too. Raises OutputError where the file cannot be written.
    """
    judgement = Judgement.of(found)
    rows = {row.name: str(k) for k, row in enumerate(judgement.rows)}
    shown = {
        rows[one.name]: one for one in contestants if one.kind in SHOWN_KINDS and one.name in rows
    }
    gallery = choose(judgement, contact, extremes)
    album = collect(
        gallery.wanted,
        judgement.files,
        shown,
        truths,
        side=side,
        limit=int(megabytes * 1e6),
        progress=progress,
    )
    gallery = gallery.of(set(album.shown))
    wall = Wall(judgement, album)
    text = _page(
        judgement,
        album,
        contact=wall.contact(gallery),
        cases=wall.cases(gallery),
        disputes=wall.disputes(gallery),
    )
    try:
        path.write_text(text, encoding="utf-8", newline="\n")  # the scripts' hashes count on it
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _page(judgement: Judgement, album: Album, **pictures: str) -> str:
    style = _text("style.css")
    scripts = [_text(name) for name in SCRIPTS]
    sections = [
        ("ranking", "Ranking", _ranking(judgement)),
        ("trade", "Vivid or right", _text("sections/trade.html") if judgement.rows else ""),
        ("spread", "Picture by picture", _text("sections/spread.html") if judgement.files else ""),
        ("pictures", "Pictures", _section("pictures.html", pictures["contact"])),
        ("cases", "Worst and best", _section("cases.html", pictures["cases"])),
        ("disputes", "Where they part", _section("disputes.html", pictures["disputes"])),
        ("sure", "Sure and right", _section("sure.html", charts.calibration(judgement))),
        ("colours", "Which colours", _section("colours.html", charts.colours(judgement))),
        ("film", "Film", _section("film.html", tables.film(judgement))),
        ("cost", "Cost", _section("cost.html", tables.costs(judgement), words.costs(judgement))),
        ("judged", "What was judged", tables.contestants(judgement)),
    ]
    sections = [(name, title, content) for name, title, content in sections if content]
    return Template(_text("page.html")).substitute(
        policy=_policy(scripts),
        title=escape(words.title(judgement)),
        verdict=words.verdict(judgement),
        facts="".join(
            f"<div><dt>{term}</dt><dd>{what}</dd></div>" for term, what in words.facts(judgement)
        ),
        left_out=words.left_out(judgement),
        contents="".join(f'<a href="#{name}">{title}</a>' for name, title, _ in sections),
        sections="\n".join(
            f'<section id="{name}"><h2>{title}</h2>\n{content}</section>'
            for name, title, content in sections
        ),
        version=escape(retint.__version__),
        style=style,
        numbers=_json(numbers(judgement, album)),
        album=_json({k: one.plain() for k, one in album.shown.items()}),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _ranking(judgement: Judgement) -> str:
    if not judgement.rows:
        return ""
    others = tables.figures(judgement)
    return Template(_text("sections/ranking.html")).substitute(
        table=tables.ranking(judgement),
        others=f"<details><summary>Every other figure</summary>{others}</details>"
        if others
        else "",
        legend=tables.legend(judgement),
        notes=words.notes(judgement),
    )


def _section(name: str, content: str, what: str = "") -> str:
    template = Template(_text(f"sections/{name}"))
    return template.substitute(content=content, what=what) if content else ""


def _policy(scripts: Sequence[str]) -> str:
    """What the page may do, kept by the browser: run these scripts, show what is in it; no more."""
    hashes = (b64encode(sha256(script.encode()).digest()).decode("ascii") for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )


def _json(plain: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _text(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text("utf-8")
