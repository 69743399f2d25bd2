"""`mix` and `classify-then-colorize`: networks made of networks."""

import dataclasses
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

from retint import export
from retint.cli import main
from retint.color import srgb_to_lab
from retint.data.corpus import Corpus
from retint.errors import ModelError, OptionsError
from retint.export.network import read
from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.models import build, family, mix
from retint.predict import OnnxPredictor
from retint.train import recipe
from retint.train.loop import Training

BASIC = {"family": "basic", "config": {"channels": (8, 8)}}
GAINED = {"family": "basic", "config": {"channels": (8, 8), "gain": 3.0}}
SIDE = 64
COLOURS = {"checks": (1.3, 1.0, 0.6), "flat": (0.7, 1.0, 1.4)}


def mixture(how: str, *parts: Mapping[str, Any]) -> Any:
    torch.manual_seed(0)
    return build("mix", {"parts": parts, "how": how}).eval()


@torch.no_grad()
def test_a_mean_is_that_of_the_parts_as_they_are_used():
    net = mixture("mean", BASIC, GAINED)
    L = torch.rand(2, 1, 24, 40) * 100
    first, second = (part.predict(L)[0] for part in net.parts)
    assert torch.allclose(net.predict(L)[0], (first + second) / 2)
    assert torch.allclose(second, 3 * net.parts[1](L).place)


@torch.no_grad()
def test_in_a_row_the_second_is_told_the_colours_of_the_first():
    net = mixture("cascade", BASIC, BASIC)
    L = torch.rand(2, 1, 24, 40) * 100
    told = net.predict(L)[0]
    assert not torch.equal(told, net.parts[1].predict(L)[0])
    net.parts[0].last.bias += 0.5
    assert not torch.equal(told, net.predict(L)[0])
    for parameter in net.told.parameters():
        parameter.zero_()
    assert torch.equal(net.predict(L)[0], net.parts[1].predict(L)[0])


