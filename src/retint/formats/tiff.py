"""The tags of a TIFF, read and written: for TIFF files, and for EXIF blocks, which are small TIFFs.

Classic TIFF 6.0 and BigTIFF, both byte orders, chains of pages, and the directories that fields
point to (EXIF, GPS, interoperability, SubIFDs). Pixels are never touched.
"""

import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

EXIF, GPS, INTEROPERABILITY, SUB_IFDS = 34665, 34853, 40965, 330
POINTERS = (EXIF, GPS, INTEROPERABILITY, SUB_IFDS)
OFFSETS = (273, 324)
"""StripOffsets and TileOffsets: fields whose values are places in the file."""

# bytes of one value by field type: TIFF 6.0 1..12, IFD 13, BigTIFF 16..18
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
         16: 8, 17: 8, 18: 8}  # fmt: skip
# unit in which a value's bytes are swapped
_WORDS = {**SIZES, 5: 4, 10: 4}
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 13: "u4",
            16: "u8", 17: "i8", 18: "u8"}  # fmt: skip

MOST_DIRECTORIES = 100_000
MOST_FIELDS = 4096


class TiffError(ValueError):
    """The tags are damaged: cut off, in a loop, or pointing outside the file."""


@dataclass(frozen=True)
class Field:
    """One tag's value: TIFF type, count, and its bytes in little-endian order."""

    type: int
    count: int
    data: bytes

    def numbers(self) -> list[int]:
        """The values as whole numbers; empty for text and rationals."""
        code = _NUMBERS.get(self.type)
        return [] if code is None else [int(v) for v in np.frombuffer(self.data, "<" + code)]

    def number(self, default: int = 0) -> int:
        """The first value as a whole number."""
        numbers = self.numbers()
        return numbers[0] if numbers else default

    def rational(self) -> float:
        """The first value as a float, whatever its numeric type; NaN where there is none."""
        if self.type in (5, 10) and len(self.data) >= 8:
            over, under = struct.unpack_from("<II" if self.type == 5 else "<ii", self.data)
            return over / under if under else float("nan")
        code = _NUMBERS.get(self.type)
        return (
            float(np.frombuffer(self.data, "<" + code)[0]) if code and self.data else float("nan")
        )

    @classmethod
    def of(cls, kind: int, *values: int) -> "Field":
        """A field of whole numbers of the given TIFF type."""
        return cls(kind, len(values), np.array(values, "<" + _NUMBERS[kind]).tobytes())


@dataclass
class Directory:
    """One IFD: fields by tag, and the directories that pointer fields lead to."""

    fields: dict[int, Field] = field(default_factory=dict[int, Field])
    children: dict[int, list["Directory"]] = field(default_factory=dict[int, list["Directory"]])
    offset: int = 0
    """Where it was read."""

    def number(self, tag: int, default: int = 0) -> int:
        """First value of a field of whole numbers, or the default where it is missing."""
        found = self.fields.get(tag)
        return default if found is None else found.number(default)


@dataclass(frozen=True)
class Chain:
    """The directories of a TIFF in the order of its chain, and how they were written."""

    pages: list[Directory]
    order: str
    big: bool
    extent: int
    """End of the last byte that any directory or value occupies."""


class _Reader:
    def __init__(self, file: BinaryIO, base: int, skip: Collection[int]) -> None:
        self.file, self.base, self.skip = file, base, skip
        self.size = file.seek(0, 2) - base
        self.seen: set[int] = set()
        self.extent = 0
        head = self.bytes_at(0, 8)
        if head[:2] not in (b"II", b"MM"):
            raise TiffError("no TIFF header")
        self.order = "<" if head[:2] == b"II" else ">"
        version = struct.unpack(self.order + "H", head[2:4])[0]
        if version not in (42, 43):
            raise TiffError("no TIFF header")
        self.big = version == 43
        self.word = self.order + ("Q" if self.big else "I")
        at, size = (8, 8) if self.big else (4, 4)
        self.first = struct.unpack(self.word, self.bytes_at(at, size))[0]

    def bytes_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise TiffError("a tag points outside the file")
        self.file.seek(self.base + offset)
        data = self.file.read(length)
        if len(data) != length:
            raise TiffError("cut off")
        self.extent = max(self.extent, offset + length)
        return data

    def directory(self, offset: int, depth: int = 0) -> tuple[Directory, int]:
        if offset in self.seen or len(self.seen) > MOST_DIRECTORIES:
            raise TiffError("its directories form a loop")
        self.seen.add(offset)
        size, inline = (20, 8) if self.big else (12, 4)
        width = 8 if self.big else 2
        count = struct.unpack(self.order + ("Q" if self.big else "H"),
                              self.bytes_at(offset, width))[0]  # fmt: skip
        if count > MOST_FIELDS:
            raise TiffError("a directory has too many tags")
        entries = self.bytes_at(offset + width, count * size)
        end = offset + width + count * size
        next_offset = struct.unpack(self.word, self.bytes_at(end, inline))[0]
        found = Directory(offset=offset)
        for i in range(count):
            entry = entries[i * size : (i + 1) * size]
            tag, kind = struct.unpack(self.order + "HH", entry[:4])
            values = struct.unpack(self.word, entry[4 : 4 + inline])[0]
            length = SIZES.get(kind, 0) * values
            if not length:
                continue
            if tag in self.skip:
                found.fields[tag] = Field(kind, 0, b"")
                continue
            if length <= inline:
                data = entry[-inline:][:length]
            else:
                data = self.bytes_at(struct.unpack(self.word, entry[-inline:])[0], length)
            value = Field(kind, values, swapped(data, kind, self.order))
            found.fields[tag] = value
            if tag in POINTERS and depth < 4:
                # a damaged child costs the child, not the picture
                children = list[Directory]()
                for place in value.numbers():
                    try:
                        children.append(self.directory(place, depth + 1)[0])
                    except TiffError:
                        continue
                found.children[tag] = children
        return found, next_offset


