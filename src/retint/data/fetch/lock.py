"""What was fetched, by hash: `fetch-lock.json` beside the files. Where a publisher names no hash,
that of the first fetch is held to ever after."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from retint.errors import InputError

NAME = "fetch-lock.json"
LONG = 1 << 30  # bytes


@dataclass(frozen=True)
class Held:
    """A file as it was when its hash was taken; `hash` is `algorithm:hexadecimal`."""

    hash: str
    size: int
    modified: int  # nanoseconds, as the file system has it
    url: str = ""


class Lock:
    """The files of a folder whose hashes are known, by name; InputError where it cannot be read.

    `tell` hears of files that take long to compare.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self.path = folder / NAME
        self.held: dict[str, Held] = {}
        if self.path.exists():
            try:
                read = json.loads(self.path.read_text("utf-8"))
                self.held = {name: Held(**values) for name, values in read.items()}
            except (OSError, ValueError, TypeError, AttributeError) as error:
                raise InputError(f"{self.path}: cannot be read ({error}); delete it") from None

    def check(self, path: Path, published: str, url: str = "", name: str = "") -> None:
        """Compare a file with its published hash, or that of its first fetch; then hold it.

        A file of the size and time it had when it was last compared is not read again. Raises
        InputError for another file.
        """
        name = name or path.name
        before = self.held.get(name)
        state = path.stat()
        size, modified = state.st_size, state.st_mtime_ns
        expected = published or (before.hash if before else "")
        if before and (before.size, before.modified) == (size, modified):
            found = before.hash
        else:
            if self._tell and size > LONG:
                self._tell(f"{name}: comparing its hash, {size / 1e9:.0f} GB")
            found = digest(path, expected.partition(":")[0] or "sha256")
        if expected and found != expected:
            origin = "its publisher names" if published else "was fetched first"
            raise InputError(
                f"{path}: not the file that {origin} ({found}, expected {expected}); "
                "remove it and get it anew"
            )
        held = Held(found, size, modified, url or (before.url if before else ""))
        if held != before:
            self.held[name] = held
            self._write()

    def _write(self) -> None:
        part = self.path.with_name(f"{NAME}.part")
        held = {name: asdict(self.held[name]) for name in sorted(self.held)}
        part.write_text(json.dumps(held, indent=1) + "\n", "utf-8")
        part.replace(self.path)


def digest(path: Path, algorithm: str) -> str:
    """`algorithm:hexadecimal` of a file's bytes."""
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
