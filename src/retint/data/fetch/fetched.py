"""A fetched folder as a source for `retint data prepare`: the pictures that its list names."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from retint.data.fetch.pictures import NAME, Row
from retint.data.sources import Original, originals
from retint.errors import InputError


class Fetched:
    """The pictures of a folder that `retint data fetch` made: those of its pictures.csv, no others.

    `columns` are those of the list. Raises InputError where it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.columns: tuple[str, ...] = ()
        self._rows: dict[str, dict[str, Row]] = defaultdict(dict)  # by archive, by path in it
        try:
            with (folder / NAME).open(newline="", encoding="utf-8") as lines:
                for row in csv.DictReader(lines):
                    archive, file = row.pop("archive"), row.pop("file")
                    self.columns = self.columns or tuple(row)
                    self._rows[archive][file] = {key: text for key, text in row.items() if text}
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{folder / NAME}: cannot be read ({error!r})") from None

    @staticmethod
    def made(folder: Path) -> bool:
        """Whether a folder has such a list."""
        return (folder / NAME).is_file()

    def originals(self, columns: Row) -> Iterator[Original]:
        """The pictures, archive by archive in their order, with what the list says of each, unless
        `columns` say otherwise.

        InputError for an archive that is not there any more.
        """
        for archive, rows in self._rows.items():
            place = self.folder / archive  # of one that lies elsewhere the full path is listed
            found = originals(place, folder_labels=False) if archive else self._single(rows)
            start = f"{place.resolve().as_posix()}/"
            for original in found:
                inside = original.origin.removeprefix(start)
                if inside in rows or original.origin == start[:-1]:
                    yield replace(original, columns={**rows.get(inside, {}), **columns})

    def _single(self, rows: dict[str, Row]) -> Iterator[Original]:
        for file in rows:
            yield from originals(self.folder / file, folder_labels=False)
