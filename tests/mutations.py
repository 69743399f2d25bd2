"""Files as strangers send them: one of every kind that is read, and what is left of them."""

import io
import random
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyvips

from conftest import scene

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def originals() -> dict[str, bytes]:
    """Small photographs by name: every format, coding and depth, with and without metadata."""
    grey = (scene(48, 64) @ (0.2126, 0.7152, 0.0722) * 65535).astype(np.uint16)
    deep: Any = pyvips.Image.new_from_array(grey).copy(interpretation="grey16")
    small: Any = (deep >> 8).cast("uchar").copy(interpretation="b-w").copy()
    small.set_type(pyvips.GValue.blob_type, "exif-data", _exif(b"Attic, <script>alert(1)</script>"))
    small.set_type(pyvips.GValue.blob_type, "xmp-data", XMP)
    small.set_type(pyvips.GValue.blob_type, "iptc-data", b"\x1c\x02\x78\0\5Attic")
    profile: Any = pyvips.Operation.call("profile_load", "srgb")
    colour: Any = small.copy(interpretation="b-w").bandjoin([small, small])
    colour = colour.copy(interpretation="srgb")
    toned = colour.copy()
    toned.set_type(pyvips.GValue.blob_type, "icc-profile-data", bytes(profile))
    pages: Any = small.join(small, "vertical").copy()
    pages.set_type(pyvips.GValue.gint_type, "page-height", 48)
    found: dict[str, bytes] = {
        "grey.jpg": small.jpegsave_buffer(),
        "progressive.jpg": toned.jpegsave_buffer(interlace=True, restart_interval=4),
        "cmyk.jpg": colour.bandjoin(small).copy(interpretation="cmyk").jpegsave_buffer(),
        "grey.png": small.pngsave_buffer(),
        "deep.png": deep.pngsave_buffer(interlace=True),
        "palette.png": toned.pngsave_buffer(palette=True),
        "alpha.png": toned.bandjoin(255).pngsave_buffer(),
        "strips.tif": small.tiffsave_buffer(compression="lzw", predictor="horizontal"),
        "tiles.tif": deep.tiffsave_buffer(tile=True, tile_width=16, tile_height=16, pyramid=True),
        "bilevel.tif": small.tiffsave_buffer(bitdepth=1, compression="ccittfax4"),
        "jpeg.tif": toned.tiffsave_buffer(compression="jpeg"),
        "pages.tif": pages.tiffsave_buffer(compression="deflate"),
        "big.tif": deep.tiffsave_buffer(bigtiff=True),
        "lossy.webp": toned.webpsave_buffer(),
        "lossless.webp": small.webpsave_buffer(lossless=True),
        "a.avif": small.heifsave_buffer(compression="av1", effort=0),
        "a.gif": small.gifsave_buffer(),
        "a.pgm": b"P5\n# attic\n64 48 255\n" + (grey >> 8).astype(np.uint8).tobytes(),
        "deep.ppm": b"P6 64 48 65535\n" + np.repeat(grey, 3).astype(">u2").tobytes(),
        "plain.pgm": b"P2 4 2 9\n1 2 3 4\n5 6 7 8\n",
    }
    return found | _by_pillow(np.asarray(grey >> 8, np.uint8))


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-sy'
    b'ntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" rdf:about="">'
    b'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">&lt;script&gt;alert(1)&lt;/script&gt;</rdf:li'
    b"></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def _exif(words: bytes) -> bytes:
    entries = struct.pack("<HHII", 270, 2, len(words), 38) + struct.pack("<HHIHH", 274, 3, 1, 6, 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4) + words


def _by_pillow(grey: np.ndarray) -> dict[str, bytes]:
    try:
        from PIL import Image
    except ImportError:
        return {}
    found: dict[str, bytes] = {}
    for name, format in (("a.bmp", "BMP"), ("a.jp2", "JPEG2000")):
        file = io.BytesIO()
        Image.fromarray(grey).save(file, format)
        found[name] = file.getvalue()
    return found


def mutants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """So many broken files, by the names of what they were; the same ones for the same seed."""
    rng, whole = random.Random(seed), originals()
    names = sorted(whole)
    for number in range(count):
        name = names[number % len(names)]
        data = bytearray(whole[name])
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            data = rng.choice(CHANGES)(rng, data, whole[rng.choice(names)])
        yield f"{number}-{name}", bytes(data[: 1 << 20])


def _place(rng: random.Random, data: bytearray) -> int:
    """Somewhere, half of the time in the head, where most of the meaning is."""
    return rng.randrange(max(1, min(len(data), rng.choice((64, 400, len(data) + 1)))))


def _flip(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    at = _place(rng, data)
    data[at : at + 1] = bytes([rng.randrange(256)])
    return data


def _number(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    at, size = _place(rng, data), rng.choice((1, 2, 4, 8))
    value = rng.choice(EXTREMES) & (1 << 8 * size) - 1
    data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return data


def _cut(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    return data[: _place(rng, data)] if rng.random() < 0.3 else data


def _drop(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 2, 4, 12, 100))]
    return data


def _repeat(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    at, size = _place(rng, data), rng.choice((2, 12, 100, 1000))
    return data[: at + size] + data[at : at + size] * rng.choice((1, 3, 50)) + data[at + size :]


def _splice(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    at = _place(rng, data)
    return data[:at] + other[rng.randrange(len(other)) :] + data[at:]


CHANGES = (_flip, _flip, _number, _number, _number, _cut, _drop, _repeat, _splice)
