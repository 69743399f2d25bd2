"""A recipe: all that decides how a network is trained, in one small TOML file."""

import dataclasses
import difflib
import json
import re
import tomllib
import types
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from retint.errors import OptionsError

Term = Literal[
    "mse",
    "l1",
    "huber",
    "rgb",
    "bins",
    "adversarial",
    "wgan",
    "perceptual",
    "distillation",
    "colourfulness",
    "subject",
    "distribution",
]
"""The terms a loss is summed from; see `train.tasks`."""


@dataclass(frozen=True)
class Data:
    """Which pictures, how often each."""

    pictures: int | None = None  # at most, chosen by the seed; None: all
    sizes: tuple[int, ...] = (128,)  # side of the square crops, one size a batch
    size_shares: tuple[float, ...] = (1.0,)
    large_side: int = 128  # a picture whose shorter side is at least this is large
    # of each batch, None: as they come; sizes above the first take large pictures only
    large_share: float | None = None
    # none: every picture equally often; source, class: every data set, every label equally often;
    # colour: as they come but for a cast, taken out with the least change: see `batches.tilted`
    balance: Literal["none", "source", "class", "colour"] = "none"
    mean_ab: tuple[float, ...] = (
        1.4,
        6.9,
    )  # without a cast: that of 14,000 photographs of all kinds
    sources: dict[str, float] = field(default_factory=dict)  # factor on how often a data set comes
    general_share: float = 0.0  # of each batch, from the general set (fine-tuning)
    memory_gb: float = 6.0  # for decoded pictures; those beyond are decoded each time


@dataclass(frozen=True)
class Augment:
    """Which window of a picture is cut out, and how it is turned."""

    mirror: float = 0.5  # probability
    zoom: float = 1.35  # the window's side is 1..1/zoom of the picture's shorter side
    stretch: float = 1.15  # aspect ratio jitter: some sources were squashed to squares
    angles: tuple[float, ...] = (0.0,)  # degrees, one of them at random
    rotate: float = 0.0  # and up to so many degrees to either side
    shear: float = 0.0  # up to this slope


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
class Regression:
    """The terms `mse`, `l1` and `huber`."""

    unit: float = 128.0  # Lab units that count as 1: 128 is ab in -1..1, 1 raw ab
    delta: float = 1.0  # of the Huber loss, in those units
    # sides, pixels, of Gaussian blurs behind which the error is measured too; the mean counts
    blur: tuple[int, ...] = ()


@dataclass(frozen=True)
class Bins:
    """The term `bins`: a distribution over ab bins (Zhang et al. 2016)."""

    step: float = 10.0  # Lab units between centres
    # seen: those that the corpus shows; gamut: all of sRGB's, the paper's 313 for a step of 10
    colours: Literal["seen", "gamut"] = "seen"
    rarest: float = 2e-5  # bins with a smaller share of the corpus' pixels are left out
    neighbours: int = 5
    sigma: float = 5.0
    mixing: float = 0.5
    strength: float = 0.5


@dataclass(frozen=True)
class Critic:
    """The terms `adversarial` (binary cross-entropy) and `wgan` (with gradient penalty), and their
    PatchGAN critic (Isola et al. 2017)."""

    channels: int = 64
    depth: int = 3  # strided layers: 3 judge patches of 70 pixels
    rate: float = 2e-4
    beta1: float = 0.5
    turns: int = 1  # steps of the critic for one of the network
    penalty: float = 10.0  # of the gradient's norm (Gulrajani et al. 2017), `wgan` only


@dataclass(frozen=True)
class Perceptual:
    """The term `perceptual`: distance between features of the true and the guessed colours."""

    # VGG-16's file, looked for in --backbones, or a checkpoint of a network with an encoder
    weights: str = "vgg16_conv1-3.safetensors"


@dataclass(frozen=True)
class Distillation:
    """The term `distillation`: the encoder's deepest features follow a teacher's in colour."""

    weights: str = "mobilenet_v2_imagenet.safetensors"  # looked for in --backbones
    scale: float = 1.0  # the teacher is shown the picture so many times as large


