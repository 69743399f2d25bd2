"""The journal of a judgement: what was measured is kept, so that a run goes on where it ended."""

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retint.errors import OutputError
from retint.journal import end_torn_line, lock

NAME = "judged.jsonl"
"""Name of the journal in its folder."""


class Records:
    """Records by key, one JSON line each, appended and never changed; without a folder, nothing.

    Used inside `with`: the file is locked against other runs, and a line that a crash cut off is
    passed over. Only places in the file are held in memory. OutputError where the folder cannot be
    written to.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / NAME if folder else None
        self._places: dict[str, int] = {}
        self._descriptor = -1

    def find(self, key: str) -> dict[str, Any] | None:
        """The record of that key, if there is one."""
        place = self._places.get(key)
        if place is None:
            return None
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(place)
            return json.loads(file.readline())["record"]

    def append(self, key: str, record: dict[str, Any], **about: str) -> None:
        """Keep a record; `about` is for people who look into the file."""
        if self.path is None:
            return
        line = json.dumps({"key": key, **about, "record": record}, allow_nan=False) + "\n"
        place = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            rest = memoryview(line.encode("ascii"))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        self._places[key] = place

    def __enter__(self) -> Self:
        if self.path is None:
            return self
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, flags, 0o666)
            lock(self._descriptor)
            end_torn_line(self._descriptor)
            self._read()
        except OSError as error:
            self._close()
            if isinstance(error, BlockingIOError):
                raise OutputError(f"{self.path}: another run is at work with it") from None
            raise OutputError(f"{self.path}: {error.strerror}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _read(self) -> None:
        place = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for line in file:
                try:
                    found = json.loads(line)
                    if isinstance(found["record"], dict):
                        self._places[found["key"]] = place
                except (ValueError, TypeError, KeyError):
                    pass  # torn, or none of ours
                place += len(line)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # which unlocks it
            self._descriptor = -1


def key_of(*parts: object) -> str:
    """One key for what a record depends on."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
