"""The networks of seed 004: their tables, what is Keras' in them, and attention at any size; and
the ladder they have to climb."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

from retint.cli import main
from retint.errors import InputError, OptionsError
from retint.layers.attention import SelfAttention
from retint.layers.keras import BatchNorm2d, Conv2d
from retint.models import family
from retint.train import ladder, overfit

BASIC = """
conv2d 64 200 640
conv2d 32 200 18464
conv2d 2 200 578
"""
BATCH = """
batch_normalization 1 200 4
conv2d 8 100 80
conv2d 8 100 584
batch_normalization 8 100 32
conv2d 16 100 1168
conv2d 16 50 2320
batch_normalization 16 50 64
conv2d 32 50 4640
conv2d 32 25 9248
up_sampling2d 32 50 0
conv2d 32 50 9248
conv2d 32 50 9248
up_sampling2d 32 100 0
conv2d 16 100 4624
conv2d 16 100 2320
up_sampling2d 16 200 0
conv2d 2 200 290
"""  # figures 4 and 8 of the seed: layer, channels, height and width, parameters
KINDS = {
    nn.Conv2d: "conv2d",
    nn.BatchNorm2d: "batch_normalization",
    nn.Upsample: "up_sampling2d",
}


def network(name: str, variant: str = "default") -> Any:
    architecture = family(name)
    torch.manual_seed(0)
    return architecture.Net(architecture.variants[variant]).eval()


def parameters(module: nn.Module) -> int:
    """In the seed's way of counting: with running means and variances, without counters."""
    return sum(v.numel() for k, v in module.state_dict().items() if "num_batches" not in k)


def table(net: Any, size: int) -> str:
    """Every layer that a picture runs through, as the seed prints it."""
    rows: list[str] = []

    def note(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        kind = next(name for cls, name in KINDS.items() if isinstance(module, cls))
        rows.append(f"{kind} {out.shape[1]} {out.shape[2]} {parameters(module)}")

    for module in net.modules():
        if isinstance(module, tuple(KINDS)):
            module.register_forward_hook(note)
    with torch.no_grad():
        net(torch.rand(1, 1, size, size) * 100)
    return "\n".join(rows)


@pytest.mark.parametrize(("name", "printed"), [("basic", BASIC), ("batch", BATCH)])
def test_the_layers_are_those_of_the_seeds_table(name: str, printed: str):
    assert table(network(name), 200) == printed.strip()


@pytest.mark.parametrize(
    ("name", "total", "trained"),
    [
        ("basic", 19_682, 19_682),
        ("batch", 43_870, 43_820),
        ("skip", 2_145_506, 2_142_242),
        ("attention", 2_408_418, 2_405_154),
    ],
)
def test_parameters(name: str, total: int, trained: int):
    net = network(name)
    assert parameters(net) == total
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == trained


def test_a_stride_of_two_is_padded_below_and_to_the_right():
    """TensorFlow's `same` for an even size: out = 0, 2, ... with one row beyond the end."""
    layer = Conv2d(1, 1, kernel=3, stride=2)
    nn.init.ones_(layer.weight)
    picture = torch.arange(1.0, 17).reshape(1, 1, 4, 4)
    # windows of rows 0-2 and 2-4, columns likewise, of a picture that ends at 3
    wanted = [[1 + 2 + 3 + 5 + 6 + 7 + 9 + 10 + 11, 3 + 4 + 7 + 8 + 11 + 12]]
    wanted += [[9 + 10 + 11 + 13 + 14 + 15, 11 + 12 + 15 + 16]]
    assert layer(picture)[0, 0].tolist() == wanted


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (4, 2), (1, 1), (1, 2)])
def test_same_padding_gives_a_share_of_the_size(kernel: int, stride: int):
    out = Conv2d(1, 2, kernel, stride)(torch.rand(1, 1, 8, 12))
    assert out.shape == (1, 2, 8 // stride, 12 // stride)


def test_keras_numbers():
    norm = BatchNorm2d(3)
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)
    layer = Conv2d(8, 16)
    limit = (6 / (9 * (8 + 16))) ** 0.5  # Glorot's
    assert layer.bias is not None
    assert not layer.bias.any()
    assert 0.95 * limit < layer.weight.abs().max() <= limit


