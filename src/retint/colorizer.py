"""Where the rooms are joined: options, and a photograph's way from grey to colour."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_type_hints

import numpy as np

from retint.chroma import Chroma
from retint.errors import InputError, ModelError, OptionsError
from retint.formats.codecs import FORMATS, format_by_name
from retint.propagate import propagate

if TYPE_CHECKING:  # the rooms a photograph and a predictor come from are not needed to join them
    from numpy.typing import NDArray

    from retint.photo import Photo, Tinted
    from retint.predict import Prediction, Predictor

WORKING_SIZE = 256  # of predictors that carry no card
DIRECTIONS = 8  # of the ab plane, in which alternatives are looked for
TILT = 0.03  # per Lab unit: enough to see, little enough to believe (looked at on old photographs)


def _option(default: Any, help: str, **about: Any) -> Any:
    """A field; `low`, `high` bound it; `shows=False`: the pixels do not depend on it; `later`:
    older receipts do not have it."""
    return field(default=default, metadata={"help": help, "shows": True, **about})


@dataclass(frozen=True)
class Options:
    """How photographs are coloured: the one truth for the library, the command line and receipts.

    Each field says in its metadata what it means (`help`) and its range (`low`, `high`). Raises
    OptionsError for a value of another kind or outside its range.
    """

    model: str = _option(
        "default", "Name of a released model, or path of an .onnx file.", shows=False
    )  # its weights show, and have a hash of their own
    longest: int | None = _option(
        None, "Longest side at which colour is guessed, in pixels [the model's own].",
        low=16, high=4096,
    )  # fmt: skip
    saturation: float = _option(1.0, "Factor on the colours; 0 is grey.", low=0.0, high=4.0)
    mute_uncertain: float = _option(
        0.0, "How far colours fade where the model is unsure; 0 not at all, 1 wholly.",
        low=0.0, high=1.0,
    )  # fmt: skip
    keep_tone: bool = _option(False, "Let a toned print (sepia) stay warm in its greys.")
    alternative: int = _option(
        0, "Which of the plausible colourings: 0 is the model's guess, 1 the one most unlike it, "
        "and so on; for models that give several.",
        low=0, high=8, later=True,
    )  # fmt: skip
    if_colour: Literal["skip", "copy", "recolour"] = _option(
        "skip", "What to do with a photograph that has colour already."
    )
    format: str | None = _option(
        None, "Format of the results: jpeg, png, tiff, ... [the source's]."
    )
    quality: int | None = _option(
        None, "Quality of lossy formats [a JPEG source's own].", low=1, high=100
    )
    device: str = _option(
        "auto", "Where the network runs: auto, cpu, cuda, ... [the best there is].", shows=False
    )
    max_pixels: int = _option(
        500_000_000, "Largest photograph that is opened, in pixels.", low=1, shows=False
    )

    def __post_init__(self) -> None:
        self._check()
        if self.format is not None:
            known = format_by_name(self.format)
            if known is None:
                names = ", ".join(f.name for f in FORMATS.values() if f.depths)
                raise OptionsError(f"format is {self.format!r}, not one of {names}")
            object.__setattr__(self, "format", known.name)

    def _check(self) -> None:
        kinds = get_type_hints(type(self))
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type is float and type(value) is int:
                value = float(value)
                object.__setattr__(self, item.name, value)
            if not _is_of(value, kinds[item.name]):
                raise OptionsError(f"{item.name} is {value!r}{_expected(kinds[item.name])}")
            low, high = item.metadata.get("low"), item.metadata.get("high")
            if value is None or low is None:
                continue
            if not math.isfinite(value) or value < low or (high is not None and value > high):
                range_ = f"at least {low}" if high is None else f"between {low} and {high}"
                raise OptionsError(f"{item.name} is {value}, not {range_}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Options":
        """Read `to_dict`'s values; what is left out has its default. Raises OptionsError."""
        unknown = sorted(values.keys() - {item.name for item in fields(cls)})
        if unknown:
            raise OptionsError(f"there is no option {', '.join(unknown)}")
        return cls(**values)

    def to_json(self) -> str:
        """The options as a JSON object; `from_json` reads it back."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """Read `to_json`'s text; what is left out has its default. Raises OptionsError."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise OptionsError(f"the options are no JSON: {error}") from error
        if not isinstance(values, dict):
            raise OptionsError("the options are no JSON object")
        return cls.from_dict(cast(dict[str, Any], values))

    def same_pixels(self, recorded: Mapping[str, Any]) -> bool:
        """Whether a receipt's options would have given the same result as these."""
        return all(
            recorded.get(item.name, _unrecorded(item)) == getattr(self, item.name)
            for item in fields(self)
            if item.metadata["shows"]
        )


