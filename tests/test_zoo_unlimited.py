"""DeOldify and DDColor: their layers, published weights by name, and what they are built of."""

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from retint import color, metrics
from retint.errors import InputError
from retint.layers.colour_queries import places
from retint.layers.convnext import ConvNeXt
from retint.layers.lab import grey, lab, to_linear
from retint.layers.resnet import ResNet
from retint.layers.shuffle_unet import Shuffle
from retint.layers.spectral import SpectralAttention, SpectralConv2d, WeightNormConv2d
from retint.models import family
from retint.train import recipe
from retint.train.tasks.colourfulness import colourfulness

FIXTURES = Path(__file__).parent / "fixtures" / "keys"
RECIPES = Path(__file__).parent.parent / "recipes"


def published(name: str) -> dict[str, list[int]]:
    """Names and shapes of another package's weights: which, the file says."""
    return dict(json.loads((FIXTURES / f"{name}.json").read_text())["keys"])


def shapes(module: nn.Module) -> dict[str, list[int]]:
    return {k: list(v.shape) for k, v in module.state_dict().items()}


def empty(name: str, variant: str) -> Any:
    with torch.device("meta"):
        return family(name).Net(family(name).variants[variant])


def tiny(name: str, **changes: Any) -> Any:
    module = family(name)
    torch.manual_seed(0)
    return module.Net(dataclasses.replace(module.variants["tiny"], **changes))


# ---- published weights


@pytest.mark.parametrize(
    ("name", "variant", "fixture", "parameters"),
    [
        ("deoldify", "artistic", "deoldify_artistic", 63_646_881),
        ("deoldify", "stable", "deoldify_stable", 218_222_197),
        ("deoldify", "video", "deoldify_stable", 218_222_197),
        ("ddcolor", "paper-tiny", "ddcolor_paper_tiny", 55_005_104),
        ("ddcolor", "large", "ddcolor_large", 227_866_256),
    ],
)
def test_the_authors_checkpoints_load(name: str, variant: str, fixture: str, parameters: int):
    """All of their weights but what is named here, and nothing else, under our names."""
    theirs = published(fixture)
    state = {k: torch.empty(s, device="meta") for k, s in theirs.items()}
    ours = family(name).from_foreign(state)
    net = empty(name, variant)
    net.load_state_dict(ours)
    assert sum(p.numel() for p in net.parameters()) == parameters
    unused = {"mean", "std", "encoder.arch.norm.weight", "encoder.arch.norm.bias"}
    assert len(theirs) - len(ours) == len(unused & theirs.keys())


@pytest.mark.parametrize("name", ["deoldify", "ddcolor"])
def test_our_own_names_stay(name: str):
    net = tiny(name)
    state = net.state_dict()
    again = family(name).from_foreign(state)
    assert again.keys() == state.keys()
    assert all(again[k] is state[k] for k in state)


@pytest.mark.parametrize("depth", [34, 101])
def test_resnets_have_the_published_names_and_shapes(depth: int):
    theirs = {k: s for k, s in published(f"resnet{depth}_torchvision").items() if "fc." not in k}
    with torch.device("meta"):
        net = ResNet("basic", (3, 4, 6, 3)) if depth == 34 else ResNet("bottleneck", (3, 4, 23, 3))
    assert shapes(net) == theirs


def test_convnext_has_its_authors_names_and_shapes():
    prefix = "encoder.arch."
    theirs = {
        k.removeprefix(prefix): s
        for k, s in published("ddcolor_paper_tiny").items()
        if k.startswith(prefix) and not k.startswith(prefix + "norm")
    }
    with torch.device("meta"):
        assert shapes(ConvNeXt((3, 3, 9, 3), (96, 192, 384, 768))) == theirs


def test_a_file_of_timms_convnext_is_read(tmp_path: Path):
    state = {k: torch.full(s, 0.5) for k, s in published("convnext_tiny_timm").items()}
    torch.save(state, tmp_path / "convnext_tiny.pth")
    net = ConvNeXt((3, 3, 9, 3), (96, 192, 384, 768))
    net.load(tmp_path / "convnext_tiny.pth")
    assert all((p == 0.5).all() for p in net.parameters())