def test_attention_on_its_grid_is_multi_head_self_attention():
    """The same as torch's own, with the same weights."""
    torch.manual_seed(0)
    layer = SelfAttention(12, heads=3, grid=5)
    other = nn.MultiheadAttention(12, 3, batch_first=True)
    ways = [layer.query, layer.key, layer.value]
    with torch.no_grad():
        other.in_proj_weight.copy_(torch.cat([way.weight[:, :, 0, 0] for way in ways]))
        biases = [torch.zeros(12) if way.bias is None else way.bias for way in ways]
        other.in_proj_bias.copy_(torch.cat(biases))
        other.out_proj.weight.copy_(layer.out.weight[:, :, 0, 0])
        other.out_proj.bias.copy_(layer.out.bias)  # type: ignore[arg-type]
    x = torch.randn(2, 12, 5, 5)
    flat = x.flatten(2).mT
    wanted = x + other(flat, flat, flat)[0].mT.reshape(x.shape)
    assert torch.allclose(layer(x), wanted, atol=1e-5)


def test_attention_sees_the_whole_picture_and_skip_does_not():
    def field(net: Any, side: int) -> tuple[int, int]:
        picture = Image.new("RGB", (side, side), "red")
        return overfit.field(net, overfit.scene("red", picture, side, {}, "cpu").truth)

    assert field(network("attention", "tiny"), 160) == (160, 160)
    assert max(field(network("skip", "tiny"), 160)) < 160
    assert field(network("basic"), 16) == (7, 7)


@pytest.mark.parametrize("name", ["batch", "skip", "attention"])
def test_exported_networks_take_every_size_of_their_rule(name: str, tmp_path: Path):
    from retint.export.formats import onnx_single

    net = network(name, "tiny")
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_single(net, net.size).SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n, height, width in [(1, 8, 8), (1, 40, 24), (3, 104, 200)]:
        L = torch.rand(n, 1, height, width) * 100
        with torch.no_grad():
            ab, _ = net.predict(L)
        said = session.run(["ab"], {"L": L.numpy()})[0]
        assert np.abs(np.asarray(said) - ab.numpy()).max() < 0.01


# ---- the ladder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One wide, one high, whose colours any network can tell: each lightness has its own."""
    folder = tmp_path_factory.mktemp("ladder")
    paths = folder / "wide.png", folder / "high.png"
    part = np.linspace(0, 1, 64)
    ramp = np.stack([80 + 170 * part, 60 + 120 * part, 160 - 60 * part], 1)
    ramp = ramp.round().astype(np.uint8)
    Image.fromarray(np.repeat(ramp[None], 48, 0)).save(paths[0])
    Image.fromarray(np.repeat(ramp[:, None], 40, 1)).save(paths[1])
    return paths


def test_a_ladder_is_climbed_and_kept(pictures: tuple[Path, Path], tmp_path: Path):
    first, second = pictures
    out = tmp_path / "ladder.json"
    out.write_text('{"other": {"failed": "of old"}}')
    given = ["overfit", "basic", "--size", "32", "--steps", "100"]
    given += ["--rate", "0.01", "--threads", "1", "--picture", str(first), "--picture", str(second)]
    result = CliRunner().invoke(main, [*given, "-o", str(out)])
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())
    assert rows["other"] == {"failed": "of old"}
    row = rows["basic"]
    assert row["parameters"] == sum(p.numel() for p in network("basic").parameters())
    one, two = row["rungs"]
    assert [(p["picture"], p["width"], p["height"]) for p in two["pictures"]] == [
        ("wide.png", 32, 24),
        ("high.png", 15, 24),
    ]
    for rung in (one, two):
        assert rung["verdict"] == "learned"
        for known in rung["pictures"]:
            assert known["loss"] < min(1e-3, 0.05 * known["variance"])
    page = out.with_suffix(".md").read_text()
    assert "| `basic` |" in page
    assert "| `other` | | | failed: of old" in page