@dataclass(frozen=True)
class Hint:
    """A colour that somebody knows: a* and b*, Lab units, within `radius` of a place.

    x, y: 0..1, across and down the upright picture. radius: share of the picture's longer side.
    OptionsError outside these ranges.
    """

    x: float
    y: float
    a: float
    b: float
    radius: float = 0.01

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in (self.x, self.y, self.radius)):
            raise OptionsError(f"{self}: x, y and radius are shares, 0 to 1")
        if not (abs(self.a) <= 128 and abs(self.b) <= 128):
            raise OptionsError(f"{self}: a and b lie within -128 to 128")


class Colorizer:
    """Brings photographs into colour with a model, as the options say.

    The same photograph, model and options give the same pixels, whatever runs beside it.
    """

    def __init__(self, model: "Predictor", options: Options | None = None) -> None:
        self.model = model
        self.options = options or Options()

    @property
    def working_size(self) -> int:
        """Longest side at which colour is guessed."""
        card = getattr(self.model, "card", None)
        return self.options.longest or (WORKING_SIZE if card is None else card.working_size)

    def predict(self, photo: "Photo", hints: Sequence[Hint] | None = None, page: int = 0) -> Chroma:
        """Guess the colour of one page, fitted to its lightness and upright, not yet adjusted.

        It is the alternative that the options name. hints: for a model that takes some; later ones
        lie above earlier ones. Raises InputError where the photograph cannot be decoded, ModelError
        where the model fails, gives something else than colours, takes no hints, or has a single
        answer where another is asked for.
        """
        if self.options.alternative:
            return self.alternatives(photo, self.options.alternative + 1, hints, page)[-1]
        L, found = self._guess(photo, hints, page, None)
        return _fitted(found, 0, L)

    def alternatives(
        self, photo: "Photo", n: int, hints: Sequence[Hint] | None = None, page: int = 0
    ) -> list[Chroma]:
        """Guess `n` colourings of one page: first the model's own, then others that are as
        plausible and differ from each other where the model is unsure, the most different first.

        Up to 9. Raises what `predict` does, and ModelError for a model of a single answer.
        """
        if not 1 <= n <= 1 + DIRECTIONS:
            raise OptionsError(f"{n} alternatives: there are 1 to {1 + DIRECTIONS}")
        angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        tilts = TILT * np.stack([np.cos(angles), np.sin(angles)], 1, dtype=np.float32)
        L, found = self._guess(photo, hints, page, np.concatenate([0 * tilts[:1], tilts]))
        return [_fitted(found, k, L) for k in _most_different(found.ab, n)]

    def _guess(
        self,
        photo: "Photo",
        hints: Sequence[Hint] | None,
        page: int,
        tilts: "NDArray[np.float32] | None",
    ) -> "tuple[NDArray[np.float32], Prediction]":
        """A page's small lightness, and a guess for each tilt; one where there is none."""
        L = photo.thumbnail(self.working_size, page)
        found = self._answer(L, None, tilts)
        if hints:
            places = _places(hints, *L.shape)
            followed = self._answer(L, _drawn(hints, places), tilts)
            before, after = (x.ab.transpose(0, 2, 3, 1) for x in (found, followed))
            colours = np.array([(hint.a, hint.b) for hint in hints])
            told = propagate(before, after, L, places, colours)
            found = replace(followed, ab=told.transpose(0, 3, 1, 2))
        return L, found

    def _answer(
        self,
        L: "NDArray[np.float32]",
        hints: "NDArray[np.float32] | None",
        tilts: "NDArray[np.float32] | None",
    ) -> "Prediction":
        """What the model says, when it is what a model may say."""
        more = {} if tilts is None else {"tilt": tilts}  # most models need not know of it
        found = self.model(L[None, None], hints, **more)
        height, width = L.shape
        m = 1 if tilts is None else len(tilts)
        wanted = (m, 2, height, width), (m, 1, height, width)
        if (found.ab.shape, found.confidence.shape) != wanted:
            raise ModelError(
                f"{self.model.name}: ab {found.ab.shape} and confidence {found.confidence.shape}"
                f" for lightness {height} x {width}"
            )
        if not (np.isfinite(found.ab).all() and np.isfinite(found.confidence).all()):
            raise ModelError(f"{self.model.name}: gave colours that are no numbers")
        return found

    def colorize(self, photo: "Photo", hints: Sequence[Hint] | None = None) -> "Tinted":
        """Colour every page; the result's `save` writes it. Raises what `predict` does.

        hints: for the first page.
        """
        chroma = [
            self.predict(photo, hints if page == 0 else None, page) for page in range(photo.pages)
        ]
        return _tinted(photo, chroma, self.options)