@pytest.mark.parametrize("name", ["deoldify", "ddcolor"])
def test_an_encoder_starts_from_its_file(name: str, tmp_path: Path):
    net, path = tiny(name), tmp_path / "encoder.pth"
    state = {k: torch.full_like(v, 1) for k, v in net.encoder.state_dict().items()}
    torch.save({"model": state | {"head.weight": torch.zeros(3)}}, path)
    net.start_from(path)
    assert all((p == 1).all() for p in net.encoder.parameters())
    other = tiny(name, depths=(1, 1, 2, 1))
    with pytest.raises(InputError, match=r"encoder.pth: no (ResNet|ConvNeXt) of this"):
        other.start_from(path)


# ---- the blocks


@pytest.mark.parametrize("training", [True, False])
def test_spectral_norm_is_torchs(training: bool):
    torch.manual_seed(0)
    ours = SpectralConv2d(3, 5, 3, padding=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has two, and this is the one of the checkpoints
        theirs: Any = nn.utils.spectral_norm(nn.Conv2d(3, 5, 3, padding=1))
    state = ours.state_dict()
    theirs.load_state_dict(
        {("weight_orig" if k == "weight" else k): v.clone() for k, v in state.items()}
    )
    with torch.no_grad():  # so that the vectors have something to follow
        ours.weight += torch.randn_like(ours.weight)
        theirs.weight_orig.copy_(ours.weight)
    ours.train(training)
    theirs.train(training)
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    assert torch.allclose(ours.weight_u, theirs.weight_u, atol=1e-6)


def test_the_largest_singular_value_is_found():
    torch.manual_seed(0)
    layer = SpectralConv2d(8, 16, 3)
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(100):
            layer(torch.randn(1, 8, 3, 3))
    true = torch.linalg.svdvals(layer.weight.flatten(1))[0]
    assert layer.eval().largest().item() == pytest.approx(true.item(), rel=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.largest().item() == pytest.approx(true.item(), rel=1e-3)
    layer.weight_u *= 0.5  # as an average of vectors may be
    assert layer.largest().item() == pytest.approx(true.item(), rel=1e-3)


def test_weight_norm_is_torchs():
    torch.manual_seed(0)
    ours = WeightNormConv2d(3, 5, 1)
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(ours(x), F.conv2d(x, ours.weight, ours.bias), atol=1e-6)
    theirs: Any = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 5, 1))
    with torch.no_grad():
        ours.weight_g.uniform_(1, 2)
        theirs.parametrizations.weight.original0.copy_(ours.weight_g)
        theirs.parametrizations.weight.original1.copy_(ours.weight)
        theirs.bias.copy_(ours.bias)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


