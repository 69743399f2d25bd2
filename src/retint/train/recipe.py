"""A recipe: all that decides how a network is trained, in one small TOML file."""

import dataclasses
import difflib
import tomllib
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from retint.errors import OptionsError


@dataclass(frozen=True)
class Data:
    """Which pictures, and which windows of them."""

    sizes: tuple[int, ...] = (128,)  # side of the square crops, one size a batch
    size_shares: tuple[float, ...] = (1.0,)
    large_side: int = 128  # a picture whose shorter side is at least this is large
    large_share: float = 0.5  # of each batch; sizes above `large_side` take large pictures only
    zoom: float = 1.35  # a crop's side is 1..1/zoom of the picture's shorter side
    stretch: float = 1.15  # aspect ratio jitter: some sources were squashed to squares
    validation: float = 0.01  # share of the pictures kept apart, by hash of their names


@dataclass(frozen=True)
class Film:
    """How a colour photograph becomes the grey one that the network sees; each value is a
    probability but `plain`."""

    plain: float = 0.4  # share of the pictures left as plain luminance
    spectral: float = (
        0.6  # random sensitivity to red, green and blue: orthochromatic film does not see red
    )
    tone: float = 0.8  # gamma, contrast, faded blacks and whites
    blur: float = 0.3
    grain: float = 0.5
    scratches: float = 0.15
    vignette: float = 0.15
    jpeg: float = 0.25


@dataclass(frozen=True)
class Bins:
    """The task: a distribution over ab bins (Zhang et al. 2016)."""

    step: float = 10.0  # Lab units between centres
    rarest: float = 2e-5  # bins with a smaller share of the corpus' pixels are left out
    neighbours: int = 5
    sigma: float = 5.0
    mixing: float = 0.5
    strength: float = 0.5


@dataclass(frozen=True)
class Optimiser:
    """AdamW (Loshchilov & Hutter, arXiv:1711.05101) with warm-up and averaged weights."""

    rate: float = 2e-3  # AdamW's learning rate
    encoder_rate: float = 4e-4  # and that of the pretrained encoder
    weight_decay: float = 0.01
    warmup: int = 300  # steps
    clip: float = 1.0  # of the gradient's norm
    ema: float = 0.999
    batch: int = 64  # pictures at the first of the sizes; larger sizes take fewer, the same pixels


@dataclass(frozen=True)
class Schedule:
    """How long: the cosine falls to zero over `minutes` of training time where given, else over
    `steps`."""

    steps: int = 10_000
    minutes: float | None = None
    checkpoint_minutes: float = 5.0


@dataclass(frozen=True)
class Recipe:
    """One training, whole; see `load`."""

    name: str
    family: str = "retint"
    encoder: str | None = None  # file name of pretrained weights, looked for in --backbones
    seed: int = 0
    model: dict[str, Any] = field(default_factory=dict)  # overrides of the family's Config
    data: Data = Data()
    film: Film = Film()
    bins: Bins = Bins()
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    card: dict[str, Any] = field(default_factory=dict)  # texts of the model's card (hub.Card)

    def __post_init__(self) -> None:
        if len(self.data.sizes) != len(self.data.size_shares):
            raise OptionsError("data.sizes and data.size_shares differ in length")
        if any(size % 32 for size in self.data.sizes):
            raise OptionsError("data.sizes: each must be a multiple of 32")


def load(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe from TOML, with `changes` of the form "schedule.minutes=30" on top.

    OptionsError for an unreadable file, an unknown key (with the nearest right one) or a value of
    a wrong type.
    """
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionsError(f"{path}: {error}") from None
    table.setdefault("name", path.stem)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise OptionsError(f"{change}: expected key=value")
        place = table
        *rooms, last = key.strip().split(".")
        for room in rooms:
            place = place.setdefault(room, {})
        try:
            place[last] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            place[last] = value
    return from_dict(table, str(path))


def from_dict(table: dict[str, Any], where: str = "recipe") -> Recipe:
    """A recipe from plain values, as `to_dict` gives them; errors as for `load`."""
    return _build(Recipe, table, where)


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain values of a recipe: dicts, tuples, numbers, text."""
    return dataclasses.asdict(recipe)


def _build(kind: Any, table: dict[str, Any], where: str) -> Any:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(hints)}"
            raise OptionsError(f"{where}: unknown key {key!r}{hint}")
        values[key] = _value(hints[key], value, f"{where}: {key}")
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if isinstance(value, dict):
            return _build(hint, value, where)
    elif get_origin(hint) is types.UnionType:
        if value is None:
            return None
        return _value(next(a for a in get_args(hint) if a is not type(None)), value, where)
    elif get_origin(hint) is tuple:
        if isinstance(value, list | tuple):
            return tuple(_value(get_args(hint)[0], v, where) for v in value)
    elif get_origin(hint) is dict:
        if isinstance(value, dict):
            return value
    elif hint is float and type(value) in (int, float):
        return float(value)
    elif type(value) is hint:
        return value
    raise OptionsError(f"{where}: {value!r} is not of type {getattr(hint, '__name__', hint)}")
