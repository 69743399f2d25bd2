"""The manifest of a corpus: `manifest.csv`, one row for each picture."""

import csv
import io
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from retint.errors import InputError, OutputError

NAME = "manifest.csv"
"""Name of the manifest in a corpus' folder."""

COLUMNS = (
    "shard", "file", "dataset", "labels", "width", "height",
    "sha256", "license", "author", "url", "a", "b", "dhash",
    "split", "decision", "decided_by", "decided_at",
)  # fmt: skip
"""Columns in their order; others that a manifest has follow and are carried along untouched."""

REQUIRED = ("shard", "file", "width", "height")
OWN = ("shard", "file", "dataset", "labels", "width", "height")  # fields of Entry; others: `more`


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture: `shard` is a ZIP, by its path from the corpus, or empty for a file of its own.

    `more` holds the other columns that are not empty.
    """

    shard: str
    file: str
    width: int
    height: int
    dataset: str = ""
    labels: str = ""
    more: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    @property
    def shorter(self) -> int:
        """Length of the shorter side, pixels."""
        return min(self.width, self.height)

    @property
    def a(self) -> float | None:
        """Mean a* of the picture, Lab units; None where it was never measured."""
        return float(self.more["a"]) if "a" in self.more else None

    @property
    def b(self) -> float | None:
        """Mean b* of the picture, Lab units; None where it was never measured."""
        return float(self.more["b"]) if "b" in self.more else None

    @property
    def dhash(self) -> int | None:
        """Perceptual hash of 64 bits (`retint.data.hashes`); None where it was never measured."""
        return int(self.more["dhash"], 16) if "dhash" in self.more else None

    @property
    def split(self) -> str:
        """train, validation, test, or empty: by hash."""
        return self.more.get("split", "")

    @property
    def decision(self) -> str:
        """keep, drop, or empty: nobody has decided."""
        return self.more.get("decision", "")

    @property
    def origin(self) -> str:
        """Where the picture came from: the column `origin`, else the shard's name and the file.

        It stays when the picture is selected into another corpus.
        """
        return self.more.get("origin") or f"{self.shard.rpartition('/')[2]}/{self.file}"

    @property
    def name(self) -> str:
        """What the picture is called in messages: SHARD/FILE."""
        return f"{self.shard}/{self.file}" if self.shard else self.file

    def column(self, name: str) -> str:
        """The text of any column; empty where there is none."""
        return str(getattr(self, name)) if name in OWN else self.more.get(name, "")

    def having(self, columns: Mapping[str, str]) -> "Entry":
        """The entry with other texts in some columns; an empty one removes what was there."""
        own: dict[str, Any] = {k: v for k, v in columns.items() if k in OWN}
        for side in own.keys() & {"width", "height"}:
            own[side] = int(own[side])
        more = {**self.more, **{k: v for k, v in columns.items() if k not in OWN}}
        return replace(self, **own, more={k: v for k, v in more.items() if v})


@dataclass
class Manifest:
    """Entries of a corpus and the columns of its file, known and unknown ones."""

    entries: list[Entry]
    columns: tuple[str, ...] = COLUMNS

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read a manifest. InputError names the file, and the line that cannot be."""
        try:
            with path.open(newline="", encoding="utf-8-sig") as text:
                lines = csv.reader(text)
                columns = tuple(next(lines, ()))
                if missing := [name for name in REQUIRED if name not in columns]:
                    raise InputError(f"{path}: a manifest needs the column {missing[0]}")
                make = _maker(columns)
                entries: list[Entry] = []
                for row in lines:
                    try:
                        entries.append(make(row))
                    except (IndexError, ValueError):
                        raise InputError(
                            f"{path}, line {lines.line_num}: not a row of this manifest"
                        ) from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
        return cls(entries, (*COLUMNS, *(name for name in columns if name not in COLUMNS)))

    def write(self, path: Path) -> None:
        """Write the manifest, whole or not at all. Raises OutputError."""
        columns = dict.fromkeys(self.columns)
        for entry in self.entries:
            columns |= dict.fromkeys(entry.more)
        self.columns = tuple(columns)
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow(self.columns)
        write_rows(buffer, self.entries, self.columns)
        replace_file(path, buffer.getvalue().encode())


def write_rows(file: Any, entries: Iterable[Entry], columns: Iterable[str]) -> None:
    """Write entries as lines of CSV with these columns to an open text file."""
    columns = tuple(columns)
    rows = ([entry.column(name) for name in columns] for entry in entries)
    csv.writer(file, lineterminator="\n").writerows(rows)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file, whole or not at all. Raises OutputError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def _maker(columns: tuple[str, ...]) -> Any:
    """A function from a row of these columns to an Entry.

    Texts that recur (shards, data sets, labels) are kept once: a manifest may have 500,000 rows.
    """
    place = {name: columns.index(name) for name in OWN if name in columns}
    others = [(k, name) for k, name in enumerate(columns) if name not in OWN]
    seen: dict[str, str] = {}

    def once(text: str) -> str:
        return seen.setdefault(text, text)

    def make(row: list[str]) -> Entry:
        if len(row) != len(columns):
            raise ValueError
        return Entry(
            once(row[place["shard"]]),
            row[place["file"]],
            int(row[place["width"]]),
            int(row[place["height"]]),
            once(row[place["dataset"]]) if "dataset" in place else "",
            once(row[place["labels"]]) if "labels" in place else "",
            {name: once(row[k]) if len(row[k]) < 32 else row[k] for k, name in others if row[k]},
        )

    return make
