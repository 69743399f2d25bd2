"""The ladder: can a network learn one photograph by heart, then two of different sizes?

A network that cannot will not learn thousands. Origin: seed 004, which overfitted one image ("a
loss in the magnitude of 10^-4" after 1000 epochs) and two images before it took its whole set.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from retint.data.picture import decode
from retint.errors import InputError, OptionsError
from retint.layers.norms import settle, settled
from retint.models import family
from retint.train import film, network
from retint.train.course import falling
from retint.train.recipe import Bins, Data, Film, Optimiser, Recipe, Schedule
from retint.train.tasks import Circumstances, Truth, terms

LOSS = 1e-3
"""The bar: mean squared error of ab / 128 (the loss of seed 004), below this ..."""
SHARE = 0.05
"""... and below this share of the picture's variance of ab: what one colour would leave."""
GAIN = 0.8
"""A loss that twice the steps bring no lower than this share of it is as low as it gets."""
SETTLED = 5
"""Steps until batch norm's statistics are taken anew, in the second half."""
RATE = 1e-3
"""Of Adam, falling to 0 along a cosine."""
DEFAULTS = ("coffee.png", "astronaut.png")
"""Photographs in scikit-image's wheel, of different shapes and colours."""

Verdict = Literal["learned", "too small", "not yet"]


@dataclass(frozen=True)
class Scene:
    """A picture as a network sees it: its name, and the truth about it, a batch of one."""

    name: str
    truth: Truth


@dataclass(frozen=True)
class Learned:
    """How well one picture is known: size as the network saw it, mean squared error of ab / 128,
    and that of the picture's mean colour."""

    picture: str
    width: int
    height: int
    loss: float
    variance: float

    @property
    def share(self) -> float:
        """Of the variance that is left unexplained."""
        return self.loss / max(self.variance, 1e-12)


@dataclass(frozen=True)
class Rung:
    """One or two pictures learned, in so many steps. first: the same, of a training half as long,
    where that one did not reach the bar. seconds: of both."""

    pictures: tuple[Learned, ...]
    steps: int
    seconds: float
    verdict: Verdict
    first: tuple[Learned, ...] = ()


@dataclass(frozen=True)
class Ladder:
    """A network's two rungs. aim: what it learned from. field: height and width, in pixels, that
    one colour is guessed from, within the first picture."""

    family: str
    variant: str
    parameters: int
    aim: str
    field: tuple[int, int]
    rungs: tuple[Rung, ...]


