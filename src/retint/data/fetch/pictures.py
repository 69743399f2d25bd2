"""`pictures.csv`: what is known of each picture, beside the archives that hold them."""

import csv
import hashlib
import heapq
from collections.abc import Iterable
from pathlib import Path

NAME = "pictures.csv"
COLUMNS = ("file", "archive", "dataset", "labels", "license", "author", "url", "split", "title")

Row = dict[str, str]
"""A picture: `file` is its path in `archive`, or in the folder where `archive` is empty; `labels`
are separated by semicolons; `split` is train, validation, test or empty."""


def write(folder: Path, rows: Iterable[Row]) -> int:
    """Replace the folder's list, whole or not at all (not by an empty one); how many pictures it
    has."""
    part = folder / f"{NAME}.part"
    count = 0
    with part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in rows:
            table.writerow([plain(row.get(column, "")) for column in COLUMNS])
            count += 1
    if count:
        part.replace(folder / NAME)
    else:
        part.unlink()
    return count


def sample(rows: Iterable[Row], limit: int) -> list[Row]:
    """At most `limit` rows, picked by a hash of their paths: the same each time, from everywhere,
    in their old order."""

    def rank(numbered: tuple[int, Row]) -> bytes:
        return hashlib.sha256(numbered[1]["file"].encode()).digest()

    return [row for _, row in sorted(heapq.nsmallest(limit, enumerate(rows), rank), key=_number)]


def plain(text: str) -> str:
    """The text in one line."""
    return " ".join(text.split())


def _number(numbered: tuple[int, Row]) -> int:
    return numbered[0]
