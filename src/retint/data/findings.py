"""What an audit found, for people and programs: audit.csv, audit.json and the page audit.html."""

import base64
import csv
import io
import json
from collections import Counter
from dataclasses import asdict
from html import escape
from importlib import resources
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from retint.data.audit import REASONS, Audit, Flag, Limits
from retint.data.cast import draw
from retint.data.corpus import Corpus
from retint.data.manifest import Entry, replace_file
from retint.errors import InputError, OutputError

SIDES = (64, 96, 128, 192, 256, 384, 512, 1024)
"""Where the histogram of shorter sides has its steps, pixels."""

SHOWN = 24
"""Pictures that the page shows for each reason, evenly spread."""


def summary(found: Audit, limits: Limits, against: tuple[str, ...] = ()) -> dict[str, Any]:
    """The audit as plain values: counts by reason, and by source the cast and the flags."""
    by_reason = Counter(flag.reason for flag in found.flags)
    flagged: dict[str, set[int]] = {}
    for flag in found.flags:
        flagged.setdefault(found.entries[flag.place].dataset, set()).add(flag.place)
    means: dict[str, list[tuple[float, float, float]]] = {}
    counts: Counter[str] = Counter()
    for place, measured in found.measured.items():
        source = found.entries[place].dataset
        counts[source] += 1
        if measured.seen:
            m = measured.seen.measures
            means.setdefault(source, []).append((m.a, m.b, m.chroma))
    every = [row for rows in means.values() for row in rows]
    sides = np.array([found.entries[k].shorter for k in found.measured])
    steps = np.histogram(sides, bins=(0, *SIDES, np.inf))[0].tolist()
    return {
        "pictures": len(found.measured),
        "flagged": len({flag.place for flag in found.flags}),
        "reasons": {reason: by_reason[reason] for reason in REASONS},
        "limits": asdict(limits),
        "against": list(against),
        "all": _colour(every),
        "sources": {
            source: {
                "pictures": number,
                "flagged": len(flagged.get(source, ())),
                **_colour(means.get(source, [])),
            }
            for source, number in counts.most_common()
        },
        "shorter_side": dict(zip(_steps(), steps, strict=True)),
    }


