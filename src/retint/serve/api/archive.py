"""A ZIP made while it is sent: nothing is kept in memory, nothing written to the disk."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

CHUNK = 1 << 18


def stream_zip(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """A ZIP of these files: names, and contents in pieces, stored as they are: pictures shrink no
    more.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, pieces in files:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
                for piece in pieces:
                    target.write(piece)
                    yield sink.take()
    yield sink.take()


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file's content."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK), b"")


class _Sink(io.RawIOBase):
    """A file that cannot be sought, and gives up what was written into it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self._written)
        self._written.clear()
        return taken
