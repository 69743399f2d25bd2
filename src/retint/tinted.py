"""A photograph with its colours, going to a file: coded like the source, whole or not at all."""

import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyvips
from numpy.typing import NDArray

from retint.chroma import Chroma
from retint.errors import InputError, OutputError
from retint.formats import containers, encoders, jpeg, tiff
from retint.formats.codecs import FORMATS, Bytes, Format, decode, format_by_name, printable
from retint.formats.metadata import Mark, for_result
from retint.formats.profiles import srgb_profile
from retint.formats.stream import Ahead, RowSource, Sink, pump, raw_tiff, rows_per_block
from retint.kernel import one_band
from retint.tint import Codes, Tinter, lightness
from retint.tone import tone_curve

if TYPE_CHECKING:
    from retint.photo import Photo

MEASURED_ROWS, MEASURED_COLUMNS = 128, 1024


@dataclass(frozen=True)
class Saved:
    """What was written. `notes` say what could not be kept, or was understood in an unusual way."""

    path: Path | None
    sha256: str
    delta_L: tuple[float, float]
    """Mean and largest |dL*| against the source, on an even sample of at least 128 rows by 1024
    columns: of the pixels written or, where the coding is lossy, of the file decoded again (of a
    JPEG the parts that the sample lies in)."""
    format: str
    bits: int
    nbytes: int
    notes: tuple[str, ...] = ()


class Tinted:
    """A photograph with colours put onto it, not yet decoded at full size. Made by `Photo.tint`."""

    def __init__(self, photo: "Photo", chromas: list[Chroma], *, keep_tone: bool = False) -> None:
        self.photo, self.chromas, self.keep_tone = photo, chromas, keep_tone

    def save(
        self, path: str | Path, *, format: str | None = None, quality: int | None = None,
        mark: Mark | None = None,
    ) -> Saved:  # fmt: skip
        """Write the result: size, depth and metadata of the source, an sRGB profile, and the mark.

        format: a name or suffix; without it the path's suffix decides, then the source. quality:
        1..100 of a lossy format; without it a JPEG's is estimated from its source. Pixels stream
        through; the file is written under a temporary name in the same folder and renamed, so that
        it appears whole or not at all. Raises OutputError where that is not possible, where the
        format cannot hold the picture, or where the path is the source's, also through a link;
        InputError where the source proves damaged.
        """
        path = Path(path)
        name = printable(path)
        place = path.with_name(f".retint-{uuid.uuid4().hex}.part")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            self._check_not_source(path)
            if format is None and format_by_name(path.suffix or "none") is not None:
                format = path.suffix
            written = self._format(format)
            try:
                with os.fdopen(os.open(place, flags, 0o666), "w+b") as file:
                    saved = self._write(file, place, written, quality, mark or Mark(), path)
                place.replace(path)
            finally:
                place.unlink(missing_ok=True)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise OutputError(f"{name}: cannot be written ({words})") from error
        except OutputError as error:
            raise OutputError(f"{name}: {error}") from error
        sync_folder(path.parent)
        return saved

    def to_bytes(
        self, format: str | None = None, *, quality: int | None = None, mark: Mark | None = None
    ) -> bytes:
        """The result as the bytes of a file, in the source's format if none is named; as `save`."""
        file = io.BytesIO()
        self._write(file, None, self._format(format), quality, mark or Mark(), None)
        return file.getvalue()

    def _format(self, name: str | None) -> Format:
        photo = self.photo
        found = format_by_name(name or FORMATS[photo.format].result)
        if found is None:
            known = ", ".join(f.name for f in FORMATS.values() if f.depths)
            raise OutputError(f"{name!r} is not a format that is written: {known}")
        title = found.name.upper()
        if photo.pages > 1 and found.name != "tiff":
            raise OutputError(f"{title} cannot hold {photo.pages} pages; TIFF can")
        if photo.has_alpha and not found.alpha:
            raise OutputError(f"{title} cannot hold transparency; PNG and TIFF can")
        if max(photo.width, photo.height) > found.longest:
            raise OutputError(f"{title} cannot hold more than {found.longest} pixels on a side")
        return found

    def _check_not_source(self, path: Path) -> None:
        if self.photo.path is None:
            return
        same = False
        with suppress(OSError):
            same = self.photo.path.samefile(path)
        if same:
            raise OutputError("is the source, which is never replaced")

    def _write(
        self, file: BinaryIO, place: Path | None, format: Format, quality: int | None, mark: Mark,
        path: Path | None,
    ) -> Saved:  # fmt: skip
        photo = self.photo
        notes = list(photo.notes)
        pages = [_Page(self, page, format) for page in range(photo.pages)]
        raw = sum(page.nbytes for page in pages)
        big = raw > encoders.CLASSIC_LIMIT or _is_big_tiff(photo)
        profile = srgb_profile()
        changes = list[dict[int, tiff.Field | None]]()
        children = list[dict[int, list[tiff.Directory]]]()
        starts = list[int]()
        for page in pages:
            meta = for_result(photo.metadata(page.index), mark)
            starts.append(file.seek(0, 2))
            page.write(file, quality, meta, profile, mark, big=big)
            notes += [*page.notes, *meta.notes, *containers.lost(meta, format.name)]
            if format.name == "tiff":
                change, child = containers.tiff_changes(meta, profile)
                subtype = page.about.tags.fields.get(254) if page.about.tags else None
                if subtype is not None and subtype.number():
                    change[254] = subtype
                changes.append(change)
                children.append(child)
        if format.name == "tiff":
            tiff.rewrite(file, starts, changes, children)
        file.flush()
        data = Bytes(place, file.getvalue() if isinstance(file, io.BytesIO) else b"")
        places = _places(file) if format.name == "tiff" else [0]
        nbytes = file.seek(0, 2)
        with ThreadPoolExecutor(2) as beside:
            synced = beside.submit(_sync, file)
            hashed = beside.submit(_sha256, data)
            measured = [page.measured(data, at) for page, at in zip(pages, places, strict=True)]
            synced.result()
            sha256 = hashed.result()
        return Saved(
            path,
            sha256,
            (float(np.mean([mean for mean, _ in measured])), max(most for _, most in measured)),
            format.name,
            max(page.bits for page in pages),
            nbytes,
            tuple(dict.fromkeys(notes)),
        )


