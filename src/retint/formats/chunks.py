"""PNG's and WebP's chunks: metadata read from sources, put into results."""

import binascii
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from retint.formats.codecs import Coding
from retint.formats.metadata import (
    EXIF_HEAD,
    PHOTOSHOP_HEAD,
    Density,
    Metadata,
    density_of,
    iptc_resource,
    with_resources,
)

PNG_XMP = b"XML:com.adobe.xmp"
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"tIME")
MOST_PNG_TEXT = 1 << 26

# PNG (ISO 15948, third edition)


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of each chunk; the pixels' data is left empty. Ends where it is damaged."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind in (b"IDAT", b"fdAT") or length > MOST_PNG_TEXT:
            file.seek(length + 4, 1)
            yield kind, b""
        else:
            data = file.read(length)
            if len(file.read(4)) < 4:
                return
            yield kind, data


def read_png(file: BinaryIO) -> tuple[Metadata, Coding]:
    """Metadata of a PNG, and whether it is interlaced."""
    found, coding = Metadata(), Coding(lossless=True)
    for kind, data in png_chunks(file):
        if kind == b"IHDR" and len(data) >= 13:
            coding = replace(coding, interlaced=data[12] == 1, palette=data[9] == 3)
        elif kind == b"pHYs" and len(data) == 9:
            x, y, unit = struct.unpack(">IIB", data)
            # pixels per metre; to the inch's two decimals that writers start from
            if x and y and unit == 1:
                found = replace(found, density=Density(x / 100, y / 100, "cm"))
        elif kind == b"eXIf":
            found = replace(found, exif=data.removeprefix(EXIF_HEAD))
        elif kind == b"iTXt" and data.startswith(PNG_XMP + b"\0"):
            found = replace(found, xmp=_international_text(data))
        elif kind in (b"zTXt", b"tEXt") and data.lower().startswith(b"raw profile type "):
            found = _with_raw_profile(found, data, compressed=kind == b"zTXt")
        elif kind in PNG_TEXTS:
            found = replace(found, chunks=(*found.chunks, (kind, data)))
    return found, coding


def _international_text(data: bytes) -> bytes:
    try:
        _, rest = data.split(b"\0", 1)
        compressed = rest[:1] == b"\1"
        text = rest[2:].split(b"\0", 2)[2]
    except (ValueError, IndexError):
        return b""
    return inflated(text) if compressed else text


def inflated(data: bytes) -> bytes:
    """Undo zlib; at most 64 MB, and nothing where the data is damaged."""
    try:
        return zlib.decompressobj().decompress(data, MOST_PNG_TEXT)
    except zlib.error:
        return b""


def _with_raw_profile(found: Metadata, data: bytes, *, compressed: bool) -> Metadata:
    # ImageMagick's way, which others read too: name, length, hex
    name, _, text = data.partition(b"\0")
    if compressed:
        text = inflated(text[1:])
    kind = name[len(b"raw profile type ") :].lower()
    match = re.match(rb"\s*[^\n]*\n\s*\d+\s+", text)
    try:
        raw = binascii.unhexlify(re.sub(rb"\s", b"", text[match.end() :])) if match else b""
    except binascii.Error:
        raw = b""
    if kind in (b"exif", b"app1") and raw.startswith(EXIF_HEAD):
        return found if found.exif else replace(found, exif=raw[len(EXIF_HEAD) :])
    if kind == b"xmp" and not found.xmp:
        return replace(found, xmp=raw)
    if kind in (b"iptc", b"8bim"):
        raw = raw.removeprefix(PHOTOSHOP_HEAD)
        return replace(found, iptc=raw) if raw[:1] == b"\x1c" else with_resources(found, raw)
    return found


def png_edit(meta: Metadata, profile: bytes) -> Callable[[bytes], bytes]:
    """What puts metadata and profile behind a PNG's header chunk."""
    chunks = list[tuple[bytes, bytes]]()
    if profile:
        chunks.append((b"iCCP", b"sRGB\0\0" + zlib.compress(profile)))
    if meta.density is not None and (dpi := meta.density.per_inch()) is not None:
        x, y = (round(v / 0.0254) for v in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif := meta.exif_block():
        chunks.append((b"eXIf", exif))
    chunks.append((b"iTXt", PNG_XMP + b"\0\0\0\0\0" + meta.xmp))
    resources = meta.photoshop + (iptc_resource(meta.iptc) if meta.iptc else b"")
    if resources:
        digits = binascii.hexlify(resources)
        lines = b"\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
        text = b"\niptc\n%8d\n%s\n" % (len(resources), lines)
        chunks.append((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(text)))
    chunks += meta.chunks
    written = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )

    def edit(head: bytes) -> bytes:
        rest = head[33:]
        if rest[4:8] == b"pHYs":  # libvips always tells a density
            rest = rest[21:]
        return head[:33] + written + rest

    return edit


# WebP (RFC 9649)


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and payload of each chunk of a RIFF WEBP file."""
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def read_webp(file: BinaryIO) -> tuple[Metadata, Coding]:
    """Metadata of a WebP, and whether it is lossless."""
    found, coding = Metadata(), Coding()
    file.seek(0)
    for kind, data in webp_chunks(file.read()):
        if kind == b"EXIF":
            found = replace(found, exif=data.removeprefix(EXIF_HEAD))
        elif kind == b"XMP ":
            found = replace(found, xmp=data)
        elif kind == b"VP8L":
            coding = replace(coding, lossless=True)
    tags = found.directory()
    return replace(found, density=density_of(tags) if tags else None), coding


def webp_edit(meta: Metadata, profile: bytes, width: int, height: int) -> Callable[[bytes], bytes]:
    """What turns a WebP into an extended one with metadata and profile."""

    def edit(data: bytes) -> bytes:
        pixels = [(k, d) for k, d in webp_chunks(data) if k in (b"ALPH", b"VP8 ", b"VP8L")]
        extended = [d for k, d in webp_chunks(data) if k == b"VP8X"]
        alpha = any(k == b"ALPH" for k, _ in pixels) or any(d[0] & 0x10 for d in extended)
        alpha = alpha or any(k == b"VP8L" and d[4] & 0x10 for k, d in pixels)
        exif = meta.exif_block()
        flags = 0x20 * bool(profile) | 0x10 * alpha | 0x08 * bool(exif) | 0x04
        size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        chunks = [(b"VP8X", bytes([flags, 0, 0, 0]) + size)]
        if profile:
            chunks.append((b"ICCP", profile))
        chunks += pixels
        if exif:
            chunks.append((b"EXIF", exif))
        chunks.append((b"XMP ", meta.xmp))
        body = b"WEBP" + b"".join(
            k + struct.pack("<I", len(d)) + d + bytes(len(d) % 2) for k, d in chunks
        )
        return b"RIFF" + struct.pack("<I", len(body)) + body

    return edit