@pytest.mark.parametrize("convolution", [SpectralConv2d, WeightNormConv2d])
def test_shuffled_places_start_equal(convolution: Any):
    shuffle = Shuffle(6, 4, 2, convolution=convolution, blur=False)
    with torch.no_grad():
        grown = shuffle(torch.randn(1, 6, 3, 5))
    assert grown.shape == (1, 4, 6, 10)
    assert grown.any()
    corners = [grown[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    assert all(torch.allclose(corner, corners[0], atol=1e-6) for corner in corners)


def test_attention_is_over_all_places():
    """The formula of the paper, equations 1 to 3."""
    torch.manual_seed(0)
    layer, x = SpectralAttention(16, 0.5).eval(), torch.randn(2, 16, 3, 4)
    with torch.no_grad():
        query, key, value = (f(x).flatten(2) for f in (layer.query, layer.key, layer.value))
        share = torch.softmax(query.mT @ key, 1)
        assert torch.allclose(layer(x), x + 0.5 * (value @ share).view_as(x), atol=1e-5)


def test_places_are_told_apart():
    found = places(torch.zeros(2, 7, 3, 5), 16)
    assert found.shape == (1, 15, 16)
    rows, columns = found[0].view(3, 5, 16).split(8, 2)
    assert torch.equal(rows[:, 0], rows[:, 4])
    assert torch.equal(columns[0], columns[2])
    assert columns[0, 1, 0].item() == pytest.approx(np.sin(2 * np.pi * 2 / 5), abs=1e-5)
    assert columns[0, 1, 1].item() == pytest.approx(np.cos(2 * np.pi * 2 / 5), abs=1e-5)
    assert rows[0, 0, 2].item() == pytest.approx(
        np.sin(2 * np.pi / 3 / 10_000 ** (2 / 8)), abs=1e-5
    )


def test_grey_is_that_of_the_lightness():
    L = np.linspace(0, 100, 50, dtype=np.float32)
    triples = np.stack([L, 0 * L, 0 * L], 1)
    expected = color.lab_to_srgb(triples)
    found = grey(torch.from_numpy(L)).numpy()
    assert np.abs(found[:, None] - expected).max() < 1e-4


# ---- the networks


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("decoder", ["deep", "wide"])
def test_deoldifys_colours_are_those_of_its_rgb(block: str, decoder: str):
    net = tiny("deoldify", block=block, decoder=decoder).eval()
    answer = net(torch.rand(2, 1, 64, 96) * 100)
    assert answer.rgb.shape == (2, 3, 64, 96)
    assert answer.rgb.min() >= 0
    assert answer.rgb.max() <= 1
    assert torch.equal(answer.ab, lab(to_linear(answer.rgb))[:, 1:])


def test_deoldify_learns_its_way_back_from_colours_beyond_white():
    net = tiny("deoldify").train()
    torch.nn.init.constant_(net.last.bias, 4.0)  # every channel above 1
    answer = net(torch.rand(2, 1, 64, 64) * 100)
    assert answer.rgb.detach().median() > 1
    answer.ab.square().sum().backward()
    assert net.last.bias.grad.abs().min() > 0
    assert net.eval()(torch.rand(2, 1, 64, 64) * 100).rgb.max() <= 1


def test_deoldifys_attention_starts_from_nothing():
    assert empty("deoldify", "artistic").config.attention == 0
    assert tiny("deoldify", attention=0.0).up[1].attention.amount.item() == 0


def test_every_map_is_asked():
    """Colours of one place depend on what another one shows, through each of the three maps."""
    net = tiny("ddcolor", layers=3).eval()
    maps = [torch.randn(1, c, s, s) for c, s in ((16, 2), (16, 4), (8, 8))]
    with torch.no_grad():
        before = net.queries(maps)
        for k in range(3):
            changed = [m + (torch.randn_like(m) if i == k else 0) for i, m in enumerate(maps)]
            assert not torch.allclose(net.queries(changed), before, atol=1e-4)


# ---- how they are trained


def test_colourfulness_is_that_of_the_authors():
    rgb = np.random.default_rng(0).random((2, 24, 24, 3))
    expected = [metrics.colourfulness_absolute(picture) / 255 for picture in rgb]
    found = colourfulness(torch.from_numpy(rgb).permute(0, 3, 1, 2))
    assert found.tolist() == pytest.approx(expected, rel=2e-3)


def test_a_grey_picture_can_become_colourful():
    rgb = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    colourfulness(rgb).sum().backward()
    assert rgb.grad is not None
    assert rgb.grad.isfinite().all()


def test_the_critic_comes_last_and_shortly():
    course = recipe.load(RECIPES / "deoldify.toml").course
    assert ["adversarial" in stage.loss for stage in course] == [False, False, True, True]
    assert [stage.rate for stage in course][2:] == [0.0, 0.01]  # the critic learns alone first
    epochs = [stage.schedule.epochs or 0 for stage in course if stage.schedule]
    assert epochs[-1] <= 0.03 * sum(epochs)
    assert course[-1].freeze == ("encoder",)