def _fitted(found: "Prediction", k: int, L: "NDArray[np.float32]") -> Chroma:
    return Chroma.fit(found.ab[k].transpose(1, 2, 0), found.confidence[k, 0], L)


def _most_different(colours: "NDArray[np.float32]", n: int) -> list[int]:
    """Indices of `n` of these: the first, then each time what is furthest from all those chosen."""
    chosen = [0]
    nearest = np.full(len(colours), np.inf)
    while len(chosen) < n:
        apart = [float(np.abs(ab - colours[chosen[-1]]).mean()) for ab in colours]
        nearest = np.minimum(nearest, apart)
        chosen.append(int(nearest.argmax()))
    return chosen


def _places(hints: Sequence[Hint], height: int, width: int) -> "NDArray[np.bool_]":
    """Where each hint lies, (n, height, width): in one pixel at least."""
    down, across = np.mgrid[:height, :width]
    places = np.zeros((len(hints), height, width), bool)
    for place, hint in zip(places, hints, strict=True):
        row, column = min(int(hint.y * height), height - 1), min(int(hint.x * width), width - 1)
        radius = hint.radius * max(height, width)
        place[:] = (down - row) ** 2 + (across - column) ** 2 <= radius**2
    return places


def _drawn(hints: Sequence[Hint], places: "NDArray[np.bool_]") -> "NDArray[np.float32]":
    """Hints as a predictor takes them, (1, 3, height, width)."""
    drawn = np.zeros((1, 3, *places.shape[1:]), np.float32)
    for hint, place in zip(hints, places, strict=True):
        drawn[0, :, place] = hint.a, hint.b, 1
    return drawn


def borrow(photo: "Photo", colouring: "Photo", options: Options) -> "Tinted":
    """Put the colours of somebody else's colouring of the same photograph onto it.

    colouring: of any size, with as many pages as the photograph. Raises InputError where either
    cannot be decoded or their pages differ.
    """
    if photo.pages != colouring.pages:
        raise InputError(
            f"{colouring.name}: has {colouring.pages} pages, the photograph {photo.pages}"
        )
    longest = options.longest or BORROWED_SIZE
    chroma = [
        Chroma.from_picture(colouring.thumbnail_lab(longest, p), photo.thumbnail(longest, p))
        for p in range(photo.pages)
    ]
    return _tinted(photo, chroma, options)


BORROWED_SIZE = 512
"""Longest side at which somebody else's colours are taken: they may be finer than a network's."""


def _tinted(photo: "Photo", chroma: list[Chroma], options: Options) -> "Tinted":
    adjusted = [c.adjusted(options.saturation, options.mute_uncertain) for c in chroma]
    return photo.tint(adjusted, keep_tone=options.keep_tone)


def _unrecorded(item: Field[Any]) -> Any:
    """What a receipt that does not name an option says of it."""
    return item.default if item.metadata.get("later") else ...


def _is_of(value: object, kind: Any) -> bool:
    """Whether a value is of a field's declared kind: a type, a union of types, or a Literal."""
    choices = get_args(kind)
    if not choices:
        return type(value) is kind
    return value in choices if isinstance(choices[0], str) else type(value) in choices


def _expected(kind: Any) -> str:
    choices = get_args(kind)
    if choices and isinstance(choices[0], str):
        return f", not one of {', '.join(choices)}"
    names = [choice.__name__ for choice in choices or (kind,) if choice is not type(None)]
    return f", not {' or '.join(names)}"