@dataclass(frozen=True)
class Subject:
    """The terms `subject` (labels of the corpus, learned beside colour: Iizuka et al. 2016) and
    `distribution` (Kullback-Leibler divergence to a teacher's: Vitoria et al. 2020)."""

    fewest: int = 20  # pictures of a label that counts as a class
    teacher: str | None = None  # checkpoint of a network that names subjects


@dataclass(frozen=True)
class Hints:
    """Colours shown to networks that take hints; see `train.hints`."""

    none: float = 0.7  # probability of a picture without any
    everything: float = 0.01  # and of one that shows all its colours
    mean: float = 8.0  # points of the others
    largest: int = 9  # side of a point, pixels


@dataclass(frozen=True)
class Optimiser:
    """How weights follow gradients."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"  # sgd: with Nesterov's momentum
    rate: float = 2e-3
    encoder_rate: float | None = None  # of the pretrained encoder; None: as the rest
    weight_decay: float = 0.01
    momentum: float = 0.9  # of sgd
    beta1: float = 0.9  # of adamw and adam; 0.5 is usual beside a critic
    warmup: int = 300  # steps
    clip: float = 1.0  # of the gradient's norm, 0: none
    ema: float = 0.999  # of the averaged weights, 0: none
    batch: int = 64  # pictures at the first of the sizes; larger sizes take fewer, the same pixels
    precision: Literal["bf16", "fp32"] = "bf16"
    compile: bool = False  # the network, by torch.compile


@dataclass(frozen=True)
class Schedule:
    """How long, and how the learning rate falls meanwhile: over `minutes` of training time where
    given, else over `epochs`, else over `steps`."""

    steps: int = 10_000
    epochs: float | None = None
    minutes: float | None = None
    curve: Literal["cosine", "linear", "constant", "steps"] = "cosine"
    milestones: tuple[float, ...] = (0.5, 0.75)  # shares of the schedule, for `steps`
    drop: float = 0.1  # factor at each of them


@dataclass(frozen=True)
class Validation:
    """When the averaged weights are measured and a checkpoint is kept, on what, and when that ends
    the training. Whichever interval is over first counts."""

    share: float = 0.01  # of the pictures, by hash of their names
    pictures: int = 256  # at most
    minutes: float = 5.0
    steps: int | None = None
    epochs: float | None = None
    best: Literal["val_loss", "val_accuracy", "val_ab"] = "val_loss"  # decides which is best.pt
    stop: bool = False  # early, when that gets no better
    patience: int = 10  # measurements without a new best
    # and when the general set's colours are further from the truth by this share than at the start
    forget: float | None = None


@dataclass(frozen=True)
class Stage:
    """A part of a training with its own aim: what it does not name is the recipe's."""

    name: str
    loss: dict[Term, float] = field(default_factory=dict)
    schedule: Schedule | None = None
    freeze: tuple[str, ...] = ()  # parts of the network that stay as they are, as "encoder"
    rate: float = 1.0  # factor on the optimiser's rates
    datasets: tuple[str, ...] = ()  # only pictures of these data sets


@dataclass(frozen=True)
class Recipe:
    """One training, whole; see `load`."""

    name: str
    family: str = "retint"
    variant: str = "default"
    encoder: str | None = None  # file name of pretrained weights, looked for in --backbones
    seed: int = 0
    model: dict[str, Any] = field(default_factory=dict)  # overrides of the variant's Config
    loss: dict[Term, float] = field(default_factory=lambda: {"bins": 1.0})  # terms, their weights
    data: Data = Data()
    augment: Augment = Augment()
    film: Film = Film()
    regression: Regression = Regression()
    bins: Bins = Bins()
    critic: Critic = Critic()
    perceptual: Perceptual = Perceptual()
    distillation: Distillation = Distillation()
    subject: Subject = Subject()
    hints: Hints = Hints()
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    validation: Validation = Validation()
    freeze: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    card: dict[str, Any] = field(default_factory=dict)  # texts of the model's card (hub.Card)

    def __post_init__(self) -> None:
        data = self.data
        if len(data.sizes) != len(data.size_shares):
            raise OptionsError("data.sizes and data.size_shares differ in length")
        if any(size % 8 for size in data.sizes):
            raise OptionsError("data.sizes: each must be a multiple of 8")
        if any(side < 1 or side % 2 == 0 for side in self.regression.blur):
            raise OptionsError("regression.blur: sides of kernels are odd")

    @property
    def course(self) -> tuple[Stage, ...]:
        """The stages in full, one where the recipe names none."""
        stages = self.stages or (Stage("training"),)
        return tuple(
            replace(
                stage,
                loss=stage.loss or self.loss,
                schedule=stage.schedule or self.schedule,
                freeze=stage.freeze or self.freeze,
            )
            for stage in stages
        )


