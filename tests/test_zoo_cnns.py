"""The plain convolutional networks of seeds 001, 002 and 003: their layers, one by one, and what
their recipes say."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from retint.color import srgb_to_lab
from retint.errors import OptionsError
from retint.layers.keras import Conv2d, ConvTranspose2d, Reshape
from retint.models import family
from retint.train import recipe
from retint.train.network import build

SEEDS = Path(__file__).parents[1] / "recipes" / "seeds"

BASELINE = [
    "Conv2d 1-32 /2",
    "Conv2d 32-64 /2",
    "ConvTranspose2d 64-32 x2",
    "ConvTranspose2d 32-2 x2",
]
DEEP = [
    "Conv2d 1-8 /2",
    "Conv2d 8-8",
    "Conv2d 8-16",
    "Conv2d 16-16 /2",
    "Conv2d 16-32",
    "Conv2d 32-32 /2",
    "Upsample x2",
    "Conv2d 32-32",
    "Upsample x2",
    "Conv2d 32-16",
    "Upsample x2",
    "Conv2d 16-2",
]
VANILLA = [
    "Conv2d 1-64",
    "Conv2d 64-64 /2",
    "Conv2d 64-128",
    "Conv2d 128-128 /2",
    "Conv2d 128-256",
    "Conv2d 256-256",
    "Conv2d 256-512",
    "Conv2d 512-256",
    "Conv2d 256-128",
    "Upsample x2",
    "Conv2d 128-64",
    "Conv2d 64-64",
    "Upsample x2",
    "Conv2d 64-32",
    "Conv2d 32-16",
    "Conv2d 16-2",
]
CNN4 = ["Conv2d 1-64", "Conv2d 64-128", "Conv2d 128-64", "Conv2d 64-2"]
AUTOENCODER = [
    "Conv2d 1-64 /2",
    "Conv2d 64-128 /2",
    "Conv2d 128-256 /2",
    "Flatten",
    "Linear 65536-256",
    "Linear 256-65536",
    "Reshape",
    "ConvTranspose2d 256-128 x2",
    "ConvTranspose2d 128-64 x2",
    "ConvTranspose2d 64-3 x2",
]


def made(name: str, variant: str = "default") -> Any:
    module = family(name)
    torch.manual_seed(0)
    return module.Net(module.variants[variant])


def rows(net: nn.Module) -> list[str]:
    """The layers in their order, activations left out, as the seeds' tables name them."""
    found: list[str] = []
    for layer in net.modules():
        match layer:
            case nn.Conv2d() | nn.ConvTranspose2d():
                times = "/" if isinstance(layer, nn.Conv2d) else "x"
                stride = f" {times}{layer.stride[0]}" if layer.stride[0] > 1 else ""
                size = f"{layer.in_channels}-{layer.out_channels}"
                assert layer.kernel_size == (3, 3)
                found.append(f"{type(layer).__name__} {size}{stride}")
            case nn.Linear():
                found.append(f"Linear {layer.in_features}-{layer.out_features}")
            case nn.Upsample():
                found.append(f"Upsample x{layer.scale_factor:.0f}")
            case nn.Flatten() | Reshape():
                found.append(type(layer).__name__)
            case _:
                pass
    return found


@pytest.mark.parametrize(
    ("name", "layers", "parameters"),
    [
        ("baseline-cnn", BASELINE, 37_858),
        ("deep-cnn", DEEP, 32_202),
        ("vanilla-cnn", VANILLA, 3_933_458),
        ("cnn4", CNN4, 149_442),
        ("autoencoder", AUTOENCODER, 34_360_451),
    ],
)
def test_the_layers_are_the_seeds(name: str, layers: list[str], parameters: int):
    net = made(name)
    assert rows(net) == layers
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize("name", ["baseline-cnn", "deep-cnn", "vanilla-cnn", "cnn4", "autoencoder"])
def test_a_relu_follows_all_but_the_last_layer_and_the_code(name: str):
    layers = [m for m in made(name, "tiny").modules() if not list(m.children())]
    learned = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    followed = [
        isinstance(after, nn.ReLU)
        for layer, after in zip(layers, [*layers[1:], None], strict=True)
        if isinstance(layer, learned)
    ]
    bare = 2 if name == "autoencoder" else 1
    assert not followed[-1]
    assert followed.count(False) == bare


