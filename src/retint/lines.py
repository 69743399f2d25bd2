"""Files of lines that only grow: one writer at a time, and what is written is there whole."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from retint.errors import OutputError

LOOK = 0.002  # seconds between looks at a lock that another process has


class Lines:
    """A file of lines, appended and never changed, locked against other processes inside `with`.

    busy: what OutputError says where another process has it for longer than `patience` seconds. A
    last line that a crash cut off is ended, so that the next one stands alone.
    """

    def __init__(self, path: Path, busy: str, patience: float = 0.0) -> None:
        self.path, self.busy, self.patience = path, busy, patience
        self._descriptor = -1

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor = os.open(self.path, flags, 0o666)
            self._lock()
            self._end_torn_line()
        except OSError as error:
            self._close()
            if isinstance(error, BlockingIOError):
                raise OutputError(self.busy) from None
            raise OutputError(f"{self.path}: {error.strerror}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def append(self, lines: str) -> int:
        """Bring whole lines, ASCII only, to the disk; the place in the file where they begin.

        OutputError where that fails, with nothing half-written.
        """
        if self._descriptor < 0:
            raise ValueError("lines are written inside `with`")
        end = os.fstat(self._descriptor).st_size
        try:
            rest = memoryview(lines.encode("ascii"))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except BaseException as error:
            os.ftruncate(self._descriptor, end)
            if isinstance(error, OSError):
                raise OutputError(f"{self.path}: {error.strerror}") from error
            raise
        return end

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its place; OutputError where they cannot be read."""
        place = 0
        try:
            with self.path.open("rb") as file:
                for line in file:
                    yield place, line
                    place += len(line)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error

    def at(self, place: int) -> bytes:
        """The line at a place."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(place)
            return file.readline()

    def _lock(self) -> None:
        limit = time.monotonic() + self.patience
        while True:
            try:
                return lock(self._descriptor)
            except BlockingIOError:
                if time.monotonic() >= limit:
                    raise
            time.sleep(LOOK)

    def _end_torn_line(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if size:
            os.lseek(self._descriptor, size - 1, os.SEEK_SET)
            if os.read(self._descriptor, 1) != b"\n":
                os.write(self._descriptor, b"\n")

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # which unlocks it
            self._descriptor = -1


if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int) -> None:
        """Lock an open file against other processes; BlockingIOError where one has it."""
        # Windows' locks forbid reading too: lock a byte far behind any file's end.
        os.lseek(descriptor, 1 << 40, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error

else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Lock an open file against other processes; BlockingIOError where one has it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # A file system that knows no locks (some network ones) must not stop an archive.
            if error.errno not in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK):
                raise
