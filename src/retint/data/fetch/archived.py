"""A source that is archives, fetched: downloaded or named, checked, and listed in pictures.csv."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from retint.data.fetch import pictures
from retint.data.fetch.download import Progress, Remote, download
from retint.data.fetch.folder import alone_in
from retint.data.fetch.lock import Lock
from retint.data.fetch.pictures import Row
from retint.data.fetch.sources import Archive, Source
from retint.data.fetch.web import Web
from retint.errors import InputError, OptionsError


def fetch(
    source: Source,
    folder: Path,
    web: Web,
    *,
    progress: Progress,
    given: Sequence[Path] = (),
    parts: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
    limit: int = 0,
) -> int:
    """Bring a source into a folder and list its pictures there; how many they are.

    `given` are archives that lie on this disk; they stay where they are. `classes` (names or
    WordNet ids) and `limit` (0: none) decide which pictures are listed; archives are always whole.
    Raises InputError for a server or an archive at fault, OutputError where the folder cannot be
    written, OptionsError for a part or class that there is not.
    """
    wanted = source.wanted(parts)
    local = _given(source, wanted, given)
    with alone_in(folder):
        there: dict[str, Path] = {}
        for archive in wanted:
            if archive.name in local:
                there[archive.name] = local[archive.name]
            elif archive.url:
                remote = Remote(archive.name, archive.url, archive.hash, source.page)
                there[archive.name] = download(remote, folder, web, progress)
        if not wanted[0].name:
            there = local
        lock = Lock(folder, web.tell)
        hashes = {archive.name: archive.hash for archive in wanted}
        for name, path in local.items():
            lock.check(path, hashes.get(name, ""), name=name)
        rows = (_complete(source, there, folder, row) for row in source.rows(there))
        if classes:
            rows = _only(source, classes, rows)
        count = pictures.write(folder, pictures.sample(rows, limit) if limit else rows)
        if not count:
            raise InputError(f"{source.name}: no pictures in {', '.join(map(str, there.values()))}")
    return count


def _given(source: Source, wanted: Sequence[Archive], given: Sequence[Path]) -> dict[str, Path]:
    """The named files by the archive that each is."""
    for path in given:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    names = [archive.name for archive in wanted if archive.name]
    local = {path.name: path for path in given}
    if len(local) < len(given):
        raise OptionsError("two archives of one name: rename one")
    if names and (strange := [name for name in local if name not in names]):
        raise OptionsError(
            f"{strange[0]} is no archive of {source.name}, whose archives are {', '.join(names)}"
        )
    if not given and not any(archive.url for archive in wanted):
        files = ", ".join(names) or "the archive"
        raise OptionsError(
            f"{source.name} cannot be downloaded freely: get {files} from {source.page} "
            "and name each file with --from"
        )
    return local


def _complete(source: Source, there: Mapping[str, Path], folder: Path, row: Row) -> Row:
    """The row with what is the same for all of a source, and its archive's path."""
    path = there[row["archive"]]
    archive = path.name if path.parent == folder else path.resolve().as_posix()
    return {
        **row,
        "archive": archive,
        "dataset": source.name,
        "license": row.get("license") or source.license,
        "url": row.get("url") or source.page,
    }


def _only(source: Source, classes: Sequence[str], rows: Iterator[Row]) -> Iterator[Row]:
    """The rows of some classes. OptionsError at the end where a class has none."""
    missing = {_key(name): name for name in classes}
    wanted = set(missing)
    known: set[str] = set()
    for row in rows:
        names = {name for label in row.get("labels", "").split(";") for name in label.split(":")}
        keys = {_key(name) for name in names}
        known.update(names)
        if keys & wanted:
            for key in keys:
                missing.pop(key, None)
            yield row
    if missing:
        name = next(iter(missing.values()))
        near = difflib.get_close_matches(name, known, 3, 0.5) or sorted(filter(None, known))[:3]
        raise OptionsError(f"{source.name} has no class {name!r}; near are: {', '.join(near)}")


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().lower()