def test_vanilla_keeps_the_size_in_layers_5_to_8_and_strided_may_not():
    def sides(variant: str) -> list[int]:
        x, found = torch.zeros(1, 1, 64, 64), []
        for layer in made("vanilla-cnn", variant).layers:
            x = layer(x)
            if not isinstance(layer, nn.ReLU):
                found.append(x.shape[3])
        return found

    assert sides("default") == [64, 32, 32, *[16] * 6, *[32] * 3, *[64] * 4]
    assert sides("strided") == [64, 32, 32, 16, 16, *[8] * 4, *[16] * 3, *[32] * 4]
    assert made("vanilla-cnn", "strided").predict(torch.zeros(1, 1, 64, 64))[0].shape[3] == 64


def test_cnn4_sees_9_pixels():
    net = made("cnn4", "tiny")
    L = torch.full((1, 1, 21, 21), 50.0, requires_grad=True)
    net(L).ab[0, :, 10, 10].sum().backward()
    assert L.grad is not None
    seen = L.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert 10 - 4 <= seen.min() <= seen.max() <= 10 + 4
    assert len(seen) > 7


def test_raw_ab_has_no_bounds():
    L = torch.rand(1, 1, 32, 32) * 100
    for variant, within in (("default", True), ("raw", False)):
        net = made("deep-cnn", variant)
        with torch.no_grad():
            net.layers[-1].bias.fill_(1000.0)
        assert (net(L).ab.max().item() <= 128) is within


def test_the_autoencoders_ab_is_that_of_its_rgb():
    net = made("autoencoder", "tiny")
    answer = net(torch.rand(2, 1, 32, 32) * 100)
    assert net.size == {"fixed": [32, 32]}
    assert answer.rgb.min() >= 0
    assert answer.rgb.max() <= 1
    rgb = answer.rgb.detach().permute(0, 2, 3, 1).numpy()
    expected = torch.from_numpy(srgb_to_lab(rgb)[..., 1:]).permute(0, 3, 1, 2)
    assert (answer.ab - expected).abs().max() < 0.02


def test_transposed_convolutions_undo_strided_ones():
    """The one is the other's gradient, as in Keras, edges included."""
    down, up = Conv2d(3, 5, stride=2), ConvTranspose2d(5, 3)
    with torch.no_grad():
        up.weight.copy_(down.weight)
        down.bias.zero_()  # type: ignore[union-attr]
    x, y = torch.rand(1, 3, 8, 12, requires_grad=True), torch.rand(1, 5, 4, 6)
    (back,) = torch.autograd.grad(down(x), x, y)
    assert torch.allclose(up(y), back, atol=1e-5)


def test_crops_of_a_size_that_the_network_does_not_take_are_refused():
    for name, complaint in (("autoencoder", "32x32 only"), ("vanilla-cnn", None)):
        asked = recipe.Recipe("r", family=name, variant="tiny", data=recipe.Data(sizes=(64,)))
        given = {"classes": [], "colours": lambda: torch.zeros(1, 2), "backbones": None}
        if complaint is None:
            build(asked, **given)
        else:
            with pytest.raises(OptionsError, match=complaint):
                build(asked, **given)


def test_the_seeds_comparison_is_of_three_lengths_two_augmentations_and_two_kinds_of_ab():
    read = [recipe.load(path) for path in sorted(SEEDS.glob("001-deep-cnn*.toml"))]
    kinds = {
        (
            one.schedule.epochs,
            one.validation.stop and one.validation.best,
            one.augment != recipe.Augment(mirror=0.0, zoom=1.0, stretch=1.0),
            one.variant,
            one.regression.unit,
        )
        for one in read
    }
    lengths = [(15.0, False), (100.0, "val_accuracy"), (1000.0, "val_accuracy")]
    ab = [("default", 128.0), ("raw", 1.0)]
    assert kinds == {(*long, turned, *kind) for long in lengths for turned in (0, 1) for kind in ab}
    same = {
        (one.family, one.data.sizes, one.optimiser, one.film, tuple(one.loss), one.seed)
        for one in read
    }
    assert len(read) == 12
    assert len(same) == 1


def test_the_recipes_say_what_the_seeds_print():
    vanilla = recipe.load(SEEDS / "002-vanilla-cnn.toml")
    assert vanilla.data.sizes == (256,)
    assert (vanilla.optimiser.batch, vanilla.schedule.steps) == (50, 1000 * 10)
    assert (vanilla.validation.steps, vanilla.validation.pictures) == (10, 2 * 50)
    cnn4 = recipe.load(SEEDS / "003-cnn4.toml")
    assert (cnn4.data.pictures, cnn4.schedule.epochs) == (2500, 5)
    assert recipe.load(SEEDS / "001-baseline-cnn.toml").schedule.epochs == 15
    assert "rgb" in recipe.load(SEEDS / "001-autoencoder.toml").loss
