"""What a desk's process does: photographs are held open, with what was guessed of them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pyvips

from retint import predict
from retint.chroma import Chroma
from retint.colorizer import DIRECTIONS, Colorizer, Hint, Options
from retint.errors import InputError, RetintError
from retint.files import NO_MEMORY
from retint.formats import chunks, containers
from retint.formats.metadata import Mark, Metadata, for_result
from retint.palette import Swatch, palette
from retint.photo import PREVIEW, Photo
from retint.preview import Pixels, Preview
from retint.serve.bounds import Bounds
from retint.tone import Tone

ROOM = 512 << 20
"""Most bytes that open photographs take in memory; beyond it the one not used longest is closed."""

SPACE = 4 << 30
"""Most bytes on the disk of a photograph's codes that are too many for the memory."""

GUESSES = 8  # of one photograph
COARSE = 512  # longest side of a picture of the confidence, which is no finer than a guess

Show = Literal["colour", "grey", "source", "confidence"]


@dataclass(frozen=True)
class Facts:
    """What is found out when a photograph is opened; width and height are upright."""

    width: int
    height: int
    pages: int
    format: str
    tone: Tone
    marked: bool


@dataclass(frozen=True)
class Refused:
    """Why a question has no answer."""

    reason: str


Models: TypeAlias = Callable[[str], predict.Predictor]
"""Gives a model by its name in the service."""


class Question(Protocol):
    """Something to find out about the photograph at `path`, of at most `max_pixels`."""

    @property
    def path(self) -> Path:
        """Where the photograph lies."""
        ...

    @property
    def max_pixels(self) -> int:
        """Most pixels it may have."""
        ...

    def answer(self, opened: "Opened") -> Any:
        """Find it out."""
        ...


@dataclass(frozen=True)
class Opening:
    """What is this? Answered by Facts."""

    path: Path
    max_pixels: int

    def answer(self, opened: "Opened") -> Facts:
        """Find it out."""
        photo = opened.photo
        width, height = opened.preview(0).size
        return Facts(
            width, height, photo.pages, photo.format, photo.colour(), photo.is_marked
        )  # fmt: skip


@dataclass(frozen=True)
class Guessing:
    """A page, a model's guess of it, and how that is shown."""

    path: Path
    options: Options
    hints: tuple[Hint, ...]
    page: int

    @property
    def max_pixels(self) -> int:
        """As the options have it."""
        return self.options.max_pixels


@dataclass(frozen=True)
class Seeing(Guessing):
    """What does a part look like? Answered by a picture in a file's bytes.

    part: left, top, width and height, shares of the upright picture. side: as for `Preview.part`.
    format: webp, jpeg or png.
    """

    show: Show
    part: tuple[float, float, float, float]
    side: int
    format: str

    def answer(self, opened: "Opened") -> bytes:
        """Find it out."""
        meta = opened.mark(self.options) if self.show == "colour" else None
        return encoded(self._picture(opened), self.format, meta)

    def _picture(self, opened: "Opened") -> Pixels:
        preview = opened.preview(self.page)
        side = min(self.side, COARSE) if self.show == "confidence" else self.side
        part = preview.part(*self.part, side)
        if self.show == "source":
            return preview.source(part)
        if self.show == "grey":
            return preview.colour(part, WITHOUT_COLOUR)
        chroma = opened.guess(self.options, self.hints, self.page)
        if self.show == "confidence":
            return preview.unsure(part, chroma)
        adjusted = chroma.adjusted(self.options.saturation, self.options.mute_uncertain)
        return preview.colour(part, adjusted, keep_tone=self.options.keep_tone)


@dataclass(frozen=True)
class Comparing(Guessing):
    """How far are the alternatives from the guess? Answered by a mean distance for each, in Lab
    units, of as many as are asked for; that of the guess, the first, is 0."""

    count: int

    def answer(self, opened: "Opened") -> list[float]:
        """Find it out."""
        guess, *others = opened.guesses(self.options, self.hints, self.page)[: self.count]
        apart = [np.linalg.norm(other.ab - guess.ab, axis=2).mean() for other in others]
        return [0.0, *map(float, apart)]


@dataclass(frozen=True)
class Sampling:
    """Which colours is it made of? Answered by swatches."""

    path: Path
    max_pixels: int
    count: int

    def answer(self, opened: "Opened") -> list[Swatch]:
        """Find it out; InputError for a photograph without colour."""
        found = palette(opened.photo.thumbnail_lab(256), self.count)
        if opened.photo.colour() == "grey" or not found:
            raise InputError(f"{opened.photo.name}: has no colours to take")
        return found


def start(
    models: Mapping[str, str], device: str, threads: int, bounds: Bounds
) -> Callable[[Question | None], Any]:
    """What a process does with its questions; models are loaded once, the first at the start.

    For None, which asks only whether it is ready, it answers None.
    """
    bounds.confine()
    pyvips.cache_set_max(0)  # of operations, none of which is done twice: it only holds memory
    loaded: dict[str, predict.Predictor] = {}

    def load(name: str) -> predict.Predictor:
        if name not in loaded:
            loaded[name] = predict.load(models[name], device=device, threads=threads)
        return loaded[name]

    load(next(iter(models)))
    table = Table(load)

    def answer(question: Question | None) -> Any:
        if question is None:
            return None
        bounds.renew(SPACE)
        try:
            return question.answer(table.opened(question.path, question.max_pixels))
        except RetintError as error:
            return Refused(str(error))
        except OSError as error:
            return Refused(f"{question.path}: {error.strerror or error}")
        except MemoryError:
            return Refused(f"{question.path}: {NO_MEMORY}")
        finally:
            table.tidy()

    return answer


