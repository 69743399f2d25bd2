"""Parts of a JPEG that is divided by restart markers (ITU-T T.81, B.2)."""

from collections.abc import Sequence

_FRAMES = (0xC0, 0xC1, 0xC2)
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = b"\xff\xd9"

BAND = 8
"""Rows of a row of blocks, where no component is subsampled."""


def bands(data: bytes, wanted: Sequence[int]) -> bytes:
    """A JPEG of some rows of blocks of another: `wanted` by number from the top, in any order.

    data: one scan, no component subsampled, a restart marker after each row of blocks. Their coded
    bytes are taken as they are. Raises ValueError for a JPEG of another kind.
    """
    height_at, scan = _places(data)
    height = int.from_bytes(data[height_at : height_at + 2], "big")
    cuts = [scan]
    for row in range(-(-height // BAND) - 1):
        cuts.append(data.index(_restart(row), cuts[-1]) + 2)
    cuts.append(data.rindex(_END_OF_IMAGE) + 2)
    parts = [data[:height_at], (BAND * len(wanted)).to_bytes(2, "big"), data[height_at + 2 : scan]]
    for i, row in enumerate(wanted):
        parts += [_restart(i - 1)] if i else []
        parts.append(data[cuts[row] : cuts[row + 1] - 2])
    return b"".join([*parts, _END_OF_IMAGE])


def _restart(row: int) -> bytes:
    return bytes((0xFF, 0xD0 + row % 8))


def _places(data: bytes) -> tuple[int, int]:
    """Where the height stands, and where the scan's coded bytes begin."""
    at, height_at = 2, 0
    while data[at : at + 1] == b"\xff":
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            height_at = at + 5
        if marker == _START_OF_SCAN and height_at:
            return height_at, end
        at = end
    raise ValueError("not a JPEG of one scan")
