"""Where each format keeps its metadata: read from sources, put into results.

libvips rewrites EXIF as it passes; here its bytes are carried as they are. Only AVIF's goes through
libvips.
"""

import binascii
import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from retint import jp2, tiff, xmp
from retint.codecs import Bytes, jpeg_quality, pnm_header, vips_blob
from retint.metadata import (
    DENSITY_TAGS,
    IPTC_RESOURCE,
    PIXEL_TAGS,
    Density,
    Metadata,
    density_of,
    described,
    image_resources,
    iptc_resource,
)

EXIF_HEAD = b"Exif\0\0"
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
ICC_HEAD = b"ICC_PROFILE\0"
PNG_XMP = b"XML:com.adobe.xmp"
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"tIME")
MOST_PNG_TEXT = 1 << 26


@dataclass(frozen=True)
class Coding:
    """How a source was coded, so that its result can be coded alike."""

    quality: int | None = None
    """libjpeg's, where the source is a JPEG."""
    lossless: bool = False
    interlaced: bool = False
    palette: bool = False
    samples: int = 0
    """Components of a JPEG; 0 elsewhere."""


# JPEG (ITU-T T.81; JFIF 1.02; CIPA DC-008; XMP part 3)


def jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Marker and payload of each segment before the first scan; ends where the file is damaged."""
    file.seek(2)
    while True:
        byte = file.read(1)
        if byte != b"\xff":
            return
        while byte == b"\xff":
            byte = file.read(1)
        marker = byte[0] if byte else 0xD9
        if marker in (0xDA, 0xD9):
            return
        if marker == 1 or 0xD0 <= marker <= 0xD7:
            continue
        head = file.read(2)
        if len(head) < 2:
            return
        yield marker, file.read(max(int.from_bytes(head, "big") - 2, 0))


def read_jpeg(file: BinaryIO) -> tuple[Metadata, Coding]:
    """Metadata of a JPEG, and its quality, progression and number of components."""
    found, coding = Metadata(), Coding()
    resources, more = b"", dict[int, bytes]()
    for marker, data in jpeg_segments(file):
        if marker == 0xE0 and data[:5] == b"JFIF\0" and len(data) >= 12:
            unit, x, y = struct.unpack_from(">BHH", data, 7)
            if x and y and unit in (1, 2):
                found = replace(found, density=Density(x, y, "inch" if unit == 1 else "cm"))
        elif marker == 0xE1 and data.startswith(EXIF_HEAD) and not found.exif:
            found = replace(found, exif=data[len(EXIF_HEAD) :])
        elif marker == 0xE1 and data.startswith(XMP_HEAD):
            found = replace(found, xmp=data[len(XMP_HEAD) :])
        elif marker == 0xE1 and data.startswith(XMP_MORE_HEAD):
            at = len(XMP_MORE_HEAD) + 32
            if len(data) > at + 8:
                more[struct.unpack_from(">I", data, at + 4)[0]] = data[at + 8 :]
        elif marker == 0xED and data.startswith(PHOTOSHOP_HEAD):
            resources += data[len(PHOTOSHOP_HEAD) :]
        elif marker == 0xFE:
            found = replace(found, comments=(*found.comments, data))
        elif marker == 0xDB and coding.quality is None and len(data) >= 65:
            words = data[0] >> 4 != 0
            if data[0] & 15 == 0 and len(data) >= (129 if words else 65):
                coding = replace(coding, quality=jpeg_quality(data[1:], words=words))
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(data) >= 6:
            coding = replace(coding, interlaced=marker in (0xC2, 0xC6, 0xCA), samples=data[5])
    if more and found.xmp:
        extension = b"".join(more[at] for at in sorted(more))
        try:
            found = replace(found, xmp=xmp.merged(found.xmp, extension))
        except xmp.XmpError as error:
            found = replace(found, notes=(*found.notes, f"its extended XMP is damaged ({error})"))
    found = _with_resources(found, resources)
    if found.density is None and found.exif:
        tags = found.directory()
        found = replace(found, density=density_of(tags) if tags else None)
    return found, coding


def quality_of_tables(data: bytes) -> int | None:
    """libjpeg's quality of a TIFF's JPEGTables, where they hold a luminance table."""
    for marker, segment in jpeg_segments(io.BytesIO(data)):
        if marker == 0xDB and len(segment) >= 65 and segment[0] == 0:
            return jpeg_quality(segment[1:])
    return None


def _with_resources(found: Metadata, data: bytes) -> Metadata:
    resources = image_resources(data)
    iptc = b"".join(payload for number, _, payload in resources if number == IPTC_RESOURCE)
    rest = b"".join(block for number, block, _ in resources if number != IPTC_RESOURCE)
    return replace(found, iptc=iptc or found.iptc, photoshop=rest)


def jpeg_edit(meta: Metadata, profile: bytes) -> Callable[[bytes], bytes]:
    """What puts metadata and profile behind a JPEG's first marker."""
    segments = b""

    def add(marker: int, data: bytes) -> None:
        nonlocal segments
        segments += struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    unit, x, y = 0, 1, 1
    if meta.density is not None:
        unit = {None: 0, "inch": 1, "cm": 2}[meta.density.unit]
        x, y = (min(max(round(v), 1), 65535) for v in (meta.density.x, meta.density.y))
    add(0xE0, b"JFIF\0\1\2" + struct.pack(">BHHBB", unit, x, y, 0, 0))
    exif = small_exif(meta, 65533 - len(EXIF_HEAD))
    if exif:
        add(0xE1, EXIF_HEAD + exif)
    packet, extension = meta.xmp, b""
    if len(packet) > 65533 - len(XMP_HEAD):
        packet, extension = xmp.split(packet)
    add(0xE1, XMP_HEAD + packet)
    guid = xmp.extension_guid(extension).encode()
    for at in range(0, len(extension), 65000):
        where = struct.pack(">II", len(extension), at)
        add(0xE1, XMP_MORE_HEAD + guid + where + extension[at : at + 65000])
    resources = meta.photoshop + (iptc_resource(meta.iptc) if meta.iptc else b"")
    for at in range(0, len(resources), 65000):
        add(0xED, PHOTOSHOP_HEAD + resources[at : at + 65000])
    parts = -(-len(profile) // 65000)
    for i in range(parts):
        part = profile[i * 65000 : (i + 1) * 65000]
        add(0xE2, ICC_HEAD + bytes([i + 1, parts]) + part)
    for comment in meta.comments:
        add(0xFE, comment[:65533])
    return lambda head: head[:2] + segments + head[2:]


def small_exif(meta: Metadata, limit: int) -> bytes:
    """The EXIF block if it fits; a TIFF's tags lose their largest values until they do."""
    block = meta.exif_block()
    if len(block) <= limit or meta.tags is None:
        return block if len(block) <= limit else b""
    tags = described(meta.tags)
    while len(block) > limit and tags.fields:
        largest = max(tags.fields, key=lambda tag: len(tags.fields[tag].data))
        del tags.fields[largest]
        block = tiff.block(tags)
    return block if len(block) <= limit else b""


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
        return replace(found, iptc=raw) if raw[:1] == b"\x1c" else _with_resources(found, raw)
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


# PNM: comments only


def read_pnm(file: BinaryIO) -> tuple[Metadata, Coding]:
    """Comments of a PNM."""
    try:
        comments = pnm_header(file).comments
    except ValueError:
        comments = ()
    return Metadata(comments=tuple(c.encode() for c in comments)), Coding(lossless=True)


PNM_MARK = b"Coloured by "


def pnm_head(meta: Metadata, width: int, height: int, bits: int, system: str) -> bytes:
    """Header of a binary PPM with its comments and, having no XMP, the mark in one of them."""
    mark = PNM_MARK + f"{system}; DigitalSourceType {xmp.COMPOSITE}".encode()
    lines = [re.sub(rb"[\r\n]", b" ", c) for c in (*meta.comments, mark)]
    comments = b"".join(b"# " + line + b"\n" for line in lines)
    return b"P6\n" + comments + b"%d %d\n%d\n" % (width, height, 2**bits - 1)


# JPEG 2000


def read_jp2(file: BinaryIO) -> tuple[Metadata, Coding]:
    """Metadata of a JPEG 2000 file."""
    found = Metadata()
    for kind, data in jp2.boxes(file):
        if kind == b"uuid" and data[:16] == jp2.XMP:
            found = replace(found, xmp=data[16:])
        elif kind == b"uuid" and data[:16] == jp2.EXIF:
            found = replace(found, exif=data[16:].removeprefix(EXIF_HEAD))
        elif kind == b"uuid" and data[:16] == jp2.IPTC:
            found = replace(found, iptc=data[16:])
        elif kind in (b"resc", b"resd") and (density := jp2.per_metre(data)):
            found = replace(found, density=Density(density[0] / 100, density[1] / 100, "cm"))
    return found, Coding()


# AVIF, through libvips


def read_avif(image: Any) -> tuple[Metadata, Coding]:
    """Metadata of an AVIF that libvips opened. Orientation is applied already, so it is dropped."""

    def blob(name: str) -> bytes:
        return bytes(image.get(name)) if image.get_typeof(name) else b""

    exif = blob("exif-data").removeprefix(EXIF_HEAD)
    found = Metadata(exif=exif, xmp=blob("xmp-data"))
    tags = found.directory()
    if tags is not None and tags.number(274, 1) != 1:
        tags.fields[274] = tiff.Field.of(3, 1)
        found = Metadata(exif=tiff.block(tags), xmp=found.xmp)
    return replace(found, density=density_of(tags) if tags else None), Coding()


def avif_fields(meta: Metadata, profile: bytes) -> dict[str, bytes]:
    """The metadata as libvips' fields."""
    fields = {"xmp-data": meta.xmp, "icc-profile-data": profile}
    if exif := meta.exif_block():
        fields["exif-data"] = EXIF_HEAD + exif
    return fields


def attach(image: Any, fields: dict[str, bytes]) -> Any:
    """A copy of a libvips image with these blobs."""
    image = image.copy()
    for name, data in fields.items():
        image.set_type(vips_blob(), name, data)
    return image


# TIFF


def read_tiff(page: tiff.Directory) -> Metadata:
    """Metadata of a TIFF page whose tags were read."""

    def data(tag: int) -> bytes:
        return page.fields[tag].data if tag in page.fields else b""

    iptc = data(33723)
    if iptc[:1] != b"\x1c" and iptc[3:4] == b"\x1c":  # bytes swapped, being declared as LONG
        iptc = b"".join(iptc[i : i + 4][::-1] for i in range(0, len(iptc), 4))
    resources = image_resources(data(34377))
    if not iptc:
        iptc = b"".join(payload for number, _, payload in resources if number == IPTC_RESOURCE)
    rest = b"".join(block for number, block, _ in resources if number != IPTC_RESOURCE)
    return Metadata(
        tags=described(page), xmp=data(700), iptc=iptc, photoshop=rest, density=density_of(page)
    )


def tiff_changes(
    meta: Metadata, profile: bytes
) -> tuple[dict[int, tiff.Field | None], dict[int, list[tiff.Directory]]]:
    """Fields and child directories to put into a TIFF page that libvips wrote without metadata."""
    changes: dict[int, tiff.Field | None] = dict.fromkeys(DENSITY_TAGS)
    tags = meta.directory() or tiff.Directory()
    changes |= {t: f for t, f in tags.fields.items() if t not in (*PIXEL_TAGS, *tiff.POINTERS)}
    if meta.density is not None and meta.tags is None:  # EXIF's own is often a stopgap of 72
        unit = {None: 1, "inch": 2, "cm": 3}[meta.density.unit]
        changes |= {282: _ratio(meta.density.x), 283: _ratio(meta.density.y)}
        changes[296] = tiff.Field.of(3, unit)
    for tag, data, kind in (
        (700, meta.xmp, 1), (33723, meta.iptc, 7), (34377, meta.photoshop, 7),
        (34675, profile, 7),
    ):  # fmt: skip
        if data:
            changes[tag] = tiff.Field(kind, len(data), data)
    return changes, tags.children


def _ratio(number: float) -> tiff.Field:
    over, under = round(number * 10000), 10000
    if number == int(number):
        over, under = int(number), 1
    return tiff.Field(5, 1, struct.pack("<II", min(over, 2**32 - 1), under))


def read(
    data: Bytes, name: str, image: Any, page: tiff.Directory | None
) -> tuple[Metadata, Coding]:
    """Metadata and coding of a source; `image` for AVIF, `page` for TIFF."""
    if name == "tiff" and page is not None:
        return read_tiff(page), Coding(lossless=page.number(259, 1) not in (6, 7, 50001, 34712))
    if name == "avif":
        return read_avif(image)
    readers = {"jpeg": read_jpeg, "png": read_png, "webp": read_webp, "pnm": read_pnm,
               "jp2": read_jp2}  # fmt: skip
    if name not in readers:
        return Metadata(), Coding(lossless=True)
    with data.open() as file:
        return readers[name](file)


def lost(meta: Metadata, name: str) -> tuple[str, ...]:
    """What a format has no place for, in words."""
    words = list[str]()
    if meta.iptc and name in ("webp", "avif", "pnm"):
        words.append("IPTC")
    if name == "pnm":
        words += [w for w, there in (("EXIF", meta.exif_block()), ("XMP", meta.xmp),
                                     ("density", meta.density)) if there]  # fmt: skip
    if meta.chunks and name != "png":
        words.append("PNG's text chunks")
    if meta.comments and name not in ("jpeg", "pnm"):
        words.append("comments")
    if name == "jpeg" and len(small_exif(meta, 65527)) < len(meta.exif_block()):
        words.append("EXIF beyond 64 kB")
    return tuple(f"{name.upper()} has no place for its {word}" for word in words)
