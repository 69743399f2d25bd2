"""Rows made in Python, streamed through a libvips saver, and its bytes streamed out to a file.

libvips pulls pixels from a source; ours is an uncompressed TIFF that exists only while it is read.
"""

import queue
import struct
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Generic, TypeVar

import pyvips

from retint.errors import OutputError

T = TypeVar("T")

RowBlock = memoryview


def rows_per_block(width: int) -> int:
    """Rows of one block: about half a million pixels, a multiple of 16 (JPEG blocks, tiles)."""
    return max(16, min(1024, (2**19 // max(width, 1)) // 16 * 16))


def raw_tiff(
    width: int, height: int, bands: int, bits: int, *, rows: int, order: str = "<",
    white_is_zero: bool = False, big: bool = True,
) -> bytes:  # fmt: skip
    """Header of an uncompressed TIFF whose pixels follow it at once, row by row, to the byte.

    `bits` 1, 8 or 16; `order` "<" or ">" is the byte order of the pixels too; `big` makes it a
    BigTIFF, as more than 4 GB need (TIFF 6.0, BigTIFF).
    """
    strips = -(-height // rows)
    row_bytes = (width * bands * bits + 7) // 8
    # 0 white is zero, 1 black is zero, 2 RGB
    photometric = 0 if white_is_zero else 2 if bands >= 3 else 1
    place, count, offset = ("Q", "Q", 8) if big else ("I", "H", 4)
    counts = [min(rows, height - i * rows) * row_bytes for i in range(strips)]
    fields: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [bits] * bands),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, place, [0] * strips),
        (277, "H", [bands]),
        (278, "I", [rows]),
        (279, place, counts),
        (284, "H", [1]),
    ]
    if bands in (2, 4):
        fields.append((338, "H", [2]))
    types = {"H": 3, "I": 4, "Q": 16}
    sizes = [struct.calcsize(order + code) * len(values) for _, code, values in fields]
    start = 2 * offset
    after = start + struct.calcsize(order + count) + (4 + 2 * offset) * len(fields) + offset
    pixels = -(-(after + sum(size for size in sizes if size > offset)) // 16) * 16
    fields[5] = (273, place, [pixels + i * rows * row_bytes for i in range(strips)])

    entries, outside = b"", b""
    for tag, code, values in fields:
        data = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(data) <= offset:
            value = data.ljust(offset, b"\0")
        else:
            value = struct.pack(order + place, after + len(outside))
            outside += data
        entries += struct.pack(order + "HH" + place, tag, types[code], len(values)) + value
    head = b"II" if order == "<" else b"MM"
    head += (
        struct.pack(order + "HHHQ", 43, 8, 0, start)
        if big
        else struct.pack(order + "HI", 42, start)
    )
    head += struct.pack(order + count, len(fields))
    return (head + entries + bytes(offset) + outside).ljust(pixels, b"\0")


class Ahead(Generic[T]):
    """An iterator that runs another one in a thread of its own, at most `depth` items ahead."""

    def __init__(self, items: Iterator[T], depth: int = 2) -> None:
        self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    def _run(self, items: Iterator[T]) -> None:
        try:
            for item in items:
                if not self._put((item, None)):
                    return
            self._put((None, StopIteration()))
        except BaseException as error:  # carried over to the thread that asks
            self._put((None, error))

    def _put(self, item: tuple[T | None, BaseException | None]) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> "Ahead[T]":
        return self

    def __next__(self) -> T:
        while not self._stop.is_set():
            try:
                item, error = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            return item  # pyright: ignore[reportReturnType]
        raise StopIteration

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._stop.set()
        self._thread.join()


class RowSource:
    """A picture libvips can read once, from the top: header bytes, then blocks of whole rows.

    An error raised by `blocks` ends the reading; it is kept in `error`, since libvips would
    otherwise only report a short file.
    """

    def __init__(self, header: bytes, blocks: Iterator[RowBlock], size: int) -> None:
        self._header, self._blocks, self._size = header, blocks, len(header) + size
        self._position = 0
        self._block, self._start = memoryview(b""), len(header)
        self.error: BaseException | None = None
        self._cancelled = False
        self._source: Any = pyvips.SourceCustom()
        self._source.on_read(self._read)
        self._source.on_seek(self._seek)

    def image(self) -> pyvips.Image:
        """The picture as a libvips image; it lives no longer than this object."""
        return open_raw_tiff(self._source)

    @property
    def exhausted(self) -> bool:
        """Whether every row was handed out."""
        return self._start + len(self._block) == self._size

    def cancel(self) -> None:
        """Let the next read fail."""
        self._cancelled = True

    def _seek(self, offset: int, whence: int) -> int:
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def _read(self, length: int) -> bytes | memoryview | None:
        try:
            return self._next(length)
        except BaseException as error:  # nothing may be raised through C
            self.error = self.error or error
            return None

    def _next(self, length: int) -> bytes | memoryview | None:
        if self._cancelled or self.error is not None:
            return None
        if self._position < len(self._header):
            data: bytes | memoryview = self._header[self._position : self._position + length]
            self._position += len(data)
            return data
        parts: list[memoryview] = []
        while length > 0 and self._position < self._size:
            if self._position >= self._start + len(self._block):
                self._start += len(self._block)
                self._block = next(self._blocks)
            at = self._position - self._start
            if at < 0:
                raise OSError("rows are read once, from the top")
            part = self._block[at : at + length]
            self._position += len(part)
            length -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class FileSource:
    """Raw pixels inside a file (a PNM), shown to libvips as the TIFF that `header` describes.

    The file is closed with it.
    """

    def __init__(self, header: bytes, file: BinaryIO, offset: int, size: int) -> None:
        self._header, self._file, self._offset = header, file, offset
        weakref.finalize(self, file.close)
        self._size, self._position = len(header) + size, 0
        self._source: Any = pyvips.SourceCustom()
        self._source.on_read(self._read)
        self._source.on_seek(self._seek)

    def image(self) -> pyvips.Image:
        """The picture as a libvips image; it lives no longer than this object."""
        return open_raw_tiff(self._source)

    def _seek(self, offset: int, whence: int) -> int:
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def _read(self, length: int) -> bytes | None:
        start = self._position
        data = self._header[start : start + length]
        if len(data) < length and start + len(data) < self._size:
            try:
                self._file.seek(self._offset + start + len(data) - len(self._header))
                wanted = min(length - len(data), self._size - start - len(data))
                data += self._file.read(wanted)
            except (OSError, ValueError):
                return None
        self._position += len(data)
        return data


def open_raw_tiff(source: Any) -> pyvips.Image:
    """A sequential libvips image of a TIFF source; a short or failing source is an error."""
    vips: Any = pyvips.Image
    return vips.tiffload_source(source, access="sequential", fail_on="error")


class Sink:
    """Where a saver's bytes go: a seekable file from `base` on.

    `edit` is called once with the first `head` bytes (all of them if None) and returns what to
    write instead. The first OSError is kept in `error`.
    """

    def __init__(
        self, file: BinaryIO, *, edit: Callable[[bytes], bytes] | None = None,
        head: int | None = 0,
    ) -> None:  # fmt: skip
        self._file, self._base = file, file.seek(0, 2)
        self._edit, self._head = edit, head
        self._waiting = bytearray()
        self.error: BaseException | None = None
        self.target: Any = pyvips.TargetCustom()
        self.target.on_write(self._guarded(self._write))
        self.target.on_read(self._guarded(file.read))
        self.target.on_seek(self._guarded(self._seek))

    def close(self) -> None:
        """Write what still waits for the edit."""
        self._flush()

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any) -> Any:
            try:
                return call(*args)
            except BaseException as error:  # nothing may be raised through C
                self.error = self.error or error
                return -1 if call != self._file.read else None

        return guarded

    def _write(self, data: Any) -> int:
        if self._edit is None:
            self._file.write(data)
        else:
            self._waiting += bytes(data)
            if self._head is not None and len(self._waiting) >= self._head:
                self._flush()
        return len(data)

    def _flush(self) -> None:
        if self._edit is not None:
            edit, self._edit = self._edit, None
            self._file.write(edit(bytes(self._waiting)))
            self._waiting.clear()

    def _seek(self, offset: int, whence: int) -> int:
        return self._file.seek(offset + (self._base if whence == 0 else 0), whence) - self._base


def pump(rows: RowSource, sink: Sink, save: Callable[[Any, Any], None]) -> None:
    """Call `save(image, target)` in a thread, so that Ctrl-C is heard; raise what went wrong.

    An error of the rows comes first, then one of the sink, then the saver's own as OutputError.
    """
    failed: list[BaseException] = []

    def work() -> None:
        try:
            save(rows.image(), sink.target)
            sink.close()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
    except BaseException:
        rows.cancel()
        thread.join()
        raise
    for error in (rows.error, sink.error, *failed):
        if isinstance(error, pyvips.Error):
            raise OutputError(reason(error)) from error
        if error is not None:
            raise error
    if not rows.exhausted:
        raise OutputError("the encoder stopped before the last row")


def reason(error: BaseException) -> str:
    """What libvips complains about, in one line."""
    if not isinstance(error, pyvips.Error):
        return str(error)
    lines = [line.strip() for line in str(error.detail).splitlines() if line.strip()]
    return lines[0] if lines else str(error.message)
