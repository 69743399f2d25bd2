"""Where each format keeps its metadata: read from sources, put into results.

libvips rewrites EXIF as it passes; here its bytes are carried as they are. Only AVIF's goes through
libvips.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from retint.formats import jp2, tiff, xmp
from retint.formats.chunks import read_png, read_webp
from retint.formats.codecs import Bytes, Coding, jpeg_quality, pnm_header, vips_blob
from retint.formats.metadata import (
    DENSITY_TAGS,
    EXIF_HEAD,
    IPTC_RESOURCE,
    PHOTOSHOP_HEAD,
    PIXEL_TAGS,
    Density,
    Metadata,
    density_of,
    described,
    image_resources,
    iptc_resource,
    with_resources,
)

XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
ICC_HEAD = b"ICC_PROFILE\0"


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
    found = with_resources(found, resources)
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