class Opened:
    """A photograph that lies open, and what was found out about it."""

    def __init__(self, path: Path, max_pixels: int, models: Models) -> None:
        self.photo = Photo.open(path, max_pixels=max_pixels)
        self.models = models
        self._folder = path.parent
        self._previews: dict[int, Preview] = {}
        self._guesses: OrderedDict[Any, list[Chroma]] = OrderedDict()
        self._seen: set[int] = set()
        self._see(0)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        held = [self.photo.held(page) for page in range(self.photo.pages)]
        chromas = [chroma for guess in self._guesses.values() for chroma in guess]
        return (
            sum(codes.nbytes for codes in held if codes is not None)
            + sum(preview.nbytes for preview in self._previews.values())
            + sum(plane.nbytes for chroma in chromas for plane in vars(chroma).values())
        )

    def release(self) -> None:
        """Close it as far as it can be opened again; small pictures and guesses stay."""
        self.photo.release()
        for preview in self._previews.values():
            preview.release()

    def preview(self, page: int) -> Preview:
        """A page to be looked at. Raises InputError where there is none."""
        if page >= self.photo.pages:
            raise InputError(f"{self.photo.name}: has {self.photo.pages} pages, from 0 on")
        self._see(page)
        if page not in self._previews:
            self._previews[page] = Preview(self.photo, page, folder=self._folder)
        return self._previews[page]

    def guess(self, options: Options, hints: Sequence[Hint], page: int) -> Chroma:
        """What a result with these options gets, before it is adjusted."""
        if options.alternative:
            return self.guesses(options, hints, page)[options.alternative]
        return self._guessed(
            ("one", *_asked(options, hints, page)), options, page,
            lambda colorizer: [colorizer.predict(self.photo, hints_of(page, hints), page)],
        )[0]  # fmt: skip

    def guesses(self, options: Options, hints: Sequence[Hint], page: int) -> list[Chroma]:
        """All alternatives, the guess first. Raises ModelError for a model of a single answer."""
        return self._guessed(
            ("all", *_asked(options, hints, page)), options, page,
            lambda colorizer: colorizer.alternatives(
                self.photo, 1 + DIRECTIONS, hints_of(page, hints), page
            ),
        )  # fmt: skip

    def mark(self, options: Options) -> Metadata:
        """What a picture in colour says of itself, as a result does."""
        model = self.models(options.model)
        return for_result(Metadata(), Mark(model.name, model.version))

    def _guessed(
        self, key: Any, options: Options, page: int, guess: Callable[[Colorizer], list[Chroma]]
    ) -> list[Chroma]:
        if key not in self._guesses:
            colorizer = Colorizer(self.models(options.model), options)
            self._see(page, colorizer.working_size)
            self._guesses[key] = guess(colorizer)
            while len(self._guesses) > GUESSES:
                self._guesses.popitem(last=False)
        self._guesses.move_to_end(key)
        return self._guesses[key]

    def _see(self, page: int, longest: int = 0) -> None:
        """Have a page's small picture made as for a result: from the held page where it fits."""
        if page in self._seen and longest <= PREVIEW:
            return
        if self.photo.held(page) is None:
            self.photo.hold()
        self.photo.thumbnail(page=page)
        self._seen.add(page)


class Table:
    """The photographs that lie open, the one used last on top."""

    def __init__(self, models: Models, room: int = ROOM) -> None:
        self.models, self.room = models, room
        self._opened: OrderedDict[Path, Opened] = OrderedDict()

    def opened(self, path: Path, max_pixels: int) -> Opened:
        """A photograph, opened where it is not open. Raises InputError."""
        if path not in self._opened:
            self._opened[path] = Opened(path, max_pixels, self.models)
        self._opened.move_to_end(path)
        return self._opened[path]

    def tidy(self) -> None:
        """Make room: pages first, then all of a photograph, those not used longest first."""
        taken = {path: opened.nbytes for path, opened in self._opened.items()}
        others = list(self._opened)[:-1]
        for path in others:
            if sum(taken.values()) <= self.room:
                return
            self._opened[path].release()
            taken[path] = self._opened[path].nbytes
        for path in others:
            if sum(taken.values()) <= self.room:
                return
            del self._opened[path], taken[path]


def _asked(options: Options, hints: Sequence[Hint], page: int) -> tuple[Any, ...]:
    """What a guess depends on."""
    return options.model, options.longest, tuple(hints_of(page, hints)), page


def hints_of(page: int, hints: Sequence[Hint]) -> Sequence[Hint]:
    """Hints are for the first page."""
    return hints if page == 0 else ()


def encoded(pixels: Pixels, format: str, meta: Metadata | None = None) -> bytes:
    """A picture (h, w, 3 or 4) as a file; what a format cannot see through stands on black."""
    height, width, bands = pixels.shape
    vips: Any = pyvips.Image
    image = vips.new_from_memory(pixels.data, width, height, bands, "uchar")
    image = image.copy(interpretation="srgb")
    if format == "png":
        data = image.pngsave_buffer(compression=1, keep="none")
        return data if meta is None else chunks.png_edit(meta, b"")(data)
    if format == "jpeg":
        data = image.jpegsave_buffer(Q=92, subsample_mode="off", keep="none")
        return data if meta is None else containers.jpeg_edit(meta, b"")(data)
    data = image.webpsave_buffer(Q=88, effort=0, keep="none")
    return data if meta is None else chunks.webp_edit(meta, b"", width, height)(data)


WITHOUT_COLOUR = Chroma.fit(np.zeros((1, 1, 2)), np.ones((1, 1)), np.zeros((1, 1)))
"""Gives a photograph's lightness back."""
