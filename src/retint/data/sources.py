"""Pictures where they lie: in folders, ZIP files and tars, also one in the other; read one by one.

Nothing is unpacked to a disk: names inside archives are only names.
"""

import csv
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from retint.data.picture import SUFFIXES
from retint.errors import InputError

LARGEST = 1 << 30
"""Bytes of the largest file that is read as a picture."""

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)
_MEASURED = {"shard", "file", "width", "height", "sha256", "a", "b", "dhash", "origin"}


@dataclass(frozen=True)
class Original:
    """A picture as it was found.

    origin: where, a full path that goes on inside archives. size: in bytes. columns: what is known
    of it, by the manifest's columns. `read` gives the bytes, and has to be called before the next
    original is asked for.
    """

    origin: str
    size: int
    read: Callable[[], bytes]
    columns: Mapping[str, str] = field(default_factory=dict[str, str])


def originals(
    source: Path, columns: Mapping[str, str] | None = None, *, folder_labels: bool = True
) -> Iterator[Original]:
    """The pictures of a folder, a ZIP or a tar, or the one picture in a file.

    Files in order of their names, members of an archive as they stand in it. Hidden files and what
    has no picture's ending are passed over. `dataset` is the source's name and `labels` the name of
    the folder around a picture, unless `columns` say otherwise. A broken archive is an original
    that cannot be read. Raises InputError where the source is nothing of all this.
    """
    given = {"dataset": _stem(source.name), **(columns or {})}
    for name, size, read in _found(source):
        origin = _text(str(source.resolve() / name) if name else str(source.resolve()))
        around = _stem(PurePosixPath(name).parent.name)
        labels = {"labels": _text(around)} if around and folder_labels else {}
        yield Original(Path(origin).as_posix(), size, read, {**labels, **given})


def weight(source: Path) -> int | None:
    """Bytes that the pictures of a source take, about; None where only reading could tell."""
    if source.is_dir():
        sizes = [weight(path) for path in _files(source)]
        return None if None in sizes else sum(size or 0 for size in sizes)
    compressed = source.name.lower().endswith(TARS[1:])
    return None if compressed else source.stat().st_size


class Sidecar:
    """What a CSV or a file of JSON lines says of pictures: columns by path in the source, or name.

    Its `file` is a path inside the source, or a file's name alone; where there is a `shard`, that
    is the archive around it. Other columns go into the manifest.
    """

    def __init__(self, path: Path) -> None:
        self.rows: dict[str, dict[str, str]] = {}
        self.used = 0
        columns: dict[str, None] = {}
        for row in _rows(path):
            if not row.get("file"):
                raise InputError(f"{path}: needs a column file, filled in every row")
            name = "/".join(filter(None, (row.get("shard"), row["file"])))
            about = {k: " ".join(v.split()) for k, v in row.items() if k not in _MEASURED and v}
            self.rows[str(PurePosixPath(name))] = about
            columns |= dict.fromkeys(about)
        self.columns = tuple(columns)

    def about(self, source: Path, original: Original) -> dict[str, str]:
        """The columns of one picture: empty where the file does not know it."""
        inside = PurePosixPath(original.origin.removeprefix(f"{source.resolve().as_posix()}/"))
        found = self.rows.get(str(inside)) or self.rows.get(inside.name) or {}
        self.used += bool(found)
        return found


Found = tuple[str, int, Callable[[], bytes]]  # name inside the source, bytes, how to read it


def _found(source: Path) -> Iterator[Found]:
    if source.is_dir():
        for path in _files(source):
            name = path.relative_to(source).as_posix()
            for inside, size, read in _in_file(path):
                yield "/".join(filter(None, (name, inside))), size, read
    elif not source.exists():
        raise InputError(f"{source}: no such file or folder")
    elif _is_archive(source.name) or _is_picture(source.name):
        yield from _in_file(source)
    else:
        raise InputError(f"{source}: neither a folder nor a ZIP, a tar or a picture")


def _files(folder: Path) -> Iterator[Path]:
    """Pictures and archives below a folder, in order."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if _is_picture(name) or _is_archive(name):
                yield Path(place, name)


def _in_file(path: Path) -> Iterator[Found]:
    """What one file holds: the picture that it is, with an empty name, or an archive's."""
    if not _is_archive(path.name):
        yield "", path.stat().st_size, path.read_bytes
        return
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from _in_zip(archive)
        else:
            with tarfile.open(path, "r|*") as tar:
                yield from _in_tar(tar)
    except _BROKEN as error:
        yield "", 0, _unreadable(error)


def _in_zip(archive: zipfile.ZipFile) -> Iterator[Found]:
    for member in archive.infolist():
        if _is_picture(member.filename):

            def read(member: zipfile.ZipInfo = member) -> bytes:
                return archive.read(member)

            yield member.filename, member.file_size, read
        elif member.filename.lower().endswith(TARS):
            with archive.open(member) as inner:
                yield from _inner_tar(member.filename, inner)


def _in_tar(tar: tarfile.TarFile) -> Iterator[Found]:
    for member in tar:
        if member.isfile() and _is_picture(member.name):

            def read(member: tarfile.TarInfo = member) -> bytes:
                return cast(IO[bytes], tar.extractfile(member)).read()

            yield member.name, member.size, read
        elif member.isfile() and member.name.lower().endswith(TARS):
            yield from _inner_tar(member.name, cast(IO[bytes], tar.extractfile(member)))


def _inner_tar(name: str, inner: IO[bytes]) -> Iterator[Found]:
    """A tar in an archive, as ImageNet's classes are."""
    try:
        with tarfile.open(fileobj=inner, mode="r|*") as tar:
            for inside, size, read in _in_tar(tar):
                yield f"{name}/{inside}", size, read
    except _BROKEN as error:
        yield name, 0, _unreadable(error)


def _unreadable(error: Exception) -> Callable[[], bytes]:
    def read() -> bytes:
        raise InputError(f"broken archive, what follows in it is lost ({error})")

    return read


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in SUFFIXES and not hidden


def _is_archive(name: str) -> bool:
    return name.lower().endswith((".zip", *TARS)) and not name.startswith(".")


def _stem(name: str) -> str:
    """A name without an archive's or a picture's ending."""
    for suffix in (*TARS, ".zip", *SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _text(name: str) -> str:
    """A name that can be written down, whatever bytes it is made of."""
    return " ".join(name.encode("utf-8", "backslashreplace").decode().splitlines())


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            if path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
                for line in filter(str.strip, lines):
                    row: dict[str, Any] = json.loads(line)
                    yield {k: _cell(v) for k, v in row.items()}
            else:
                for cells in csv.DictReader(lines):
                    yield {k: v for k, v in cells.items() if k and v}
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as CSV or JSON lines ({error})") from None


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, cast(list[Any], value)))
    return "" if value is None else str(value)
