"""What a photograph says about itself, carried to the result; and the mark that says what was done.

`Metadata` is one value for all formats; where each format keeps its parts is told in
`containers.py`.
"""

import importlib.metadata
import io
import math
import struct
from dataclasses import dataclass, replace
from typing import Literal

from retint.formats import tiff, xmp

EXIF_HEAD = b"Exif\0\0"
PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
COLOR_SPACE = 0xA001
IPTC_RESOURCE = 0x0404
# Photoshop's resources that no longer hold for the result: thumbnails, profile, EXIF and XMP (which
# have places of their own)
STALE_RESOURCES = (0x0409, 0x040C, 0x040F, 0x0422, 0x0423, 0x0424)

# Tags that describe how pixels are stored, or that this room writes anew
PIXEL_TAGS = frozenset(
    [256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290,
     291, 292, 293, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333,
     334, 336, 338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 433, 434, 435, 512, 513, 514, 515,
     517, 518, 519, 520, 521, 529, 530, 531, 532, 559, 700, 32781, 32995, 32996, 32997, 32998,
     33723, 34377, 34675, 37724, 65280]
)  # fmt: skip
DENSITY_TAGS = (282, 283, 296)


@dataclass(frozen=True)
class Mark:
    """Which model gave the colours: what the result's XMP names as the system and its version."""

    model: str = "unnamed model"
    version: str = ""


@dataclass(frozen=True)
class Density:
    """Pixels per unit of length; without a unit only the pixels' shape is meant."""

    x: float
    y: float
    unit: Literal["inch", "cm"] | None = "inch"

    def per_inch(self) -> tuple[float, float] | None:
        """Dots per inch, if a unit is known."""
        if self.unit is None:
            return None
        factor = 2.54 if self.unit == "cm" else 1.0
        return self.x * factor, self.y * factor


@dataclass(frozen=True)
class Metadata:
    """The parts of a file that are not pixels. Bytes are as found; empty where there is nothing."""

    exif: bytes = b""
    """An EXIF block from its "II" or "MM" on; never of a TIFF, whose tags it would repeat."""
    tags: tiff.Directory | None = None
    """A TIFF page's describing tags, with EXIF and GPS as children."""
    xmp: bytes = b""
    iptc: bytes = b""
    """IIM records."""
    photoshop: bytes = b""
    """Photoshop's image resources but for the IPTC one."""
    density: Density | None = None
    comments: tuple[bytes, ...] = ()
    """Comments of a JPEG or PNM."""
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    """A PNG's text and time chunks as (type, data)."""
    notes: tuple[str, ...] = ()
    """What could not be read or kept, in words."""

    @property
    def orientation(self) -> int:
        """EXIF orientation 1..8; 1 where none is told."""
        tags = self.directory()
        found = 1 if tags is None else tags.number(274, 1)
        return found if 1 <= found <= 8 else 1

    def directory(self) -> tiff.Directory | None:
        """The EXIF as tags, whichever way it was found; None if there is none or it is damaged."""
        if self.tags is not None or not self.exif:
            return self.tags
        try:
            page = tiff.read(io.BytesIO(self.exif)).pages[0]
        except tiff.TiffError:
            return None
        return described(page)

    def exif_block(self) -> bytes:
        """The EXIF as a block, whichever way it was found."""
        if self.exif or self.tags is None or not (self.tags.fields or self.tags.children):
            return self.exif
        return tiff.block(self.tags)


def described(page: tiff.Directory) -> tiff.Directory:
    """A page's tags without those about its pixels."""
    left = (*PIXEL_TAGS, *tiff.POINTERS)
    fields = {t: f for t, f in page.fields.items() if t not in left}
    children = {t: c for t, c in page.children.items() if t != tiff.SUB_IFDS}
    return tiff.Directory(fields, children)


def density_of(page: tiff.Directory) -> Density | None:
    """Density from the tags XResolution, YResolution and ResolutionUnit (TIFF 6.0)."""
    if 282 not in page.fields:
        return None
    x = page.fields[282].rational()
    y = page.fields.get(283, page.fields[282]).rational()
    if not (math.isfinite(x) and math.isfinite(y) and x > 0 and y > 0):
        return None
    units: dict[int, Literal["inch", "cm"] | None] = {1: None, 2: "inch", 3: "cm"}
    return Density(x, y, units.get(page.number(296, 2)))