class _Page:
    """One page on its way through: decoded ahead, tinted, encoded."""

    def __init__(self, tinted: Tinted, index: int, format: Format) -> None:
        self.photo, self.index, self.format = tinted.photo, index, format
        self.about = self.photo.page_list[index]
        deepest = max(format.depths)
        self.bits = min(self.about.bits, deepest)
        if self.bits not in format.depths:  # an AVIF's 10 or 12 bits in a TIFF or PNG
            self.bits = min(d for d in format.depths if d >= self.bits)
        self.coding = self.photo.coding(index)
        self.lossy = encoders.is_lossy(format, self.coding, self.about.tags)
        self.bands = 4 if self.about.has_alpha else 3
        self.rows = rows_per_block(self.about.width)
        self.notes = list[str]()
        if self.about.bits > self.bits:
            self.notes.append(f"{format.name.upper()} has {self.bits} bits, not {self.about.bits}")
        self._chroma, self._keep_tone = tinted.chromas[index], tinted.keep_tone
        self._sampled = _sampled_rows(self.about.height)
        self._sample = dict[int, NDArray[np.floating[Any]]]()
        self._tinter: Tinter | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels, with those of a pyramid's levels."""
        pixels = self.about.width * self.about.height * (4 / 3 if self.about.pyramid else 1)
        return int(pixels * self.bands * (1 if self.bits == 8 else 2))

    def write(
        self, file: BinaryIO, quality: int | None, meta: Any, profile: bytes, mark: Mark, *,
        big: bool,
    ) -> None:  # fmt: skip
        about = self.about
        size, codes = (about.width, about.height), 8 if self.bits == 8 else 16
        if self.format.name == "pnm":
            system = f"retint {mark.model} {mark.version}".strip()
            file.write(containers.pnm_head(meta, *size, codes, system))
            for block in self._tinted_blocks(codes):
                file.write(block.astype(">u2").data if codes == 16 else block.data)
            return
        if encoders.is_plain(self.format, about.tags):
            file.write(raw_tiff(*size, self.bands, codes, rows=self.rows, big=big))
            for block in self._tinted_blocks(codes):
                file.write(_flat(block))
            return
        save, edit, head = encoders.encoder(
            self.format, self.coding, meta, profile, size=size, bits=self.bits, quality=quality,
            page=about.tags, pyramid=about.pyramid, big=big,
        )  # fmt: skip
        header = raw_tiff(*size, self.bands, codes, rows=self.rows)
        blocks = self._tinted_blocks(codes)
        nbytes = about.width * about.height * self.bands * codes // 8
        source = RowSource(header, (_flat(block) for block in blocks), nbytes)
        pump(source, Sink(file, edit=edit, head=head), save)

    def _tinted_blocks(self, bits: int) -> Iterator[Codes]:
        """Blocks of rows (rows, width, 3 or 4) of the result."""
        photo, about = self.photo, self.about
        chroma = self._chroma.oriented(photo.metadata(self.index).orientation)
        tone = None
        if self._keep_tone and photo.colour(self.index) == "toned":
            tone = tone_curve(photo.thumbnail_lab(256, self.index))
        size = about.width, about.height
        self._tinter = tinter = Tinter(
            chroma, *size, bits_out=bits, tone=tone, measure=not self.lossy
        )
        blocks, notes = photo.blocks(self.index, self.rows)
        self.notes += notes
        decoded = Ahead(blocks)
        y = 0
        try:
            for block in decoded:
                colours = block[..., : 3 if block.shape[2] >= 3 else 1]
                alpha = block[..., -1:] if block.shape[2] in (2, 4) else None
                codes: Codes = colours[..., 0]
                if colours.shape[2] == 3:
                    grey = one_band(colours)
                    codes = colours if grey is None else grey
                rgb = tinter(codes, y)
                if self.lossy:
                    self._remember(codes, y)
                if alpha is not None:
                    rgb = np.concatenate([rgb, _deepened(alpha, bits)], axis=2)
                if self.bits in (10, 12):  # libvips cuts the lower bits off; round before
                    step, top = 1 << (16 - self.bits), (1 << self.bits) - 1
                    rgb = (np.rint(rgb * np.float32(top / 65535)) * step).astype(np.uint16)
                yield rgb
                y += len(block)
        finally:
            decoded.close()

    def _remember(self, codes: Codes, y0: int) -> None:
        """Keep an even sample of the source's lightness, to be compared with the file written."""
        rows = [y for y in self._sampled if y0 <= y < y0 + len(codes)]
        across = -(-self.about.width // MEASURED_COLUMNS)
        sample = lightness(codes[np.array(rows, np.intp) - y0, ::across])
        self._sample |= dict(zip(rows, sample, strict=True))

    def measured(self, data: Bytes, place: int) -> tuple[float, float]:
        """Mean and largest |dL*| of the page as written: the file's `place`-th directory."""
        if not self.lossy:
            return (0.0, 0.0) if self._tinter is None else self._tinter.delta_L
        wanted = {y: y for y in self._sample}
        if self.format.name == "jpeg":  # rows of blocks stand alone, and are decoded alone
            bands = sorted({y // jpeg.BAND for y in wanted})
            with data.open() as file:
                data = Bytes(None, jpeg.bands(file.read(), bands))
            moved = {band: i for i, band in enumerate(bands)}
            wanted = {y: jpeg.BAND * moved[y // jpeg.BAND] + y % jpeg.BAND for y in wanted}
        image = decode(data, self.format.name, page=place).image
        if image.width != self.about.width:
            raise InputError(f"{self.photo.name}: is turned by metadata that contradict each other")
        reader = region_of(image)
        kind = np.uint16 if str(image.format) == "ushort" else np.uint8
        across = -(-self.about.width // MEASURED_COLUMNS)
        width, rows = self.about.width, list[NDArray[Any]]()
        for row in wanted.values():
            fetched = np.frombuffer(reader.fetch(0, row, width, 1), kind)
            rows.append(fetched.reshape(width, image.bands)[::across, :3])
        codes: Codes = np.stack(rows)
        if self.bits in (10, 12):
            codes += codes >> np.uint16(self.bits)
        errors = np.abs(lightness(codes) - np.stack([self._sample[y] for y in wanted]))
        return float(errors.mean()), float(errors.max())


def region_of(image: Any) -> Any:
    """A libvips region, from which rows are fetched."""
    region: Any = pyvips.Region
    return region.new(image)


def _flat(block: Codes) -> memoryview:
    return np.ascontiguousarray(block).data.cast("B")


def _deepened(alpha: Codes, bits: int) -> Codes:
    """Alpha at the depth of the result."""
    if bits == 16 and alpha.dtype == np.uint8:
        return alpha.astype(np.uint16) * np.uint16(257)
    if bits == 8 and alpha.dtype == np.uint16:
        return ((alpha.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return alpha


def _sampled_rows(height: int) -> list[int]:
    """Rows on which lossy coding is measured: every second one of bands of eight, spread evenly."""
    bands = 8 * max(1, height // (2 * MEASURED_ROWS))
    rows = np.arange(height)
    if height >= 2 * MEASURED_ROWS:
        rows = rows[(rows % bands < 8) & (rows % 2 == 0)]
    return rows.tolist()


def _is_big_tiff(photo: "Photo") -> bool:
    if photo.format != "tiff":
        return False
    with photo.data.open() as file:
        return file.read(4) in (b"II+\0", b"MM\0+")


def _places(file: BinaryIO) -> list[int]:
    """Directories of a written TIFF that are pages, not levels of a pyramid."""
    pages = tiff.read(file, skip=tiff.OFFSETS).pages
    return [i for i, page in enumerate(pages) if not page.number(254) & 1]


def _sync(file: BinaryIO) -> None:
    if not isinstance(file, io.BytesIO):
        os.fsync(file.fileno())


def _sha256(data: Bytes) -> str:
    if data.path is None:
        return hashlib.sha256(data.data).hexdigest()
    with data.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring a rename in this folder to the disk, where folders can be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
