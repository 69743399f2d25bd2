"""The page's figures of photographs: true, grey and coloured side by side, each opens large."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from retint.bench.page.gallery import Dispute, Gallery
from retint.bench.page.judgement import Judgement, Row
from retint.bench.page.pictures import GREY, TRUE, Album

OPEN_UP_TO = 4
"""Contestants whose best and worst cases are shown without asking."""

ACROSS = 8
"""Ways of colouring a picture side by side on the contact sheet; more go on in further rows."""


class Wall:
    """Hangs the pictures of an album: in figures whose cells the page's script fills."""

    def __init__(self, judgement: Judgement, album: Album) -> None:
        self.files = judgement.files
        self.rows = judgement.rows
        self.album = album
        self.numbers = {row.name: k for k, row in enumerate(judgement.rows)}
        there = {key for shown in album.shown.values() for key in shown.colours}
        self.coloured = [row for row in judgement.rows if str(self.numbers[row.name]) in there]

    def contact(self, gallery: Gallery) -> str:
        """Evenly spread pictures with every contestant."""
        keys = [TRUE, GREY, *(str(self.numbers[row.name]) for row in self.coloured)]
        rows = math.ceil(len(keys) / ACROSS)
        figures = "".join(self._figure(k, keys) for k in gallery.contact)
        style = f"--columns:{math.ceil(len(keys) / rows)}"
        return figures and f'<div class="wall" style="{style}">{figures}</div>'

    def cases(self, gallery: Gallery) -> str:
        """Worst and best pictures of each contestant."""
        parts: list[str] = []
        for rank, row in enumerate(self.coloured):
            worst, best = gallery.worst.get(row.name, []), gallery.best.get(row.name, [])
            if not worst and not best:
                continue
            state = " open" if rank == 0 or len(self.coloured) <= OPEN_UP_TO else ""
            keys = (TRUE, str(self.numbers[row.name]))
            parts.append(
                f"<details{state}><summary>{escape(row.name)}</summary>"
                f"{self._shelf('Worst', worst, keys)}{self._shelf('Best', best, keys)}</details>"
            )
        return "".join(parts)

    def disputes(self, gallery: Gallery) -> str:
        """Where the first contestant and another one differ most."""
        return "".join(map(self._dispute, gallery.disputes))

    def _dispute(self, dispute: Dispute) -> str:
        row, other = dispute.row, dispute.other
        keys = (TRUE, *(str(self.numbers[one.name]) for one in (row, other)))
        shelves = [
            self._shelf(f"{nearer.name} nearer", [number], keys, level=4)
            for nearer, number in ((row, dispute.row_nearer), (other, dispute.other_nearer))
            if number is not None
        ]
        pair = f"{escape(row.name)} and {escape(other.name)}"
        return f'<div class="dispute"><h3>{pair}</h3>{"".join(shelves)}</div>'

    def _shelf(
        self, title: str, numbers: Iterable[int], keys: Sequence[str], level: int = 3
    ) -> str:
        figures = "".join(self._figure(number, keys) for number in numbers)
        if not figures:
            return ""
        return (
            f'<div class="shelf"><h{level}>{escape(title)}</h{level}>'
            f'<div class="wall" style="--columns:{len(keys)}">{figures}</div></div>'
        )

    def _figure(self, number: int, keys: Sequence[str]) -> str:
        """A picture's cells, one stop of the Tab key."""
        shown = self.album.shown[number]
        cells = "".join(
            self._cell(number, key, first=k == 0)
            for k, key in enumerate(key for key in keys if key in shown.colours)
        )
        absent = "".join(
            f'<p class="absent"><b>{escape(self.rows[int(key)].name)}</b> {escape(why)}</p>'
            for key, why in shown.absent.items()
            if key in keys
        )
        file = escape(self.files[number])
        shape = f"--shape:{shown.shape}"
        return (
            f'<figure style="{shape}"><div class="cells" role="group" aria-label="{file}">{cells}'
            f"</div>{absent}<figcaption>{file}</figcaption></figure>"
        )

    def _cell(self, number: int, key: str, *, first: bool) -> str:
        name, error = self._called(number, key)
        shown = self.album.shown[number]
        stop = "0" if first else "-1"
        what = {TRUE: "true colours", GREY: "grey"}.get(key, f"coloured by {name}")
        said = f"{self.files[number]}, {what}{f', dE {error}' if error else ''}: compare"
        return (
            f'<button type="button" class="cell" tabindex="{stop}" data-picture="{number}" '
            f'data-key="{key}" aria-label="{escape(said)}">'
            f'<img alt="" width="{shown.width}" height="{shown.height}">'
            f"<span>{escape(name)}{f' <b>{error}</b>' if error else ''}</span></button>"
        )

    def _called(self, number: int, key: str) -> tuple[str, str]:
        """What to call a way of colouring a picture, and its dE there."""
        if key == TRUE:
            return "true", ""
        row = next((r for r in self.rows if r.kind == "grey"), Row("grey"))
        if key != GREY:
            row = self.rows[int(key)]
        errors = row.per_picture.get("delta_e")
        error = math.nan if errors is None else float(errors[number])
        return ("grey" if key == GREY else row.name), f"{error:.1f}" if math.isfinite(error) else ""