def load(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe from TOML, with `changes` of the form "schedule.minutes=30" on top.

    OptionsError for an unreadable file, an unknown key (with the nearest right one) or a value of
    a wrong type.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionsError(f"{path}: {error}") from None
    table.setdefault("name", path.stem)
    return from_dict(_changed(table, changes), str(path))


def fine_tuning(*, bins: bool) -> Recipe:
    """What `retint train --from` does where no recipe is named: a few passes at small rates.

    bins: whether the network answers with a distribution over bins, or with ab.
    """
    return Recipe(
        "fine-tuned",
        loss={"bins": 1.0} if bins else {"mse": 1.0},
        optimiser=Optimiser(rate=3e-4, encoder_rate=5e-5, warmup=50, ema=0.99),
        schedule=Schedule(epochs=10),
        validation=Validation(share=0.1),
    )


def changed(recipe: Recipe, changes: tuple[str, ...]) -> Recipe:
    """The recipe with `changes` of the form "schedule.minutes=30" on top; errors as for `load`."""
    return from_dict(_changed(to_dict(recipe), changes), recipe.name)


def write(recipe: Recipe, path: Path) -> None:
    """Write the recipe as TOML, with all that it left to the defaults; `load` reads it back."""
    path.write_text("\n".join(_toml(to_dict(recipe), ())).lstrip() + "\n", "utf-8")


def _toml(table: dict[str, Any], name: tuple[str, ...]) -> list[str]:
    """Lines of a table and of the tables in it."""
    inner = {k: v for k, v in table.items() if isinstance(v, dict)}
    plain = {k: v for k, v in table.items() if k not in inner and v is not None}
    lines = [f"{_key(k)} = {_plain(v)}" for k, v in plain.items()]
    if name and (lines or not inner):
        lines = ["", f"[{'.'.join(map(_key, name))}]", *lines]
    return lines + [line for k, v in inner.items() for line in _toml(v, (*name, k))]


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(k)} = {_plain(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _key(word: str) -> str:
    return word if re.fullmatch(r"[\w-]+", word, re.ASCII) else json.dumps(word)


def from_dict(table: dict[str, Any], where: str = "recipe") -> Recipe:
    """A recipe from plain values, as `to_dict` gives them; errors as for `load`."""
    return _build(Recipe, table, where)


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain values of a recipe: dicts, tuples, numbers, text."""
    return dataclasses.asdict(recipe)


def _changed(table: dict[str, Any], changes: tuple[str, ...]) -> dict[str, Any]:
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
    return table


def _build(kind: Any, table: dict[str, Any], where: str) -> Any:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in hints:
            raise OptionsError(f"{where}: unknown key {key!r}{_nearest(key, hints)}")
        values[key] = _value(hints[key], value, f"{where}: {key}")
    try:
        return kind(**values)
    except TypeError as error:  # a value that has no default
        raise OptionsError(f"{where}: {str(error).partition(') ')[2] or error}") from None


def _nearest(word: str, words: Any) -> str:
    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(words)}"


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, dict):
            return _build(hint, value, where)
    elif origin is Literal:
        if value in inner:
            return value
        raise OptionsError(f"{where}: unknown value {value!r}{_nearest(str(value), inner)}")
    elif origin is types.UnionType:
        if value is None:
            return None
        return _value(next(a for a in inner if a is not type(None)), value, where)
    elif origin is tuple:
        if isinstance(value, list | tuple):
            return tuple(_value(inner[0], v, where) for v in value)
    elif origin is dict:
        if isinstance(value, dict):
            return {
                _value(inner[0], k, where): _value(inner[1], v, f"{where}: {k}")
                for k, v in value.items()
            }
    elif hint is Any:
        return value
    elif hint is float and type(value) in (int, float):
        return float(value)
    elif type(value) is hint:
        return value
    raise OptionsError(f"{where}: {value!r} is not of type {getattr(hint, '__name__', hint)}")