def for_result(source: Metadata, mark: Mark) -> Metadata:
    """The metadata of the coloured result: the source's, marked, without grey thumbnails.

    EXIF keeps every byte but the thumbnail's and ColorSpace, which becomes sRGB. What could not be
    kept is told in `notes`.
    """
    version = importlib.metadata.version("retint")
    packet, wrong = xmp.marked(
        source.xmp,
        system=f"retint {mark.model}",
        version=mark.version or version,
        software=f"retint {version}",
    )
    notes = [*source.notes]
    if wrong:
        notes.append(wrong)
    exif = source.exif
    if exif:
        try:
            exif = without_thumbnail(exif)
        except tiff.TiffError as error:
            notes.append(f"its EXIF is damaged ({error}); it is carried as it was")
    tags = source.tags
    if tags is not None:
        tags = tiff.Directory(dict(tags.fields), {t: list(c) for t, c in tags.children.items()})
        tags.children[tiff.EXIF] = [_in_srgb(d) for d in tags.children.get(tiff.EXIF, [])]
    resources = [r for r in image_resources(source.photoshop) if r[0] not in STALE_RESOURCES]
    return replace(
        source, exif=exif, tags=tags, xmp=packet, photoshop=b"".join(r[1] for r in resources),
        notes=tuple(notes),
    )  # fmt: skip


def _in_srgb(exif: tiff.Directory) -> tiff.Directory:
    if COLOR_SPACE not in exif.fields:
        return exif
    fields = {**exif.fields, COLOR_SPACE: tiff.Field.of(3, 1)}
    return tiff.Directory(fields, exif.children)


def without_thumbnail(block: bytes) -> bytes:
    """An EXIF block without its second directory and thumbnail, and with ColorSpace sRGB.

    Nothing else moves, so that maker notes, which count from the block's start, stay readable.
    Raises TiffError.
    """
    chain = tiff.read(io.BytesIO(block))
    if chain.big:
        raise tiff.TiffError("a BigTIFF")
    data, order = bytearray(block), chain.order

    def end_of(directory: tiff.Directory) -> int:
        count = struct.unpack_from(order + "H", data, directory.offset)[0]
        return directory.offset + 2 + 12 * count

    for page in chain.pages[1:]:
        start, length = page.number(513), page.number(514)
        data[start : start + length] = bytes(len(data[start : start + length]))
        data[page.offset : end_of(page) + 4] = bytes(end_of(page) + 4 - page.offset)
    first = chain.pages[0]
    struct.pack_into(order + "I", data, end_of(first), 0)
    for exif in first.children.get(tiff.EXIF, []):
        for at in range(exif.offset + 2, end_of(exif), 12):
            if struct.unpack_from(order + "HHI", data, at) == (COLOR_SPACE, 3, 1):
                struct.pack_into(order + "H", data, at + 8, 1)
    extent = tiff.read(io.BytesIO(data)).extent
    return bytes(data[:extent]) + bytes(data[extent:]).rstrip(b"\0")


def image_resources(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Photoshop's image resources as (id, whole block, payload); a damaged tail is left out."""
    found = list[tuple[int, bytes, bytes]]()
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        name = data[at + 6]
        payload = at + 6 + (name + 2) // 2 * 2 + 4
        if payload > len(data):
            break
        number, size = (
            struct.unpack_from(">H", data, at + 4)[0],
            struct.unpack_from(">I", data, payload - 4)[0],
        )
        end = payload + size
        if end > len(data):
            break
        found.append((number, data[at:end] + bytes(size % 2), data[payload:end]))
        at = end + size % 2
    return found


def iptc_resource(iptc: bytes) -> bytes:
    """IIM records wrapped as Photoshop's image resource."""
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)


def with_resources(found: Metadata, data: bytes) -> Metadata:
    """Metadata with what a block of Photoshop's image resources holds."""
    resources = image_resources(data)
    iptc = b"".join(payload for number, _, payload in resources if number == IPTC_RESOURCE)
    rest = b"".join(block for number, block, _ in resources if number != IPTC_RESOURCE)
    return replace(found, iptc=iptc or found.iptc, photoshop=rest)
