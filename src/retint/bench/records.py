"""The journal of a judgement: what was measured is kept, so that a run goes on where it ended."""

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from retint.errors import OutputError
from retint.lines import Lines

NAME = "judged.jsonl"
"""Name of the journal in its folder."""


class Records:
    """Records by key, one JSON line each, appended and never changed; without a folder, nothing.

    Used inside `with`: the file is locked against other runs, and a line that a crash cut off is
    passed over. Only places in the file are held in memory. OutputError where the folder cannot be
    written to.
    """

    def __init__(self, folder: Path | None) -> None:
        self._lines = folder and Lines(
            folder / NAME, f"{folder / NAME}: another run is at work with it"
        )
        self._places: dict[str, int] = {}
        self._held = ExitStack()

    def find(self, key: str) -> dict[str, Any] | None:
        """The record of that key, if there is one."""
        if self._lines is None or key not in self._places:
            return None
        return json.loads(self._lines.at(self._places[key]))["record"]

    def append(self, key: str, record: dict[str, Any], **about: str) -> None:
        """Keep a record; `about` is for people who look into the file."""
        if self._lines is not None:
            line = json.dumps({"key": key, **about, "record": record}, allow_nan=False)
            self._places[key] = self._lines.append(line + "\n")

    def __enter__(self) -> Self:
        if self._lines is None:
            return self
        folder = self._lines.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}") from error
        with ExitStack() as held:
            for place, line in held.enter_context(self._lines):
                try:
                    found = json.loads(line)
                    if isinstance(found["record"], dict):
                        self._places[found["key"]] = place
                except (ValueError, TypeError, KeyError):
                    pass  # torn, or none of ours
            self._held = held.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()


def key_of(*parts: object) -> str:
    """One key for what a record depends on."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