def test_a_network_of_bins_is_judged_by_its_colours(pictures: tuple[Path, Path]):
    shown = [overfit.read(path) for path in pictures]
    climbed = overfit.climb("retint", shown, variant="tiny", side=96, steps=5, rate=0.02)
    assert climbed.aim == "bins"
    assert climbed.rungs[0].first[0].share != climbed.rungs[0].pictures[0].share  # it learned
    with pytest.raises(OptionsError, match="larger pictures"):  # one place at a 32nd of the size
        overfit.climb("retint", shown, variant="tiny", side=32, steps=2)
    known = overfit.Learned("x", 8, 8, loss=2e-3, variance=1e-1)
    assert overfit.is_learned({"bins": 1.0})(known)
    assert not overfit.is_learned({"mse": 1.0})(known)


def test_a_network_of_large_pictures_climbs(
    pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
):
    module = family("unet-patchgan")
    monkeypatch.setitem(module.variants, "deep", module.Config(channels=(4,) * 8))
    shown = [overfit.read(path) for path in pictures]
    climbed = overfit.climb("unet-patchgan", shown, variant="deep", side=32, steps=2)
    (learned,) = climbed.rungs[0].pictures
    assert (learned.width, learned.height) == (256, 256)


def test_a_network_with_noise_is_judged_as_it_is_used(pictures: tuple[Path, Path]):
    """Noise that batch norm's statistics were not of would be most of what it answers."""
    shown = [overfit.read(path) for path in pictures]
    climbed = overfit.climb("pix2pix-wgan", shown, variant="tiny", side=32, steps=150, rate=3e-3)
    assert [rung.verdict for rung in climbed.rungs] == ["learned", "learned"]


def test_a_network_too_small_is_found_out(tmp_path: Path):
    """Colours that no 7x7 pixels of grey tell: a step in hue where the lightness is one."""
    half = np.full((32, 32, 3), 127, np.uint8)
    half[:, :16], half[:, 16:] = (200, 90, 90), (60, 141, 141)  # of one L*
    picture = "two halves", Image.fromarray(half)
    climbed = overfit.climb("basic", [picture, picture], variant="tiny", side=32, steps=40)
    assert [rung.verdict for rung in climbed.rungs] == ["too small"]
    (rung,) = climbed.rungs
    assert rung.steps == 80
    assert rung.first[0].loss * overfit.GAIN < rung.pictures[0].loss
    assert climbed.field == (7, 7)


def test_a_network_that_sees_all_and_has_the_weights_is_not_too_small(pictures: tuple[Path, Path]):
    name, picture = overfit.read(pictures[0])
    shown = [overfit.scene(name, picture, 32, {"multiple_of": 8}, "cpu")]
    assert overfit.is_able(network("attention"), shown)
    assert not overfit.is_able(network("basic"), shown)  # 7x7 pixels of 32x24


def test_minutes_end_a_rung(pictures: tuple[Path, Path]):
    shown = [overfit.read(path) for path in pictures]
    climbed = overfit.climb("basic", shown, side=32, steps=10**6, minutes=0.01)
    assert all(rung.steps < 10**5 for rung in climbed.rungs)


@pytest.mark.parametrize(
    ("rule", "size"),
    [({}, (64, 43)), ({"multiple_of": 8}, (64, 40)), ({"fixed": [24, 32]}, (32, 24))],
)
def test_pictures_are_made_to_fit(rule: dict[str, Any], size: tuple[int, int]):
    found = overfit.scene("x", Image.new("RGB", (300, 200), "red"), 64, rule, "cpu").truth.L
    assert found.shape == (1, 1, size[1], size[0])
    assert found.std() < 1e-3


def test_the_wheels_pictures_have_different_shapes():
    pytest.importorskip("skimage")
    (_, one), (_, two) = overfit.default_pictures()
    assert one.width / one.height != two.width / two.height


def test_what_cannot_be_climbed_is_said(tmp_path: Path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"no\.png: cannot be read"):
        overfit.read(tmp_path / "no.png")
    (tmp_path / "t.json").write_text("[]")
    with pytest.raises(InputError, match=r"t\.json: no table"):
        ladder.read(tmp_path / "t.json")
    red = "red", Image.new("RGB", (32, 32), "red")
    with pytest.raises(OptionsError, match="no variant 'huge'"):
        overfit.climb("basic", [red, red], variant="huge", side=32, steps=2)
    with pytest.raises(OptionsError, match="two pictures"):
        overfit.climb("basic", [red])
    for given in ([], ["basic", "--picture", os.devnull], ["basic", "-o", "t.csv"]):
        assert CliRunner().invoke(main, ["overfit", *given]).exit_code == 2
