"""A ZIP made while it is sent: nothing is kept in memory, nothing written to the disk."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

CHUNK = 1 << 18


def stream_zip(files: Iterable[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """A ZIP of these files, by their names in it, stored as they are: pictures shrink no more."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in files:
            about = zipfile.ZipInfo(name)
            if isinstance(content, Path):
                about = zipfile.ZipInfo.from_file(content, name, strict_timestamps=False)
            with (
                content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as source,
                archive.open(about, "w", force_zip64=True) as target,
            ):
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    yield sink.take()
    yield sink.take()


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