class Believer(Regressor):
    """Gives the colours that it is shown."""

    hints = True

    def __init__(self) -> None:
        super().__init__()
        self.config = RegressorConfig()

    def forward(self, L: Tensor, hints: Tensor) -> Answer:
        return Answer(ab=hints[:, :2])

    def predict(self, L: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        return hints[:, :2], hints[:, 2:]


class Half(Regressor):
    """Red, and sure of it on the left."""

    def __init__(self) -> None:
        super().__init__()
        self.config = RegressorConfig()

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor]:
        sure = (torch.arange(L.shape[3]) < L.shape[3] // 2).float().expand_as(L)
        return torch.full_like(L, 40.0).expand(-1, 2, -1, -1), sure


def test_what_the_first_is_sure_of_are_hints(monkeypatch: pytest.MonkeyPatch):
    """For networks that take hints: those here give back what they are given."""
    nets: dict[str, type[nn.Module]] = {"half": Half, "believer": Believer}
    monkeypatch.setattr(mix, "build", lambda name, config: nets[name]())
    net = mix.Net(mix.Config(parts=({"family": "half"}, {"family": "believer"}), how="cascade"))
    ab, sure = net.predict(torch.zeros(1, 1, 8, 8))
    assert ab[..., :4].eq(40).all()
    assert ab[..., 4:].eq(0).all()
    assert sure[..., 4:].eq(0).all()
    assert not list(net.parameters())


def test_parts_of_any_family_take_a_common_size():
    net = mixture("mean", {"family": "retint", "config": {"decoder": (8, 8, 8)}}, BASIC)
    assert net.size == {"multiple_of": 32}


def test_a_part_of_no_family_is_named():
    with pytest.raises(ModelError, match=r"there are .*skip"):
        mixture("mean", {"family": "nonesuch"})
    with pytest.raises(ModelError, match=r"family basic: .*'bins'"):
        mixture("mean", {"family": "basic", "config": {"bins": 3}})


def router(**changes: Any) -> Any:
    architecture = family("classify-then-colorize")
    torch.manual_seed(0)
    return architecture.Net(dataclasses.replace(architecture.variants["tiny"], **changes)).eval()


@torch.no_grad()
def test_each_picture_goes_to_the_expert_on_its_subject():
    """Three subjects, experts on 2 and 0: the general one has subject 1, and what is unsure."""
    net = router(below=0.6)
    L = torch.rand(1, 1, 32, 64) * 100
    general, on_two, on_zero = (p.predict(L)[0] for p in (net.general, *net.experts))
    net.subject.weight.zero_()
    for shares, wanted in [
        ((0.8, 0.1, 0.1), on_zero),
        ((0.1, 0.8, 0.1), general),
        ((0.1, 0.1, 0.8), on_two),
        ((0.55, 0.35, 0.1), general),
    ]:
        net.subject.bias.copy_(torch.tensor(shares).log())
        assert torch.equal(net.predict(L)[0], wanted)
        assert torch.equal(net(L).place, wanted)


def test_the_general_one_learns_from_half_of_a_batch():
    net = router().train()
    weights = net._lessons(torch.tensor([[0.2, 0.3, 0.5]]).expand(1000, 3))
    assert torch.allclose(weights.sum(1), torch.ones(1000))
    alone = weights[:, 0] == 1
    assert 400 < alone.sum() < 600
    assert torch.allclose(weights[~alone], torch.tensor([0.3, 0.5, 0.2]))


@pytest.mark.parametrize(
    ("subjects", "complaint"), [([3], "subject 3, of 3"), ([1, 1], "two experts")]
)
def test_experts_on_nothing_are_refused(subjects: list[int], complaint: str):
    with pytest.raises(ModelError, match=complaint):
        router(experts=tuple({**BASIC, "subject": k} for k in subjects))


def draw(kind: str, random: np.random.Generator) -> Image.Image:
    """Light and dark, in checks of 16 pixels or over the whole; warm checks, cold the other."""
    light = random.choice([90.0, 140.0]) + random.uniform(-8, 8)
    grey = np.full((SIDE, SIDE), light)
    if kind == "checks":
        tiles = (np.indices((SIDE, SIDE)) // 16).sum(0) % 2
        grey = np.where(tiles == random.integers(2), light, 230 - light)
    pixels = grey[..., None] * COLOURS[kind]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def corpus(folder: Path, *kinds: str, seed: int = 0) -> Path:
    """Twelve pictures of each kind, labelled."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    lines = ["shard,file,dataset,labels,width,height"]
    with zipfile.ZipFile(folder / "pictures.zip", "w") as shard:
        for kind in kinds:
            for k in range(12):
                data = BytesIO()
                draw(kind, random).save(data, "png")
                shard.writestr(f"{kind}-{k}.png", data.getvalue())
                lines.append(f"pictures.zip,{kind}-{k}.png,drawn,{kind},{SIDE},{SIDE}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def trained(
    folder: Path, data: Path, steps: int, start: Path | None = None, rate: float = 5e-3, **said: Any
) -> Path:
    """A checkpoint."""
    how = recipe.Recipe(
        folder.name,
        data=recipe.Data(sizes=(SIDE,), large_side=SIDE),
        augment=recipe.Augment(zoom=1.0, stretch=1.0),
        film=recipe.Film(plain=1.0),
        subject=recipe.Subject(fewest=5),
        optimiser=recipe.Optimiser(rate=rate, warmup=5, ema=0.0, batch=8),
        schedule=recipe.Schedule(steps=steps),
        validation=recipe.Validation(share=0.0, pictures=8),
        **said,
    )
    Training(how, data, folder, start=start and export.state_of(start)).run()
    return folder / "last.pt"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints of a general colorizer, of one for each kind, and of a classifier."""
    folder = tmp_path_factory.mktemp("parts")
    both = corpus(folder / "both", *COLOURS)
    small: dict[str, Any] = {"family": "basic", "variant": "tiny", "loss": {"mse": 100.0}}
    general = trained(folder / "general", both, 120, **small)
    experts = {
        kind: trained(folder / kind, corpus(folder / f"{kind}-only", kind), 60, general, **small)
        for kind in COLOURS
    }
    names: dict[str, Any] = {"family": "retint", "variant": "tiny", "loss": {"subject": 1.0}}
    classifier = trained(folder / "classifier", both, 15, rate=1e-3, **names)
    return {"general": general, "classifier": classifier, **experts}


def error(model: Path, pictures: Path) -> dict[str, float]:
    """Mean distance from the true ab, Lab units, of the pictures of each label."""
    run, found = OnnxPredictor(model), dict[str, list[float]]()
    held = Corpus(pictures)
    for entry in held.entries:
        lab = srgb_to_lab(np.asarray(held.picture(entry)) / 255).astype(np.float32)
        lab = np.ascontiguousarray(lab.transpose(2, 0, 1)[None])
        off = np.linalg.norm(run(lab[:, :1]).ab - lab[:, 1:], axis=1).mean()
        found.setdefault(entry.labels, []).append(float(off))
    return {label: float(np.mean(values)) for label, values in found.items()}


def exported(folder: Path, name: str, *arguments: str | Path) -> Path:
    outcome = CliRunner().invoke(
        main, ["export", *map(str, arguments), "-o", str(folder), "--name", name]
    )
    assert outcome.exit_code == 0, outcome.output
    return folder / f"{name}.onnx"


def test_routed_colours_are_truer_than_the_general_ones(parts: dict[str, Path], tmp_path: Path):
    """The seed's finding: one network blurs two kinds of pictures into one colour."""
    experts = [word for kind in COLOURS for word in ("--expert", kind, parts[kind])]
    asked = ["--router", parts["classifier"], *experts]
    routed = exported(tmp_path, "routed", parts["general"], *asked)
    timid = exported(tmp_path, "timid", parts["general"], *asked, "--below", "1")
    general = exported(tmp_path, "general", parts["general"])
    new = corpus(tmp_path / "new", *COLOURS, seed=1)
    ours, theirs = error(routed, new), error(general, new)
    assert all(ours[kind] < 0.7 * theirs[kind] for kind in COLOURS), (ours, theirs)
    assert error(timid, new) == pytest.approx(theirs, abs=0.05)
    alone = {kind: error(exported(tmp_path, kind, parts[kind]), new)[kind] for kind in COLOURS}
    assert ours == pytest.approx(alone, abs=0.05)
    card = OnnxPredictor(routed).card
    assert card.family == "classify-then-colorize"
    assert list(card.subjects) == sorted(COLOURS)
    shown = OnnxPredictor(routed)(np.full((2, 1, 32, 32), 50, np.float32)).subject
    assert shown is not None
    assert shown.shape == (2, len(COLOURS))
    again = exported(tmp_path, "again", routed, "--set", "below=1.0")
    assert error(again, new) == pytest.approx(theirs, abs=0.05)


def test_a_row_learns_on_from_its_parts(parts: dict[str, Path], tmp_path: Path):
    row = exported(tmp_path, "row", parts["checks"], parts["general"], "--cascade")
    assert OnnxPredictor(row).card.family == "mix"
    L = np.random.default_rng(0).uniform(0, 100, (1, 1, 40, 33)).astype(np.float32)
    second = OnnxPredictor(exported(tmp_path, "second", parts["general"]))
    assert np.abs(OnnxPredictor(row)(L).ab - second(L).ab).max() < 0.02  # nothing is told yet
    flat = corpus(tmp_path / "flat", "flat", seed=2)
    learned = trained(tmp_path / "learned", flat, 40, row, family="mix", loss={"mse": 100.0})
    after = exported(tmp_path, "after", learned)
    assert error(after, flat)["flat"] < 0.7 * error(row, flat)["flat"]


def test_a_soup_has_the_mean_of_the_weights(parts: dict[str, Path], tmp_path: Path):
    sources = [parts["general"], parts["checks"], parts["checks"]]
    first, second, _ = networks = [read(source) for source in sources]
    made = read(exported(tmp_path, "soup", *sources, "--soup"))
    assert (made.family, made.config) == (second.family, second.config)
    for name, weight in made.state.items():
        mean = (first.state[name] + 2 * second.state[name]) / 3
        assert torch.allclose(weight, mean, atol=1e-3, rtol=1e-3)  # halves of a float
    with pytest.raises(ModelError, match="one family and of one size"):
        export.soup([*networks, read(parts["classifier"])])
    words = ["export", *map(str, sources), "--soup", "--cascade", "-o", str(tmp_path)]
    assert CliRunner().invoke(main, words).exit_code == 2


def test_recipes_of_pairs_train(tmp_path: Path):
    data = corpus(tmp_path / "both", *COLOURS)
    short = recipe.Schedule(steps=2)
    for name, changes in [
        ("mix", ("variant=tiny",)),
        ("classify-then-colorize", ("variant=tiny", "subject.fewest=5", "encoder=''")),
    ]:
        small = ("data.sizes=[64]", "optimiser.batch=4")
        how = recipe.load(
            Path(__file__).parents[1] / "recipes" / f"{name}.toml", (*changes, *small)
        )
        stages = tuple(dataclasses.replace(s, schedule=short) for s in how.course)
        Training(dataclasses.replace(how, stages=stages), data, tmp_path / name).run()
        exported(tmp_path, name, tmp_path / name / "last.pt")


def test_who_cannot_choose_is_not_asked_to(parts: dict[str, Path]):
    general, classifier = read(parts["general"]), read(parts["classifier"])
    with pytest.raises(ModelError, match="family basic that names no subjects"):
        export.routed(general, general, {"checks": general})
    with pytest.raises(OptionsError, match="no subject 'check': the classifier knows checks"):
        export.routed(general, classifier, {"check": general})
    outcome = CliRunner().invoke(
        main, ["export", str(parts["general"]), "--router", str(parts["classifier"])]
    )
    assert outcome.exit_code == 2
    assert "go together" in outcome.output