def swapped(data: bytes, kind: int, order: str) -> bytes:
    """Values of a TIFF type from `order` to little-endian, or back."""
    word = _WORDS[kind]
    if order == "<" or word == 1:
        return data
    return np.frombuffer(data, f">u{word}").astype(f"<u{word}").tobytes()


def read(file: BinaryIO, *, base: int = 0, skip: Collection[int] = ()) -> Chain:
    """Read the chain of directories of the TIFF that starts at `base`; values of `skip` are left.

    Raises TiffError where the chain is damaged; a damaged EXIF or GPS directory is left out.
    """
    reader = _Reader(file, base, skip)
    pages = list[Directory]()
    offset = reader.first
    while offset:
        page, offset = reader.directory(offset)
        pages.append(page)
    if not pages:
        raise TiffError("holds no picture")
    return Chain(pages, reader.order, reader.big, reader.extent)


def encode(
    directory: Directory, offset: int, *, followed: bool = False, order: str = "<",
    big: bool = False,
) -> bytes:  # fmt: skip
    """Bytes of a directory, its values and its children, to stand at `offset` (even) of a file.

    Pointer fields are made from `children`; if `followed`, the next directory stands right behind.
    Even in length. Raises TiffError for a value classic TIFF cannot hold.
    """
    fields = {t: f for t, f in directory.fields.items() if t not in POINTERS}
    children = {t: c for t, c in directory.children.items() if c}
    tags = sorted([*fields, *children])
    size, inline = (20, 8) if big else (12, 4)
    word = order + ("Q" if big else "I")
    after = offset + (8 if big else 2) + len(tags) * size + inline
    outside = bytearray()

    def place(data: bytes) -> bytes:
        if len(data) <= inline:
            return data.ljust(inline, b"\0")
        if len(outside) % 2:
            outside.append(0)
        at = after + len(outside)
        outside.extend(data)
        return struct.pack(word, at)

    entries = b""
    for tag in tags:
        if tag in children:
            places = list[int]()
            for child in children[tag]:
                if len(outside) % 2:
                    outside.append(0)
                places.append(after + len(outside))
                outside.extend(encode(child, places[-1], order=order, big=big))
            value = Field.of(18 if big else 13 if tag == SUB_IFDS else 4, *places)
        else:
            value = fields[tag] if big else _classic(fields[tag])
        data = place(swapped(value.data, value.type, order))
        entries += struct.pack(order + "HH", tag, value.type)
        entries += struct.pack(word, value.count) + data
    if len(outside) % 2:
        outside.append(0)
    count = struct.pack(order + ("Q" if big else "H"), len(tags))
    end = after + len(outside)
    if not big and end >= 2**32:
        raise TiffError("needs BigTIFF")
    return count + entries + struct.pack(word, end if followed else 0) + bytes(outside)


def _classic(value: Field) -> Field:
    if value.type not in (16, 17, 18):
        return value
    numbers = value.numbers()
    if numbers and not 0 <= min(numbers) <= max(numbers) < 2**32:
        raise TiffError("a value needs BigTIFF")
    return Field.of(4, *numbers)


def header(order: str = "<", big: bool = False, first: int | None = None) -> bytes:
    """The header of a TIFF whose first directory stands at `first` (right behind it if None)."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(order + "HHHQ", 43, 8, 0, first or 16)
    return mark + struct.pack(order + "HI", 42, first or 8)


def block(directory: Directory) -> bytes:
    """A whole small TIFF of one directory: an EXIF block."""
    return header() + encode(directory, 8)


def rewrite(
    file: BinaryIO, parts: Iterable[int], changes: Iterable[Mapping[int, Field | None]],
    children: Iterable[Mapping[int, list[Directory]]],
) -> None:  # fmt: skip
    """Join the TIFFs that start at the places `parts` of one file into one, with changed tags.

    All parts have one byte order and flavour (as one libvips writes them). `changes` and `children`
    apply to the first directory of each part; a None takes the field away. Further directories of
    a part (pyramid levels) follow it. New directories are appended and the header is pointed at
    them, so that a picture cut off here still reads as it was. Raises TiffError.
    """
    pages = list[Directory]()
    order, big = "<", False
    for base, change, child in zip(parts, changes, children, strict=True):
        chain = read(file, base=base)
        order, big = chain.order, chain.big
        for page in chain.pages:
            _shift(page, base)
        first = chain.pages[0]
        for tag, value in change.items():
            if value is None:
                first.fields.pop(tag, None)
                first.children.pop(tag, None)
            else:
                first.fields[tag] = value
        first.children.update(child)
        pages += chain.pages
    end = file.seek(0, 2)
    file.write(bytes(end % 2))
    at = first_at = end + end % 2
    for page in pages:
        data = encode(page, at, followed=page is not pages[-1], order=order, big=big)
        file.write(data)
        at += len(data)
    file.seek(0)
    file.write(header(order, big, first_at))
    file.seek(0, 2)


def _shift(page: Directory, base: int) -> None:
    for tag in OFFSETS:
        if base and tag in page.fields:
            old = page.fields[tag]
            page.fields[tag] = Field.of(
                16 if old.type == 16 else 4, *(n + base for n in old.numbers())
            )
    for level in page.children.get(SUB_IFDS, []):
        _shift(level, base)
