"""A photograph as a file: opened without decoding, seen small, tinted at full size."""

import os
import threading
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from retint import color
from retint.chroma import Chroma
from retint.errors import InputError
from retint.formats import containers, profiles
from retint.formats.codecs import (
    FORMATS,
    Bytes,
    Coding,
    Decoded,
    decode,
    refusal,
    sniff,
)
from retint.formats.metadata import Metadata
from retint.formats.pages import Kind, Page, pages_of
from retint.formats.stream import reason
from retint.formats.xmp import is_marked
from retint.kernel import one_band
from retint.tinted import Saved, Tinted, region_of
from retint.tone import Tone, tone_of

__all__ = ["Page", "Photo", "Saved", "Tinted"]

PREVIEW = 512
"""Longest side of the small picture that is kept; thumbnails up to it need no further decoding."""

HELD = 64 << 20
"""Most bytes of decoded pages that `Photo.hold` keeps."""


class Photo:
    """A photograph in a file, or in bytes. Made by `Photo.open`; decodes nothing until asked.

    Sizes are those of the stored pixels of the first page; `orientation` (EXIF, 1..8) tells how
    they are held up. What had to be understood in an unusual way stands in `notes`.
    """

    def __init__(self, data: Bytes, format: str, pages: list[Page], nbytes: int) -> None:
        self.data, self.format, self.nbytes = data, format, nbytes
        self.page_list = tuple(pages)
        self.notes: tuple[str, ...] = ()
        self._previews: dict[int, Any] = {}
        self._held: dict[int, tuple[NDArray[Any], tuple[str, ...]]] = {}
        self._metadata: dict[int, tuple[Metadata, Coding]] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(cls, source: str | Path | bytes, *, max_pixels: int = 500_000_000) -> "Photo":
        """Open a picture by path, or from the bytes of a file.

        The format is told by content, not by name. Raises InputError, one line with the file's
        name, if it is missing, empty, unreadable, damaged at its head, not a picture, or has a page
        of more than `max_pixels`.
        """
        data = Bytes(None, source) if isinstance(source, bytes) else Bytes(Path(source))
        head, size = _head(data)
        name = sniff(head)
        if name == "heic":
            raise InputError(f"{data.name}: is HEIC, which is not read: convert it to TIFF or PNG")
        if name is None:
            raise InputError(f"{data.name}: {refusal(head)}")
        pages = pages_of(data, name, max_pixels)
        for page in pages:
            pixels = page.width * page.height
            if pixels > max_pixels:
                raise InputError(
                    f"{data.name}: has {page.width} x {page.height} pixels, more than the"
                    f" {max_pixels} allowed"
                )
        photo = cls(data, name, pages, size)
        if name == "tiff":
            photo._check_first_page()
        suffix = "" if data.path is None else data.path.suffix.lower()
        named = next((f.name for f in FORMATS.values() if suffix in f.suffixes), None)
        if named not in (None, name):
            photo.notes = (f"named {suffix}, but a {name.upper()}",)
        return photo

    @property
    def path(self) -> Path | None:
        """Where it lies; None if it was opened from bytes."""
        return self.data.path

    @property
    def name(self) -> str:
        """Its path for messages, printable whatever bytes it is made of."""
        return self.data.name

    @property
    def width(self) -> int:
        """Pixels across, as stored."""
        return self.page_list[0].width

    @property
    def height(self) -> int:
        """Pixels down, as stored."""
        return self.page_list[0].height

    @property
    def bits(self) -> int:
        """Bits per sample that a result keeps: 8 or 16, or an AVIF's 10 or 12."""
        return self.page_list[0].bits

    @property
    def channels(self) -> Kind:
        """How colour is stored: "grey", "rgb", "palette" or "cmyk"."""
        return self.page_list[0].channels

    @property
    def has_alpha(self) -> bool:
        """Whether a transparency channel goes with it."""
        return self.page_list[0].has_alpha

    @property
    def pages(self) -> int:
        """Number of pictures in it; thumbnails and pyramid levels do not count."""
        return len(self.page_list)

    @property
    def orientation(self) -> int:
        """EXIF orientation 1..8 of the first page."""
        return self.metadata().orientation

    @cached_property
    def is_marked(self) -> bool:
        """Whether it is a result of retint."""
        meta = self.metadata()
        return is_marked(meta.xmp) or any(c.startswith(containers.PNM_MARK) for c in meta.comments)

    def metadata(self, page: int = 0) -> Metadata:
        """What the file says about a page. Raises InputError."""
        return self._read(page)[0]

    def coding(self, page: int = 0) -> Coding:
        """How a page is coded. Raises InputError."""
        return self._read(page)[1]

    def _read(self, page: int) -> tuple[Metadata, Coding]:
        if page not in self._metadata:
            about = self.page_list[page]
            image = self.decode(page).image if self.format == "avif" else None
            try:
                self._metadata[page] = containers.read(self.data, self.format, image, about.tags)
            except OSError as error:
                raise InputError(f"{self.name}: {error.strerror or error}") from error
        return self._metadata[page]

    def decode(self, page: int = 0, *, shrink: int = 1) -> Decoded:
        """A libvips image of a page for one reading from the top. Raises InputError."""
        return decode(self.data, self.format, page=self.page_list[page].index, shrink=shrink)

    def codes(self, page: int = 0, *, shrink: int = 1) -> tuple[Decoded, tuple[str, ...]]:
        """A page as 1 or 3 bands of sRGB codes, then alpha; and notes. Raises InputError."""
        about = self.page_list[page]
        decoded = self.decode(page, shrink=shrink)
        extra = about.tags.fields.get(338) if about.tags else None
        premultiplied = extra is not None and extra.number() == 1
        image, notes = profiles.to_srgb(decoded.image, self.name, premultiplied=premultiplied)
        if about.bits in (10, 12):  # libvips shifts them up; white is to be white
            image = (image + image / 2**about.bits).cast("ushort")
        return Decoded(image, decoded), notes

    def hold(self) -> None:
        """Decode now what will be asked for twice, for thumbnails and for the result.

        Pages are held until their result is made; those beyond HELD bytes in all are left to be
        streamed each time. Raises InputError where a page cannot be decoded.
        """
        room = HELD
        for page in range(self.pages):
            decoded, notes = self._full(page)
            image, kind = decoded.image, _dtype(decoded.image)
            room -= image.width * image.height * image.bands * np.dtype(kind).itemsize
            if room < 0:
                return
            try:
                pixels = np.frombuffer(image.write_to_memory(), kind)
            except pyvips.Error as error:
                raise self.damaged(error) from error
            pixels = pixels.reshape(image.height, image.width, image.bands)
            if image.bands == 3 and (grey := one_band(pixels)) is not None:
                pixels = grey[..., None]
            self._held[page] = pixels, notes

    def held(self, page: int = 0) -> NDArray[Any] | None:
        """Codes of a page that is held, (height, width, bands) as `codes`; None for another."""
        return self._held[page][0] if page in self._held else None

    def release(self) -> None:
        """Let go of the pages that are held; the small picture of each stays."""
        self._held.clear()

    def blocks(self, page: int, rows: int) -> tuple[Iterator[NDArray[Any]], tuple[str, ...]]:
        """A page from the top, `rows` at a time: (rows, width, bands) as `codes`; and notes.

        A held page is let go. Raises InputError, also while it is iterated.
        """
        held = self._held.pop(page, None)
        if held is None:
            decoded, notes = self._full(page)
            return self._streamed(decoded, rows), notes
        pixels, notes = held
        return (pixels[y : y + rows] for y in range(0, len(pixels), rows)), notes

    def _full(self, page: int) -> tuple[Decoded, tuple[str, ...]]:
        about = self.page_list[page]
        try:
            decoded, notes = self.codes(page)
        except pyvips.Error as error:
            raise self.damaged(error) from error
        if (decoded.image.width, decoded.image.height) != (about.width, about.height):
            raise InputError(f"{self.name}: changed while it was read")
        return decoded, notes

    def _streamed(self, decoded: Decoded, rows: int) -> Iterator[NDArray[Any]]:
        image, kind = decoded.image, _dtype(decoded.image)
        try:
            reader = region_of(image)
            for y in range(0, image.height, rows):
                count = min(rows, image.height - y)
                data = reader.fetch(0, y, image.width, count)
                yield np.frombuffer(data, kind).reshape(count, image.width, image.bands)
        except pyvips.Error as error:
            raise self.damaged(error) from error

    def thumbnail(self, longest: int = 384, page: int = 0) -> NDArray[np.float32]:
        """Lightness of a page, small and upright: float32 (h, w), L* 0..100.

        The longer side has at most `longest` pixels; the aspect ratio is kept, and a picture that
        is smaller is not enlarged. Raises InputError where it cannot be decoded.
        """
        return np.ascontiguousarray(self.thumbnail_lab(longest, page)[..., 0])

    def thumbnail_lab(self, longest: int = 384, page: int = 0) -> NDArray[np.float32]:
        """A page in Lab (D65), small and upright: float32 (h, w, 3); else as `thumbnail`."""
        array = self.small(longest, page)
        top = 65535 if array.dtype == np.uint16 else 255
        rgb = array.astype(np.float32) / np.float32(top)
        if rgb.shape[2] == 1:
            L = color.luminance_to_lightness(color.srgb_to_linear(rgb))
            lab = np.concatenate([L, np.zeros_like(L), np.zeros_like(L)], axis=2)
        else:
            lab = color.srgb_to_lab(rgb)
        return np.ascontiguousarray(upright(lab, self.metadata(page).orientation), np.float32)

    def small(self, longest: int = 384, page: int = 0) -> NDArray[Any]:
        """Codes of a page, small, as stored: (h, w, 1 or 3), without alpha; else as `thumbnail`."""
        if longest > PREVIEW:
            small = self._small(page, longest)
        else:
            with self._lock:
                if page not in self._previews:
                    self._previews[page] = self._small(page, PREVIEW)
            small = _resized(self._previews[page], longest)
        return small.numpy().reshape(small.height, small.width, -1)

    def _small(self, page: int, longest: int) -> Any:
        about = self.page_list[page]
        if page in self._held:
            return _resized(_image(self._held[page][0]), longest).copy_memory()
        shrink = 1
        if self.format == "jpeg":  # a JPEG is decoded smaller at once, but not below what is asked
            while shrink < 8 and max(about.width, about.height) / (2 * shrink) >= 1.5 * longest:
                shrink *= 2
        try:
            decoded, _ = self.codes(page, shrink=shrink)
            image = decoded.image
            image = image[:3] if image.bands >= 3 else image[0]
            return _resized(image, longest).copy_memory()
        except Exception as error:
            raise self.damaged(error) from error

    def damaged(self, error: BaseException) -> InputError:
        """An error met while decoding, as an InputError that names the file."""
        if isinstance(error, InputError):
            return error
        return InputError(f"{self.name}: cannot be decoded ({reason(error)})")

    def colour(self, page: int = 0) -> Tone:
        """Tell whether a page is "grey", "toned" (a sepia, one tone) or in real "colour".

        A hand-tinted spot or a colour target beside a grey print is colour. Raises InputError.
        """
        return tone_of(self.thumbnail_lab(PREVIEW // 2, page))

    def tint(self, chroma: Chroma | list[Chroma], *, keep_tone: bool = False) -> Tinted:
        """Put colour onto it: one Chroma for each page, upright as `thumbnail` is.

        keep_tone: greys keep the tone of a toned print. Nothing is decoded before the result is
        saved. Raises ValueError if the number of Chromas is not that of the pages.
        """
        chromas = [chroma] if isinstance(chroma, Chroma) else list(chroma)
        if len(chromas) != self.pages:
            raise ValueError(f"{len(chromas)} Chromas for {self.pages} pages")
        return Tinted(self, chromas, keep_tone=keep_tone)

    def _check_first_page(self) -> None:
        image = self.decode().image
        profiles.layout(image, self.name)


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn stored pixels (h, w, ...) upright (EXIF 2.32, Orientation 1..8)."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def _dtype(image: Any) -> type[np.uint8] | type[np.uint16]:
    return np.uint16 if str(image.format) == "ushort" else np.uint8


def _image(pixels: NDArray[Any]) -> Any:
    vips: Any = pyvips.Image
    height, width, bands = pixels.shape
    kind = "ushort" if pixels.dtype == np.uint16 else "uchar"
    image = vips.new_from_memory(pixels.data, width, height, bands, kind)
    return image[:3] if bands >= 3 else image[0]


def _resized(image: Any, longest: int) -> Any:
    scale = longest / max(image.width, image.height)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    return image.resize(width / image.width, vscale=height / image.height)


def _head(data: Bytes) -> tuple[bytes, int]:
    if data.path is None:
        head, size = data.data[:4096], len(data.data)
    else:
        try:
            if data.path.is_dir():
                raise InputError(f"{data.name}: is a folder, not a picture")
            if not data.path.is_file() and data.path.exists():
                raise InputError(f"{data.name}: is not a regular file")
            with data.open() as file:
                head, size = file.read(4096), os.fstat(file.fileno()).st_size
        except FileNotFoundError as error:
            raise InputError(f"{data.name}: there is no such file") from error
        except PermissionError as error:
            raise InputError(f"{data.name}: may not be read (no permission)") from error
        except (OSError, ValueError) as error:  # a link loop, a name too long, a NUL in it
            words = getattr(error, "strerror", None) or error
            raise InputError(f"{printable_or(data)}: cannot be read ({words})") from error
    if not head:
        raise InputError(f"{data.name}: is empty")
    return head, size


def printable_or(data: Bytes) -> str:
    """A source's name, even where it is no possible path."""
    return repr(str(data.path)) if "\0" in str(data.path) else data.name
