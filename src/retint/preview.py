"""Previews: any part of a photograph, at any size, as its result will look."""

import os
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from retint.chroma import Chroma, bilinear_taps
from retint.formats.stream import rows_per_block
from retint.kernel import one_band
from retint.photo import PREVIEW, Photo, upright
from retint.tint import Codes, Part, Tinter
from retint.tone import tone_curve

Pixels: TypeAlias = NDArray[np.uint8]

IN_MEMORY = 256 << 20
"""Most bytes of a page's codes that are kept in memory; those of a larger one go to the disk."""

LARGE = 22_000_000
"""Pixels beyond which the whole of a JPEG is decoded smaller at once, to be seen soon."""

KEPT = 4  # parts whose codes stay at the size in which they were shown


class Preview:
    """One page of a photograph, to be looked at: parts of it, with the colours of any Chroma.

    A part shown at full size has the pixels of the result, of 8 bits; a smaller one those of the
    source, made smaller, with the same colours grown to that size. The page is decoded once.
    folder: where the codes of a page too large for the memory lie, in a file without a name.
    Pictures are (rows, columns, 3), or 4 with the photograph's alpha; encoded sRGB, upright.
    """

    def __init__(self, photo: Photo, page: int = 0, *, folder: Path | None = None) -> None:
        self.photo, self.page, self.folder = photo, page, folder
        self._about = photo.page_list[page]
        self._orientation = photo.metadata(page).orientation
        self._codes: Codes | None = None
        self._shown: dict[Part, Codes] = {}
        self._tone: NDArray[np.float64] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, upright."""
        width, height = self._about.width, self._about.height
        return (height, width) if self._orientation >= 5 else (width, height)

    @property
    def nbytes(self) -> int:
        """Bytes in memory that `release` gives back."""
        kept = [*self._shown.values()]
        if self._codes is not None and not isinstance(self._codes, np.memmap):
            kept.append(self._codes)
        return sum(codes.nbytes for codes in kept)

    def release(self) -> None:
        """Forget the codes; they are decoded again when they are needed."""
        self._codes = None
        self._shown.clear()

    def part(self, left: float, top: float, width: float, height: float, side: int) -> Part:
        """A part by shares, 0..1, of the upright picture, shown with at most `side` pixels on its
        longer side; it is not enlarged. Edges are those of the nearest pixels."""
        (x0, x1), (y0, y1) = (
            _edges(start, share, whole)
            for start, share, whole in zip((left, top), (width, height), self.size, strict=True)
        )
        scale = min(1.0, side / max(x1 - x0, y1 - y0))
        columns, rows = (max(1, round(length * scale)) for length in (x1 - x0, y1 - y0))
        return Part(x0, y0, x1, y1, columns, rows)

    def colour(self, part: Part, chroma: Chroma, *, keep_tone: bool = False) -> Pixels:
        """A part in colour; chroma and keep_tone as for `Photo.tint`."""
        stored = self._stored(part)
        codes = self._part(stored)
        about = self._about
        tinter = Tinter(
            chroma.oriented(self._orientation), about.width, about.height, bits_out=8,
            tone=self._tone_curve() if keep_tone else None, part=stored, measure=False,
        )  # fmt: skip
        blocks: list[Codes] = []
        for block in self._blocks(stored, codes):
            colours, alpha = _split(block)
            rgb = tinter(colours, sum(map(len, blocks)))
            blocks.append(rgb if alpha is None else np.concatenate([rgb, _eight(alpha)], axis=2))
        return self._upright(np.concatenate(blocks))

    def source(self, part: Part) -> Pixels:
        """A part as the photograph has it."""
        codes = _eight(self._part(self._stored(part)))
        if codes.shape[2] <= 2:
            codes = codes[..., [0, 0, 0, *range(1, codes.shape[2])]]
        return self._upright(codes)

    def unsure(self, part: Part, chroma: Chroma) -> Pixels:
        """A veil over a part, (rows, columns, 4): white, and the less transparent the less sure the
        model was; wholly where `mute_uncertain` may take all colour away."""
        sure = chroma.confidence**2 * (3 - 2 * chroma.confidence)
        width, height = self.size
        top, bottom, v = bilinear_taps(sure.shape[0], height, part.y0, part.y1, part.rows)
        left, right, u = bilinear_taps(sure.shape[1], width, part.x0, part.x1, part.columns)
        wide = sure[:, left] + u * (sure[:, right] - sure[:, left])
        grown = wide[top] + v[:, None] * (wide[bottom] - wide[top])
        veil = np.full((*grown.shape, 4), 255, np.uint8)
        veil[..., 3] = np.rint(255 * (1 - grown))
        return veil

    def _part(self, part: Part) -> Codes:
        """Codes of a part as stored, in the size in which it is shown."""
        if part.is_full_size:
            return self._full()[part.y0 : part.y1, part.x0 : part.x1]
        if part not in self._shown:
            self._shown[part] = self._smaller(part)
            while len(self._shown) > KEPT:
                del self._shown[next(iter(self._shown))]
        return self._shown[part]

    def _smaller(self, part: Part) -> Codes:
        if self._is_quick(part):
            return self.photo.small(max(part.columns, part.rows), self.page)
        codes = self._full()[part.y0 : part.y1]
        vips: Any = pyvips.Image
        kind = "ushort" if codes.dtype == np.uint16 else "uchar"
        height, width, bands = codes.shape
        image = vips.new_from_memory(codes.data, width, height, bands, kind)
        image = image.crop(part.x0, 0, part.x1 - part.x0, part.y1 - part.y0)
        image = image.resize(part.columns / image.width, vscale=part.rows / image.height)
        return image.numpy().reshape(part.rows, part.columns, -1)

    def _is_quick(self, part: Part) -> bool:
        """Whether it is shown without decoding all of the page."""
        width, height = self._about.width, self._about.height
        if (part.x0, part.y0, part.x1, part.y1) != (0, 0, width, height) or self._about.has_alpha:
            return False
        is_large = self.photo.format == "jpeg" and width * height > LARGE
        return is_large or max(part.columns, part.rows) <= PREVIEW

    def _full(self) -> Codes:
        """The page's codes, (height, width, bands) as stored."""
        held = self.photo.held(self.page)
        if held is not None:
            return held
        if self._codes is None:
            self._codes = self._decoded()
        return self._codes

    def _decoded(self) -> Codes:
        about = self._about
        blocks, _ = self.photo.blocks(self.page, rows_per_block(about.width))
        codes: Codes | None = None
        y = 0
        for block in blocks:
            if codes is None:
                codes = self._room((about.height, *block.shape[1:]), block.dtype)
            codes[y : y + len(block)] = block
            y += len(block)
        assert codes is not None
        return codes

    def _room(self, shape: tuple[int, ...], kind: np.dtype[Any]) -> Codes:
        if np.prod(shape) * kind.itemsize <= IN_MEMORY:
            return np.empty(shape, kind)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            if hasattr(os, "posix_fallocate"):  # a disk that is full is told now, not by a crash
                os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * kind.itemsize)
            return np.memmap(file, kind, "w+", shape=shape)

    def _blocks(self, part: Part, codes: Codes) -> list[Codes]:
        """Rows that the result is made of at once: whether they are grey is found together."""
        if not part.is_full_size:
            return [_without_colour(codes)]
        rows = rows_per_block(self._about.width)
        full = self._full()
        blocks: list[Codes] = []
        for start in range(part.y0 - part.y0 % rows, part.y1, rows):
            inside = codes[max(start - part.y0, 0) : start + rows - part.y0]
            if _without_colour(full[start : start + rows]).shape[2] < full.shape[2]:
                inside = _without_colour(inside)
            blocks.append(inside)
        return blocks

    def _tone_curve(self) -> NDArray[np.float64] | None:
        if self._tone is None and self.photo.colour(self.page) == "toned":
            self._tone = tone_curve(self.photo.thumbnail_lab(256, self.page))
        return self._tone

    def _stored(self, part: Part) -> Part:
        """A part of the upright picture in the stored one."""
        x0, y0, x1, y1, columns, rows = part
        width, height = self.size
        if self._orientation in (3, 4, 7, 8):
            y0, y1 = height - y1, height - y0
        if self._orientation in (2, 3, 6, 7):
            x0, x1 = width - x1, width - x0
        if self._orientation >= 5:
            return Part(y0, x0, y1, x1, rows, columns)
        return Part(x0, y0, x1, y1, columns, rows)

    def _upright(self, pixels: NDArray[Any]) -> Pixels:
        return np.ascontiguousarray(upright(pixels, self._orientation))


def _edges(start: float, share: float, whole: int) -> tuple[int, int]:
    """First pixel of a share of so many, and the one after its last."""
    first = min(round(start * whole), whole - 1)
    return first, min(max(round((start + share) * whole), first + 1), whole)


def _without_colour(codes: Codes) -> Codes:
    """Codes in one band, and alpha, where they are grey throughout; else as they are."""
    if codes.shape[2] < 3:
        return codes
    grey = one_band(np.ascontiguousarray(codes[..., :3]))
    return codes if grey is None else np.dstack([grey, codes[..., 3:]])


def _split(codes: Codes) -> tuple[Codes, Codes | None]:
    """Colours, as a Tinter takes them, and alpha."""
    bands = codes.shape[2]
    colours = codes[..., :3] if bands >= 3 else codes[..., 0]
    return colours, codes[..., -1:] if bands in (2, 4) else None


def _eight(codes: Codes) -> Pixels:
    """Codes of 8 bits."""
    if codes.dtype == np.uint8:
        return codes.astype(np.uint8, copy=False)
    return ((codes.astype(np.uint32) + 128) // 257).astype(np.uint8)
