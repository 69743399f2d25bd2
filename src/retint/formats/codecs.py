"""The formats: what they are called, how they are told apart, read and written.

Reading is libvips' work. PNM is shown to libvips as the TIFF it nearly is; BMP and JPEG 2000 are
read by Pillow where that is installed.
"""

import io
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyvips

from retint.errors import InputError
from retint.formats import jp2
from retint.formats.stream import FileSource, raw_tiff, reason, rows_per_block


@dataclass(frozen=True)
class Format:
    """One file format: name, suffixes (the first is written), and what its files can hold."""

    name: str
    suffixes: tuple[str, ...]
    result: str
    """Name of the format in which results of such sources are written by default."""
    depths: tuple[int, ...] = (8,)
    """Bit depths that can be written; empty where the format is only read."""
    alpha: bool = True
    lossy: bool = False
    longest: int = 2**31 - 1
    """Longest side in pixels that can be written."""


FORMATS = {
    f.name: f
    for f in (
        Format("jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), "jpeg", alpha=False, lossy=True,
               longest=65535),
        Format("png", (".png",), "png", (8, 16)),
        Format("tiff", (".tif", ".tiff"), "tiff", (8, 16)),
        Format("webp", (".webp",), "webp", lossy=True, longest=16383),
        Format("avif", (".avif",), "avif", (8, 10, 12), lossy=True, longest=16384),
        Format("pnm", (".ppm", ".pgm", ".pbm", ".pnm"), "pnm", (8, 16), alpha=False),
        Format("gif", (".gif",), "png", ()),
        Format("bmp", (".bmp", ".dib"), "png", ()),
        Format("jp2", (".jp2", ".j2k", ".jpx", ".jpf"), "tiff", ()),
    )
}  # fmt: skip
"""Every format that can be read, by name."""

NOT_READ = {
    b"8BPS": "a Photoshop document: save it as TIFF first",
    b"%PDF": "a PDF: extract its pictures first",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL, which is not read: convert it to PNG or TIFF first",
    b"\xff\x0a": "JPEG XL, which is not read: convert it to PNG or TIFF first",
    b"v/1\x01": "OpenEXR, which is not read: photographs have 8 or 16 bits",
}


def format_by_name(name: str) -> Format | None:
    """The writable format of that name or suffix ("tif", ".jpg", "ppm"), or None."""
    wanted = name.lower().lstrip(".")
    for f in FORMATS.values():
        if f.depths and (wanted == f.name or f".{wanted}" in f.suffixes):
            return f
    return None


