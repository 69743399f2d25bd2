"""The boxes of a JPEG 2000 file: profile, density, XMP, EXIF, IPTC (ISO 15444-1, annex I)."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
EXIF = b"JpgTiffExif->JP2"

MOST = 1 << 26


def boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box, those inside the header's and the resolution's boxes too.

    The codestream and other boxes of more than 64 MB are passed over; ends where it is damaged.
    """
    yield from _boxes(file, 0, file.seek(0, 2))


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= end:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        inside = at + 8
        if length == 1 and inside + 8 <= end:
            (length,) = struct.unpack(">Q", file.read(8))
            inside += 8
        after = end if length == 0 else at + length
        if not inside <= after <= end:
            return
        if kind in (b"jp2h", b"res "):
            yield from _boxes(file, inside, after)
        elif kind != b"jp2c" and after - inside <= MOST:
            file.seek(inside)
            yield kind, file.read(after - inside)
        at = after


def profile(file: BinaryIO) -> bytes:
    """The embedded ICC profile, or nothing."""
    for kind, data in boxes(file):
        if kind == b"colr" and data[:1] in (b"\2", b"\3"):
            return data[3:]
    return b""


def per_metre(data: bytes) -> tuple[float, float] | None:
    """Pixels per metre across and down of a capture or display resolution box."""
    if len(data) < 10:
        return None
    down, down_by, across, across_by, down_ten, across_ten = struct.unpack(">HHHHbb", data[:10])
    if not (down and down_by and across and across_by):
        return None
    return across / across_by * 10.0**across_ten, down / down_by * 10.0**down_ten