def write(
    found: Audit, told: dict[str, Any], corpus: Corpus, folder: Path, limits: Limits
) -> list[Path]:
    """Write the three files into a folder and return their paths. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from error
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(("shard", "file", "dataset", "labels", "reason", "figure", "other"))
    for flag in found.flags:
        e = found.entries[flag.place]
        table.writerow((e.shard, e.file, e.dataset, e.labels, flag.reason, flag.figure, flag.other))
    texts = {
        "audit.csv": rows.getvalue(),
        "audit.json": json.dumps(told, indent=1, ensure_ascii=False) + "\n",
        "audit.html": page(found, told, corpus, limits),
    }
    for name, text in texts.items():
        replace_file(folder / name, text.encode())
    return [folder / name for name in texts]


def page(found: Audit, told: dict[str, Any], corpus: Corpus, limits: Limits) -> str:
    """The audit as a page that stands alone, pictures included."""
    names = {entry.name: entry for entry in found.entries}

    def picture(name: str, caption: str) -> str:
        entry = names.get(name)
        try:
            # a picture to judge by lies in a folder of its own
            image = corpus.picture(entry, 96) if entry else _judged(name)
        except InputError:
            return f"<figure><i class=gone></i><figcaption>{escape(caption)}</figcaption></figure>"
        image.thumbnail((144, 96))
        return (
            f"<figure><img src='{_embedded(image, 'WEBP')}' alt='' title='{escape(name)}'>"
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def flagged(flag: Flag) -> str:
        own = picture(found.entries[flag.place].name, flag.figure or "the same bytes")
        return f"<div class=pair>{own}{picture(flag.other, 'other')}</div>" if flag.other else own

    reasons: list[str] = []
    for reason, words in REASONS.items():
        flags = found.flagged(reason)
        if not flags:
            continue
        few = flags[:: -(-len(flags) // SHOWN)]
        shown = f", {len(few)} shown" if len(few) < len(flags) else ""
        reasons.append(
            f"<section><h2>{reason}</h2><p>{escape(words.format(**asdict(limits)))}: "
            f"{len(flags)} ({_percent(len(flags), told['pictures'])}){shown}</p>"
            f"<div class=strip>{''.join(map(flagged, few))}</div></section>"
        )
    template = resources.files("retint.data").joinpath("audit.html").read_text("utf-8")
    return Template(template).substitute(
        corpus=escape(corpus.folder.resolve().name),
        pictures=told["pictures"],
        flagged=told["flagged"],
        share=_percent(told["flagged"], told["pictures"]),
        against=escape(", ".join(told["against"]) or "nothing"),
        rows="\n".join(
            f"<tr><th>{reason}</th><td>{number}</td><td>{_percent(number, told['pictures'])}</td>"
            f"<td class=words>{escape(REASONS[reason].format(**asdict(limits)))}</td></tr>"
            for reason, number in told["reasons"].items()
        ),
        casts=_casts(found, told),
        sides=_bars(told["shorter_side"]),
        reasons="\n".join(reasons) or "<section><p>No picture was flagged.</p></section>",
    )


def table(told: dict[str, Any]) -> str:
    """The audit as lines for a terminal."""
    total = told["pictures"]
    lines = [
        f"{total} pictures, {told['flagged']} flagged ({_percent(told['flagged'], total)})",
        "",
    ]
    lines += [
        f"  {reason:10} {number:8}  {_percent(number, total)}"
        for reason, number in told["reasons"].items()
    ]
    lines += ["", "    mean a*     b*  chroma  pictures  flagged  source"]
    for source, about in (("all", {**told["all"], **told}), *told["sources"].items()):
        if about["a"] is not None:
            lines.append(
                f"  {about['a']:9.2f} {about['b']:6.2f} {about['chroma']:7.2f} "
                f"{about['pictures']:9} {about['flagged']:8}  {source or '(none)'}"
            )
    return "\n".join(lines)


def _colour(rows: list[tuple[float, float, float]]) -> dict[str, float | None]:
    """Mean a*, b* and chroma of pictures; None of none."""
    means = np.mean(rows, axis=0).round(2).tolist() if rows else [None] * 3
    return dict(zip(("a", "b", "chroma"), means, strict=True))


def _casts(found: Audit, told: dict[str, Any]) -> str:
    """An ab histogram for all pictures, and one for each source."""
    every = {"all": {**told["all"], "pictures": told["pictures"]}, **told["sources"]}
    figures: list[str] = []
    for source, about in every.items():
        if about["a"] is None:
            continue
        counts = (
            np.sum([*found.histograms.values()], axis=0)
            if source == "all"
            else found.histograms[source]
        )
        image = _embedded(draw(counts, (about["a"], about["b"])), "PNG")
        figures.append(
            f"<figure><img src='{image}' alt='ab histogram'><figcaption>"
            f"<b>{escape(source or '(no source)')}</b><br>{about['pictures']} pictures<br>"
            f"a* {about['a']:+.1f}, b* {about['b']:+.1f}, chroma {about['chroma']:.1f}"
            "</figcaption></figure>"
        )
    return "\n".join(figures)


def _bars(steps: dict[str, int]) -> str:
    most = max(1, *steps.values())
    return "\n".join(
        f"<tr><th>{escape(step)}</th><td>{number}</td>"
        f"<td class=bar><i style='width:{100 * number / most:.1f}%'></i></td></tr>"
        for step, number in steps.items()
    )


def _steps() -> list[str]:
    inner = [f"{low} to {high - 1}" for low, high in pairwise(SIDES)]
    return [f"below {SIDES[0]}", *inner, f"{SIDES[-1]} and more"]


def _judged(name: str) -> Image.Image:
    path = Path(name)
    shard = next((p for p in path.parents if p.is_file()), None)
    if shard is None:
        return Corpus(path.parent, []).picture(Entry("", path.name, 0, 0), 96)
    inside = path.relative_to(shard).as_posix()
    return Corpus(shard.parent, []).picture(Entry(shard.name, inside, 0, 0), 96)


def _embedded(image: Image.Image, format: str) -> str:
    """A picture as an address that holds it."""
    buffer = io.BytesIO()
    image.save(buffer, format, quality=70)
    return f"data:image/{format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _percent(number: int, of: int) -> str:
    return f"{100 * number / max(1, of):.2f} %"