def sniff(head: bytes) -> str | None:
    """Name of the format a file begins with, from its first 32 bytes or more; None if unknown."""
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:2] == b"BM" and len(head) >= 26:
        return "bmp"
    if head[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or head[:4] == b"\xff\x4f\xff\x51":
        return "jp2"
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        return "avif" if b"avif" in brands or b"avis" in brands else "heic"
    if re.match(rb"P[1-6][\s#]", head):
        return "pnm"
    return None


def refusal(head: bytes) -> str:
    """Why a file that is none of FORMATS is not read, in words."""
    for magic, words in NOT_READ.items():
        if head.startswith(magic):
            return f"is {words}"
    return "is not a picture, or of a kind that is not read"


@dataclass(frozen=True)
class Bytes:
    """Where a picture's bytes are: a path, or the bytes themselves."""

    path: Path | None
    data: bytes = b""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return "<bytes>" if self.path is None else printable(self.path)

    def open(self) -> BinaryIO:
        """A new binary file at the beginning."""
        return io.BytesIO(self.data) if self.path is None else self.path.open("rb")

    def source(self) -> Any:
        """A new libvips source.

        By descriptor: libvips takes paths as UTF-8 only, and a name on a disk can be any bytes.
        """
        vips: Any = pyvips.Source
        if self.path is None:
            return vips.new_from_memory(self.data)
        descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            return vips.new_from_descriptor(descriptor)
        finally:
            os.close(descriptor)


def printable(path: Path) -> str:
    """A path that can be printed, whatever bytes its name is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Decoded:
    """A sequential libvips image, and what must live as long as it."""

    image: Any
    keep: Any = None


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


def decode(
    data: Bytes, name: str, *, page: int = 0, shrink: int = 1, max_pixels: int = 2**62
) -> Decoded:
    """Open a picture for one reading from top to bottom.

    `page` counts a TIFF's directories; `shrink` 1, 2, 4, 8 decodes a JPEG smaller. Raises
    InputError when it is damaged; a file that ends early fails when its last rows are read.
    `max_pixels` holds for what has to be decoded at once: plain PNM, BMP and JPEG 2000.
    """
    vips: Any = pyvips.Image
    common: dict[str, Any] = {"access": "sequential", "fail_on": "truncated"}
    # libvips' own guards against bombs do not know --max-pixels, which was asked before
    try:
        if name == "jpeg":
            return Decoded(vips.jpegload_source(data.source(), shrink=shrink, **common))
        if name == "png":
            return Decoded(vips.pngload_source(data.source(), unlimited=True, **common))
        if name == "tiff":
            return Decoded(vips.tiffload_source(data.source(), page=page, **common))
        if name == "webp":
            return Decoded(vips.webpload_source(data.source(), **common))
        if name == "avif":
            return Decoded(vips.heifload_source(data.source(), unlimited=True, **common))
        if name == "gif":
            return Decoded(vips.gifload_source(data.source(), **common))
        if name == "pnm":
            return _decode_pnm(data, max_pixels)
        return _decode_with_pillow(data, name, max_pixels)
    except pyvips.Error as error:
        raise InputError(f"{data.name}: cannot be decoded ({reason(error)})") from error
    except OSError as error:
        raise InputError(f"{data.name}: {error.strerror or error}") from error


# PNM (netpbm's pbm, pgm, ppm): a text header, then rows as TIFF stores them.


@dataclass(frozen=True)
class PnmHeader:
    """Header of a PNM file: kind "1" to "6", top value, offset of the pixels, its comments."""

    kind: str
    width: int
    height: int
    top: int
    offset: int
    comments: tuple[str, ...]

    @property
    def bands(self) -> int:
        """Samples per pixel."""
        return 3 if self.kind in "36" else 1

    @property
    def bits(self) -> int:
        """Bits per sample: 1, 8 or 16."""
        return 1 if self.kind in "14" else 8 if self.top < 256 else 16

    @property
    def whole(self) -> int:
        """What `top` becomes: the largest code of as many bits."""
        return 2**self.bits - 1


def pnm_header(file: BinaryIO) -> PnmHeader:
    """Parse a PNM header (netpbm's pbm(5), pgm(5), ppm(5)); ValueError when it is damaged."""
    head = file.read(1 << 16)
    token = re.compile(rb"(?:\s|#([^\n\r]*)[\n\r])*(\d+)")
    kind, at, numbers = head[1:2].decode(), 2, list[int]()
    while len(numbers) < (2 if kind in "14" else 3):
        match = token.match(head, at)
        if match is None:
            raise ValueError("its header is damaged")
        numbers.append(int(match[2][:12]))
        at = match.end()
    found = re.findall(rb"#([^\n\r]*)[\n\r]", head[:at])
    width, height, top = (*numbers, 1)[:3]
    if not (width and height and 0 < top < 65536):
        raise ValueError("its header is damaged")
    comments = tuple(c.strip().decode("utf-8", "replace") for c in found)
    return PnmHeader(kind, width, height, top, at + 1, comments)


def _decode_pnm(data: Bytes, max_pixels: int) -> Decoded:
    with data.open() as file:
        try:
            header = pnm_header(file)
        except ValueError as error:
            raise InputError(f"{data.name}: {error}") from error
        if header.kind in "123":
            _check_size(data, header.width, header.height, max_pixels)
            file.seek(header.offset)
            return Decoded(_from_array(_plain_pnm(data, header, file.read())))
        size = file.seek(0, 2) - header.offset
    width, height, bands, bits = header.width, header.height, header.bands, header.bits
    wanted = (width * bands * bits + 7) // 8 * height
    if size < wanted:
        raise InputError(f"{data.name}: ends early ({size} of {wanted} bytes)")
    tiff = raw_tiff(
        width, height, bands, bits, rows=rows_per_block(width), order=">", white_is_zero=bits == 1
    )
    source = FileSource(tiff, data.open(), header.offset, wanted)
    image: Any = source.image()
    if header.top != header.whole:
        image = (image * (header.whole / header.top)).rint().cast(image.format)
    return Decoded(image, source)


def _plain_pnm(data: Bytes, header: PnmHeader, text: bytes) -> Any:
    """Pixels written as text (P1, P2, P3): for small pictures, read whole."""
    text = re.sub(rb"#[^\n\r]*", b"", text)
    try:
        if header.bits == 1:
            digits = np.frombuffer(re.sub(rb"\s", b"", text), np.uint8)
            values = 255.0 * (digits == ord("0"))
        else:
            levels = np.array(text.split(), np.float64)
            values = np.rint(np.clip(levels, 0, header.top) * (header.whole / header.top))
    except ValueError as error:
        raise InputError(f"{data.name}: its pixels are not numbers") from error
    shape = header.height, header.width, header.bands
    if values.size < np.prod(shape) or not np.isfinite(values).all():
        raise InputError(f"{data.name}: ends early, or its pixels are not numbers")
    kind = np.uint16 if header.bits == 16 else np.uint8
    return values[: int(np.prod(shape))].astype(kind).reshape(shape)


def _check_size(data: Bytes, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InputError(
            f"{data.name}: has {width} x {height} pixels, more than the {max_pixels} allowed"
        )


def _from_array(array: Any) -> Any:
    vips: Any = pyvips.Image
    height, width, bands = array.shape
    deep = array.dtype == np.uint16
    image = vips.new_from_memory(
        np.ascontiguousarray(array), width, height, bands, "ushort" if deep else "uchar"
    )
    kind = ("grey16" if deep else "b-w") if bands < 3 else ("rgb16" if deep else "srgb")
    return image.copy(interpretation=kind)


# What only Pillow reads. It is no dependency: where it is missing, the file is refused by name.


def pillow_reads() -> tuple[str, ...]:
    """Names of the formats that are read because Pillow is installed."""
    try:
        from PIL import features
    except ImportError:
        return ()
    return ("bmp", "jp2") if features.check("jpg_2000") else ("bmp",)


def _decode_with_pillow(data: Bytes, name: str, max_pixels: int) -> Decoded:
    if name not in pillow_reads():
        raise InputError(f"{data.name}: {name.upper()} is read only where Pillow is installed")
    from PIL import Image

    with data.open() as file:
        if name == "jp2":
            bits, samples = jp2_depth(file.read(1 << 16))
            if bits not in (1, 8) and (bits, samples) != (16, 1):
                raise InputError(
                    f"{data.name}: JPEG 2000 with {samples} x {bits} bits would lose depth;"
                    " convert it to TIFF first"
                )
            file.seek(0)
        try:
            # Pillow's own limit warns; ours was asked before
            with Image.open(file) as picture:
                _check_size(data, *picture.size, max_pixels)
                picture.load()
                icc = jp2.profile(file) if name == "jp2" else None
                if picture.mode not in ("L", "LA", "RGB", "RGBA", "I;16", "CMYK"):
                    transparent = picture.mode == "PA" or "transparency" in picture.info
                    grey = picture.mode == "1"
                    converted = picture.convert("L" if grey else "RGBA" if transparent else "RGB")
                else:
                    converted = picture
                array = np.asarray(converted)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"{data.name}: cannot be decoded ({error})") from error
    array = array.reshape(array.shape[0], array.shape[1], -1)
    image = _from_array(array.astype(np.uint16) if array.dtype.itemsize == 2 else array)
    if icc:
        image = image.copy()
        image.set_type(vips_blob(), "icc-profile-data", icc)
    return Decoded(image)


def vips_blob() -> Any:
    """The GType of a libvips metadata blob."""
    return pyvips.GValue.blob_type


def jp2_depth(head: bytes) -> tuple[int, int]:
    """Bits per sample and samples per pixel of a JPEG 2000 codestream (ISO 15444-1, A.5.1)."""
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(head) < at + 43:
        return 0, 0
    samples = struct.unpack_from(">H", head, at + 40)[0]
    return (head[at + 42] & 0x7F) + 1, samples


# How good a JPEG is: libjpeg scales two tables by its quality; the scale is read back.

# ITU-T T.81, table K.1 (luminance), in zigzag order as DQT stores it
LUMINANCE_TABLE = np.array(
    [16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35,
     37, 29, 40, 58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109,
     81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99]
)  # fmt: skip


def jpeg_quality(table: bytes, *, words: bool = False) -> int:
    """The libjpeg quality 1..100 whose luminance table is nearest to a DQT table (64 values)."""
    values = np.frombuffer(table, ">u2" if words else np.uint8, 64).astype(np.float64)
    qualities = np.arange(1, 101)
    scales = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = np.clip((LUMINANCE_TABLE * scales[:, None] + 50) // 100, 1, 32767 if words else 255)
    return int(qualities[np.argmin(np.abs(tables - values).sum(axis=1))])
