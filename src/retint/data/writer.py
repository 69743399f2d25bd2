"""Writing a corpus: a shard at a time, so that a run that is killed loses at most one."""

import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from retint.data.manifest import COLUMNS, NAME, Entry, Manifest, write_rows
from retint.errors import OutputError

REJECTED = "rejected.csv"
"""Name of the list of what did not become part of the corpus, and why."""

MIB = 1 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)  # one time for all: equal pictures make equal shards


class CorpusWriter:
    """Adds pictures to the corpus in a folder; used with `with`.

    Pictures gather in a shard with another ending. When it is full, its rows are appended to the
    manifest, what was rejected meanwhile to `rejected.csv`, and then it gets its name. On opening,
    rows without their shard (the end of a run that was killed) are taken back. `entries` are those
    of the manifest, `columns` further columns beside the known ones. Raises OutputError.
    """

    def __init__(self, folder: Path, *, shard_mb: float = 26, columns: Iterable[str] = ()) -> None:
        self.folder, self.shard_bytes = folder, shard_mb * MIB
        self.columns = tuple(dict.fromkeys((*COLUMNS, *columns)))
        self._archive: zipfile.ZipFile | None = None
        self._rows: list[Entry] = []
        self._refused: list[tuple[str, str, str]] = []
        self._size = 0

    def __enter__(self) -> "CorpusWriter":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _end_at_a_line(self.folder / NAME)
            _end_at_a_line(self.folder / REJECTED)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written: {error.strerror}") from error
        self.entries, self.rejected = self._resume(), _rejected(self.folder / REJECTED)
        names = [entry.shard for entry in self.entries]
        names += [path.name for path in self.folder.glob("pictures-*.zip")]
        numbers = [int(n[9:-4]) for n in names if n[9:-4].isdigit() and n[:9] == "pictures-"]
        self._next = max(numbers, default=-1) + 1
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._commit()
        elif self._archive is not None:
            partial = Path(str(self._archive.filename))
            with suppress(OSError):
                self._archive.close()
            partial.unlink(missing_ok=True)

    def add(self, data: bytes, suffix: str, columns: Mapping[str, str]) -> Entry:
        """Take in a picture of which everything but its place is known, and return its entry."""
        if self._archive is not None and self._size + len(data) > self.shard_bytes:
            self._commit()
        shard = f"pictures-{self._next:04}.zip"
        file = f"{len(self.entries):08}{suffix}"
        own = {"shard": shard, "file": file, "sha256": hashlib.sha256(data).hexdigest()}
        entry = Entry("", "", 0, 0).having({**columns, **own})
        try:
            if self._archive is None:
                self._archive = zipfile.ZipFile(self.folder / f".{shard}.partial", "w")
            self._archive.writestr(zipfile.ZipInfo(file, EPOCH), data)
        except OSError as error:
            raise OutputError(f"{self.folder / shard}: {error.strerror}") from error
        self._size += len(data)
        self._rows.append(entry)
        self.entries.append(entry)
        return entry

    def reject(self, origin: str, kind: str, reason: str) -> None:
        """Note that something is no part of the corpus: broken, duplicate and so on, and why."""
        self._refused.append((origin, kind, " ".join(reason.split())))

    def _commit(self) -> None:
        """Put the pictures, rows and rejections gathered so far on the disk for good."""
        rows, refused = io.StringIO(), io.StringIO()
        write_rows(rows, self._rows, self.columns)
        csv.writer(refused, lineterminator="\n").writerows(self._refused)
        partial = None
        try:
            if self._archive is not None:
                partial = Path(str(self._archive.filename))
                self._archive.close()
                self._archive = None
                with partial.open("rb+") as file:
                    os.fsync(file.fileno())
            _append(self.folder / NAME, rows.getvalue())
            _append(self.folder / REJECTED, refused.getvalue(), "origin,kind,reason\n")
            if partial is not None:
                partial.replace(self.folder / self._rows[-1].shard)
                self._next += 1
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written: {error.strerror}") from error
        self._rows, self._refused, self._size = [], [], 0

    def _resume(self) -> list[Entry]:
        """The entries there are, without those of a shard that was never finished."""
        path = self.folder / NAME
        manifest = Manifest.read(path) if path.is_file() else Manifest([])
        before = path.read_bytes().partition(b"\n")[0].decode() if path.is_file() else ""
        entries = manifest.entries
        shard = entries[-1].shard if entries else ""
        if shard and not (self.folder / shard).is_file():
            manifest.entries = [entry for entry in entries if entry.shard != shard]
        manifest.columns = self.columns = tuple(dict.fromkeys((*manifest.columns, *self.columns)))
        if manifest.entries != entries or before != ",".join(self.columns):
            manifest.write(path)
        return manifest.entries


def _rejected(path: Path) -> list[tuple[str, str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as lines:
        return [(row[0], row[1], row[2]) for row in list(csv.reader(lines))[1:] if len(row) == 3]


def _append(path: Path, text: str, head: str = "") -> None:
    if not text:
        return
    with path.open("ab") as file:
        file.write(((head if file.tell() == 0 else "") + text).encode())
        file.flush()
        os.fsync(file.fileno())


def _end_at_a_line(path: Path) -> None:
    """Cut off a last line that a crash has torn."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - MIB))
        tail = file.read()
        if tail and not tail.endswith(b"\n"):
            file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)