def climb(
    name: str,
    pictures: Sequence[tuple[str, Image.Image]],
    *,
    variant: str = "default",
    side: int = 128,
    steps: int = 1000,
    rate: float = RATE,
    minutes: float | None = None,
    device: str = "cpu",
    tell: Callable[[str], None] = lambda line: None,
) -> Ladder:
    """Overfit a family's network on the first of `pictures`, and on the first two.

    The longer side of the first is `side` pixels, of the second three quarters of it, each cut to
    what the network takes. A family of bins learns its distribution (without rebalancing) and is
    judged by its colours, by SHARE alone: a bin is 10 Lab units wide. The weights start anew for
    each rung, which takes `steps`, or as many as `minutes` allow. A rung that is not reached is
    tried with twice of both: where that takes the loss no lower than GAIN of it, was not cut
    short, and the network has fewer weights than the pictures have numbers, or does not see all of
    them, it is too small, and is spared the next rung; else it is not there yet.
    OptionsError for less than two pictures, for pictures so small that batch norm has nothing to
    average, and for an unknown variant; ModelError for an unknown family.
    """
    if len(pictures) < 2:
        raise OptionsError("the ladder needs two pictures")
    rule, bins = _face(name, variant)
    taken = rule["fixed"][0] if "fixed" in rule else max(8, rule.get("multiple_of", 8))
    scenes = [
        scene(label, picture, longest, rule, device)
        for (label, picture), longest in zip(pictures[:2], (side, side * 3 // 4), strict=True)
    ]
    recipe = Recipe(
        name,
        family=name,
        variant=variant,
        loss={"bins": 1.0} if bins else {"mse": 1.0},
        data=Data(sizes=(taken,)),  # nothing is cropped, but the network is to be asked
        bins=Bins(strength=0.0),
        film=Film(plain=1.0),
        optimiser=Optimiser(name="adam", rate=rate, warmup=20),
        schedule=Schedule(steps=steps),
    )
    rungs: list[Rung] = []
    net: Any = None
    for count in (1, 2):
        net, rung = _rung(recipe, scenes[:count], minutes, device)
        if rung.verdict == "too small" and is_able(net, scenes[:count]):
            rung = replace(rung, verdict="not yet")
        rungs.append(rung)
        tell(f"{name}: {say(rung)}")
        if rung.verdict == "too small":
            break
    return Ladder(
        name,
        variant,
        sum(p.numel() for p in net.parameters()),
        "bins" if bins else "mse",
        field(net, scenes[0].truth),
        tuple(rungs),
    )


def _face(name: str, variant: str) -> tuple[dict[str, Any], bool]:
    """The sizes that a network takes, and whether it answers with bins."""
    architecture = family(name)
    if variant not in architecture.variants:
        known = ", ".join(architecture.variants)
        raise OptionsError(f"{name} has no variant {variant!r}: there are {known}")
    config = architecture.variants[variant]
    with torch.device("meta"):  # no weights
        return dict(architecture.Net(config).size), hasattr(config, "bins")


def default_pictures() -> list[tuple[str, Image.Image]]:
    """DEFAULTS, by name; InputError without scikit-image."""
    try:
        folder = resources.files("skimage.data")
    except ModuleNotFoundError:
        raise InputError(
            "the ladder's photographs are in scikit-image: pip install 'retint[demo]', or give two "
            "of your own with --picture"
        ) from None
    return [(name, decode((folder / name).read_bytes())) for name in DEFAULTS]


def read(path: Path) -> tuple[str, Image.Image]:
    """A picture of one's own, by its file's name. InputError where it cannot be read."""
    try:
        data = path.read_bytes()
        with Image.open(BytesIO(data)) as opened:
            opened.load()
        return path.name, decode(data)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def scene(
    name: str, picture: Image.Image, longest: int, rule: dict[str, Any], device: str
) -> Scene:
    """A picture made so small, and cut in its middle to a size that `rule` (of a card) allows."""
    if "fixed" in rule:
        height, width = rule["fixed"]
    else:
        multiple = rule.get("multiple_of", 1)
        scale = longest / max(picture.size)
        width, height = (
            max(multiple, round(n * scale) // multiple * multiple) for n in picture.size
        )
    scale = max(width / picture.width, height / picture.height)
    w, h = width / scale, height / scale
    x, y = (picture.width - w) / 2, (picture.height - h) / 2
    small = picture.resize((width, height), Image.Resampling.LANCZOS, (x, y, x + w, y + h))
    pixels = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)[None].to(device)
    L, light = film.develop(pixels, Film(plain=1.0), torch.Generator(device))
    return Scene(name, Truth(L, light, torch.full((1,), -1, device=device)))


def _rung(
    recipe: Recipe, scenes: Sequence[Scene], minutes: float | None, device: str
) -> tuple[Any, Rung]:
    begun, judge = time.monotonic(), is_learned(recipe.loss)

    def rung(verdict: Verdict, known: tuple[Learned, ...], *first: Learned) -> tuple[Any, Rung]:
        return net, Rung(known, steps, time.monotonic() - begun, verdict, first)

    net, steps = _learn(recipe, scenes, minutes, device)
    first = tuple(measure(net, shown) for shown in scenes)
    if all(map(judge, first)):
        return rung("learned", first)
    longer = replace(recipe, schedule=Schedule(steps=2 * recipe.schedule.steps))
    net, steps = _learn(longer, scenes, minutes and 2 * minutes, device)
    second = tuple(measure(net, shown) for shown in scenes)
    if all(map(judge, second)):
        return rung("learned", second, *first)
    no_better = sum(p.loss for p in second) > GAIN * sum(p.loss for p in first)
    finished = steps == longer.schedule.steps  # else its time was too short to say
    return rung("too small" if no_better and finished else "not yet", second, *first)


def is_learned(loss: dict[Any, float]) -> Callable[[Learned], bool]:
    """What decides whether a picture is known, for a network that learns by such a loss."""
    bar = LOSS if "mse" in loss else float("inf")
    return lambda picture: picture.loss < bar and picture.share < SHARE


def is_able(net: Any, scenes: Sequence[Scene]) -> bool:
    """Whether a network has as many weights as the pictures' ab have numbers, and sees all of
    each."""
    weights = sum(p.numel() for p in net.parameters())
    numbers = sum(2 * shown.truth.L.numel() for shown in scenes)
    seen = (field(net, shown.truth) == shown.truth.L.shape[2:] for shown in scenes)
    return weights >= numbers and all(seen)


def _learn(
    recipe: Recipe, scenes: Sequence[Scene], minutes: float | None, device: str
) -> tuple[Any, int]:
    """A new network trained for the recipe's steps, or for `minutes`, each step on every picture;
    and the steps taken.

    The first half is as any training. In the second half the network is as it is used: without
    dropout, and with batch norm by the statistics of all the pictures, which cannot share a batch,
    being of different sizes; these follow the weights every few steps.
    """
    torch.manual_seed(recipe.seed)
    net = network.build(recipe, classes=[], colours=lambda: _colours(scenes), backbones=None)
    net.to(device)
    given = Circumstances(recipe, net, None, [], torch.device(device), lambda module: module)
    (term,) = terms(recipe.loss, given).values()
    optimiser = network.optimiser(net, recipe.optimiser, 1.0)
    norms: Sequence[Any] = ()

    def show() -> None:
        for shown in scenes:
            _answer(net, shown.truth)

    step, begun, limit = 0, time.monotonic(), 60 * minutes if minutes else float("inf")
    while (done := max(step / recipe.schedule.steps, (time.monotonic() - begun) / limit)) < 1:
        if done < 0.5:
            net.train()
        elif net.training or step % SETTLED == 0:
            norms = settle(net, show)
        factor = min(1, (step + 1) / recipe.optimiser.warmup) * falling(recipe.schedule, done)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        optimiser.zero_grad()
        for shown in scenes:
            try:
                with settled(norms):
                    answer = _answer(net, shown.truth)
            except ValueError as error:  # batch norm of a single place
                raise OptionsError(f"{recipe.name}: {error}; take larger pictures") from None
            (term(net, answer, shown.truth) / len(scenes)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), recipe.optimiser.clip)
        optimiser.step()
        step += 1
    settle(net, show)
    return net, step


def _answer(net: Any, truth: Truth) -> Any:
    if not net.hints:
        return net(truth.L)
    n, _, h, w = truth.L.shape
    return net(truth.L, truth.L.new_zeros(n, 3, h, w))  # no hints


def _colours(scenes: Sequence[Scene]) -> Tensor:
    """All ab (m, 2) of the pictures, from which bins are counted."""
    return torch.cat([s.truth.ab().movedim(1, -1).reshape(-1, 2) for s in scenes]).cpu()


@torch.no_grad()
def measure(net: Any, shown: Scene) -> Learned:
    """How well a network, as it is used, knows a picture, at the size of its answer."""
    answer = _answer(net, shown.truth)
    said, true = net.colour(answer)[0] / 128, shown.truth.ab(answer.place) / 128
    height, width = shown.truth.L.shape[2:]
    variance = (true - true.mean((2, 3), keepdim=True)).square().mean()
    loss = (said - true).square().mean()
    return Learned(shown.name, width, height, loss.item(), variance.item())


def field(net: Any, truth: Truth) -> tuple[int, int]:
    """Height and width of the part of a picture that the colour in its middle depends on, by
    gradients, through the picture itself and some of noise: one alone leaves parts of a network
    silent."""
    net.eval()
    n, _, height, width = truth.L.shape
    seen = torch.zeros(height, width, dtype=torch.bool, device=truth.L.device)
    random = torch.Generator().manual_seed(0)
    noise = [torch.rand(n, 1, height, width, generator=random) * 100 for _ in range(4)]
    for picture in (truth.L, *noise):
        L = picture.to(truth.L.device, copy=True).requires_grad_()
        answer = _answer(net, Truth(L, truth.scene, truth.subjects)).place
        answer[:, :, answer.shape[2] // 2, answer.shape[3] // 2].sum().backward()
        assert L.grad is not None
        seen |= L.grad[0, 0] != 0
    rows, columns = seen.any(1).nonzero(), seen.any(0).nonzero()
    if not len(rows):
        return 0, 0
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def say(rung: Rung) -> str:
    """A rung in a line."""
    each = ", ".join(
        f"{p.picture} {p.width}x{p.height}: {p.loss:.1e}, {p.share:.1%} of its variance"
        for p in rung.pictures
    )
    return f"{rung.verdict}: {each}; {rung.steps} steps, {rung.seconds:.0f} s"
