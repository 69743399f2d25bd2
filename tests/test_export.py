"""Exported files: every format against the original, weights that read back, networks joined."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from retint import export
from retint.cli import export as cli_export
from retint.cli import main
from retint.errors import InputError, ModelError, OptionsError
from retint.export import formats
from retint.export.network import Network, read
from retint.layers import bins
from retint.layers.sizes import common_size
from retint.models import build, family
from retint.predict import OnnxPredictor
from retint.train import checkpoint, recipe

EXACT = [kind for kind in export.KINDS if kind != "onnx-int8"]


def tiny(seed: int, **changes: Any) -> Any:
    """A small network of retint's family whose norms have statistics of their own."""
    architecture = family("retint")
    config = {**vars(architecture.variants["tiny"]), **changes}
    torch.manual_seed(seed)
    net = architecture.Net(architecture.Config(**config))
    centres = bins.grid(20.0, 80.0)
    centres = centres[centres.norm(dim=1).argsort()[: net.config.bins]]
    net.set_bins(centres, torch.full((len(centres),), 1 / len(centres)))
    net.classify.bias.data.normal_()
    net.train()(torch.rand(4, 1, 64, 64) * 100)  # moves the running statistics
    return net.eval()


def basic(seed: int, **changes: Any) -> Any:
    """Three small convolutions: for what does not depend on the network."""
    architecture = family("basic")
    torch.manual_seed(seed)
    return architecture.Net(architecture.Config(**{"channels": (16, 16), **changes})).eval()


def keep(net: nn.Module, path: Path) -> Path:
    """A checkpoint as a training leaves it."""
    name = type(net).__module__.rpartition(".")[2]
    state = {
        "recipe": recipe.to_dict(recipe.Recipe("test", family=name, card={"data": path.stem})),
        "config": dict(vars(net.config)),
        "net": net.state_dict(),
        "ema": net.state_dict(),
        "step": 3,
        "seconds": 60.0,
    }
    checkpoint.save(path, state)
    return path


@pytest.fixture(scope="module")
def net() -> Any:
    return tiny(0, scales=(1.0, 0.667))


@pytest.fixture(scope="module")
def kept(net: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep(net, tmp_path_factory.mktemp("run") / "last.pt")


@pytest.fixture(scope="module")
def written(kept: Path) -> dict[str, Path]:
    """The network in every format but int8."""
    files = export.export([kept], kept.parent, name="mine", version="7", formats=EXACT)
    assert all(file.difference <= export.PARITY for file in files)
    return {file.format: file.path for file in files}


@pytest.fixture(scope="module")
def runners(written: dict[str, Path]) -> dict[str, Any]:
    return {kind: formats.FORMATS[kind].read(path) for kind, path in written.items()}


def rounded(net: Any) -> Any:
    again = build(type(net).__module__.rpartition(".")[2], vars(net.config)).eval()
    again.load_state_dict(net.state_dict())
    formats.round_weights(again)
    return again


@pytest.mark.parametrize(("n", "h", "w"), [(1, 96, 320), (3, 320, 96), (3, 96, 128)])
@pytest.mark.parametrize("kind", EXACT)
def test_a_format_gives_the_colours_of_the_original(
    runners: dict[str, Any], net: Any, kind: str, n: int, h: int, w: int
):
    L = torch.rand(n, 1, h, w, generator=torch.Generator().manual_seed(n + h + w)) * 100
    with torch.no_grad():
        original = (net if kind == "onnx-fp32" else rounded(net)).predict(L)[0].numpy()
        found = runners[kind](L, torch.zeros(n, 2))[0]
    assert np.abs(found - original).max() <= export.PARITY
    assert np.abs(original).max() > 1  # there is colour to differ in


def test_odd_sizes_go_through_the_predictor(written: dict[str, Path], net: Any):
    L = np.random.default_rng(0).uniform(0, 100, (2, 1, 61, 83)).astype(np.float32)
    padded = np.pad(L, ((0, 0), (0, 0), (0, 3), (0, 13)), mode="reflect")
    with torch.no_grad():
        ab = rounded(net).predict(torch.from_numpy(padded))[0].numpy()
    found = OnnxPredictor(written["onnx"])(L).ab
    assert np.abs(found - ab[:, :, :61, :83]).max() <= export.PARITY


@pytest.mark.parametrize("kind", ["onnx", "onnx-fp32", "safetensors"])
def test_every_weight_reads_back_under_its_name(written: dict[str, Path], net: Any, kind: str):
    name, config, state = export.state_of(written[kind])
    again = family(name).Net(family(name).Config(**config))
    again.load_state_dict(state)  # strict: none missing, none besides
    assert again.config == net.config
    original = (net if kind == "onnx-fp32" else rounded(net)).state_dict()
    assert all(torch.equal(original[key], value) for key, value in again.state_dict().items())


@pytest.mark.parametrize("kind", EXACT)
def test_a_network_of_any_size_takes_odd_ones(kind: str, tmp_path: Path):
    net = basic(3)
    (file,) = export.export(
        [keep(net, tmp_path / "a.pt")], tmp_path, name="any", version="1", formats=[kind]
    )
    assert file.difference <= export.PARITY
    L = torch.rand(3, 1, 7, 31) * 100
    with torch.no_grad():
        ab = (net if kind == "onnx-fp32" else rounded(net)).predict(L)[0].numpy()
    assert np.abs(formats.FORMATS[kind].read(file.path)(L)[0] - ab).max() <= export.PARITY


def test_equal_weights_keep_their_own_names(tmp_path: Path):
    net = basic(1)
    for weight in net.parameters():
        weight.data.zero_()
    (file,) = export.export([keep(net, tmp_path / "a.pt")], tmp_path, name="zero", version="1")
    assert export.state_of(file.path)[2].keys() == net.state_dict().keys()


def test_a_checkpoint_gives_its_averaged_weights(kept: Path, net: Any):
    name, config, state = export.state_of(kept)
    assert (name, config["bins"]) == ("retint", net.config.bins)
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in state.items())


def test_the_graph_is_plain(written: dict[str, Path]):
    graph = onnx.load(written["onnx"]).graph
    kinds = {node.op_type for node in graph.node}
    assert "BatchNormalization" in kinds  # not folded: a training can start from it
    assert not kinds & {"Identity", "ConstantOfShape", "Reshape"}  # computed when exported
    assert len(graph.node) < 500
    halves = [t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert "encoder.stem.weight" in halves
    assert "encoder.stem.bias" not in halves
    assert len(onnx.load(written["onnx-fp32"]).SerializeToString()) > 1.8 * len(
        onnx.load(written["onnx"]).SerializeToString()
    )


def test_the_runtime_has_nothing_to_say(
    written: dict[str, Path], capfd: pytest.CaptureFixture[str]
):
    onnxruntime.InferenceSession(written["onnx"], providers=["CPUExecutionProvider"])
    assert capfd.readouterr().err == ""


def embedded(path: Path) -> dict[str, Any]:
    if path.suffix == ".onnx":
        return json.loads({p.key: p.value for p in onnx.load(path).metadata_props}["retint.card"])
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["retint.card"])
    with zipfile.ZipFile(path) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/extra/retint.card"))
        return json.loads(archive.read(name))


@pytest.mark.parametrize("kind", EXACT)
def test_every_format_carries_the_card(written: dict[str, Path], net: Any, kind: str):
    card = embedded(written[kind])
    assert card["name"] == ("mine-fp32" if kind == "onnx-fp32" else "mine")
    assert (card["version"], card["family"], card["data"]) == ("7", "retint", "last")
    assert card["parameters"] == sum(p.numel() for p in net.parameters())
    assert card["size"] == {"multiple_of": 32}
    assert "1 minutes" in card["trained"]


def test_what_was_exported_can_be_exported_again(tmp_path: Path):
    kept = keep(basic(4), tmp_path / "last.pt")
    first = export.export([kept], tmp_path, name="mine", version="7")[0].path
    (file,) = export.export(
        [first], tmp_path, name="mine", version="8", changes=["gain=0.0"], formats=["safetensors"]
    )
    assert embedded(file.path) == {**embedded(first), "version": "8"}
    assert read(file.path).config["gain"] == 0
    with pytest.raises(OptionsError, match=r"the network has .*channels"):
        export.export([first], tmp_path, name="mine", version="8", changes=["vain=0.0"])


def test_a_file_that_is_older_than_a_setting_can_be_given_it(tmp_path: Path):
    path = keep(basic(4), tmp_path / "last.pt")
    older = checkpoint.load(path)
    del older["config"]["gain"]
    checkpoint.save(path, older)
    (file,) = export.export(
        [path], tmp_path, name="mine", version="7", changes=["gain=0.5"], formats=["safetensors"]
    )
    assert read(file.path).config["gain"] == 0.5


def test_files_without_a_network_are_named(tmp_path: Path, fake_onnx: Path):
    kept = keep(basic(0), tmp_path / "last.pt")
    with pytest.raises(ModelError, match="no network to be rebuilt from"):
        export.state_of(fake_onnx)
    for name in ("a.onnx", "a.safetensors", "a.pt"):
        (tmp_path / name).write_bytes(b"something else")
        with pytest.raises(InputError, match=name):
            export.state_of(tmp_path / name)
    state = checkpoint.load(kept)
    state["ema"] = dict(list(state["ema"].items())[1:])
    checkpoint.save(tmp_path / "less.pt", state)
    with pytest.raises(ModelError, match=r"not the weights of its own network: .*Missing"):
        export.export([tmp_path / "less.pt"], tmp_path, name="less", version="1")


class Sure(nn.Module):
    """Says 1 whatever it sees, in a way that tracing takes for a constant."""

    size: Mapping[str, Any] = {}

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat((L, -L), 1), torch.ones(tuple(map(int, L.shape)))


def test_a_confidence_of_another_shape_is_found_out(tmp_path: Path):
    card = {"name": "sure", "version": "1", "license": "MIT", "weights_license": "MIT"}
    network = Network("basic", {}, {}, {**card, "working_size": 56})
    with pytest.raises(ModelError, match="colours in onnx differ by inf"):
        export.write(Sure(), network, tmp_path / "out")


def test_colours_that_differ_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = keep(basic(0), tmp_path / "last.pt")
    monkeypatch.setattr(export, "PARITY", -1.0)
    with pytest.raises(ModelError, match="colours in onnx differ by"):
        export.export([kept], tmp_path / "out", name="off", version="1")
    assert not list((tmp_path / "out").iterdir())


def test_two_networks_become_their_mean(tmp_path: Path):
    net, other = tiny(0, mirror=False), basic(5)
    sources = [keep(net, tmp_path / "last.pt"), keep(other, tmp_path / "other.pt")]
    (file, same) = export.export(
        sources, tmp_path, name="both", version="1", formats=["onnx", "safetensors"]
    )
    L = torch.rand(3, 1, 64, 96) * 100
    with torch.no_grad():
        mean = (rounded(net).predict(L)[0] + rounded(other).predict(L)[0]) / 2
    predictor = OnnxPredictor(file.path)
    assert np.abs(predictor(L.numpy()).ab - mean.numpy()).max() <= export.PARITY
    assert predictor.card.family == "mix"
    assert predictor.card.data == "last\nother"
    assert predictor.card.parameters == sum(p.numel() for n in (net, other) for p in n.parameters())
    assert "parts.1.first.weight" in export.state_of(same.path)[2]


class Corrected(nn.Module):
    """Corrects another network's colours where that was sure."""

    size: Mapping[str, Any] = {}

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.mix = nn.Conv2d(4, 2, 3, padding=1)

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor]:
        ab, confidence = self.first.predict(L)  # type: ignore[operator]
        return ab + self.mix(torch.cat((L / 100, ab, confidence), 1)), confidence.sqrt()


def test_a_network_of_ones_own_is_written(tmp_path: Path):
    net = Corrected(basic(2))
    card = {"name": "two", "version": "1", "license": "MIT", "weights_license": "MIT"}
    network = Network("corrected", {}, {}, {**card, "working_size": 64})
    files = export.write(net, network, tmp_path, ["onnx", "torchscript"])
    L = torch.rand(1, 1, 96, 64) * 100
    formats.round_weights(net)
    with torch.no_grad():
        ab, confidence = net.predict(L)
    for file in files:
        found = formats.FORMATS[file.format].read(file.path)(L)[0]
        assert np.abs(found - ab.numpy()).max() <= export.PARITY
    predictor = OnnxPredictor(files[0].path)
    assert np.allclose(predictor(L.numpy()).confidence, confidence.numpy(), atol=1e-3)
    names = {t.name for t in onnx.load(files[0].path).graph.initializer}
    assert {"mix.weight", "first.last.weight"} <= names


def test_networks_that_take_no_common_size_are_not_joined():
    assert common_size([{"multiple_of": 8}, {"multiple_of": 12}, {}]) == {"multiple_of": 24}
    assert common_size([{"fixed": [96, 64]}, {"multiple_of": 32}]) == {"fixed": [96, 64]}
    for other in ({"fixed": [64, 96]}, {"multiple_of": 24}):
        with pytest.raises(ModelError, match="no size in common"):
            common_size([{"fixed": [96, 64]}, other])


def test_a_network_of_one_size_keeps_it(tmp_path: Path):
    net = basic(2)
    net.size = {"fixed": [40, 56]}
    card = {"name": "one", "version": "1", "license": "MIT", "weights_license": "MIT"}
    network = Network("basic", dict(vars(net.config)), {}, {**card, "working_size": 56})
    for file in export.write(net, network, tmp_path, ["onnx", "torch-export"]):
        assert file.difference <= export.PARITY
    predictor = OnnxPredictor(tmp_path / "one.onnx")
    assert predictor.card.fixed == (40, 56)
    assert predictor(np.full((1, 1, 30, 90), 50, np.float32)).ab.shape == (1, 2, 30, 90)


def test_int8_says_what_it_costs(tmp_path: Path):
    kept = keep(basic(6, channels=(64, 64)), tmp_path / "last.pt")
    (single,) = export.export([kept], tmp_path, name="mine", version="7")
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for k in range(3):
        pixels = random.integers(0, 256, (12, 16 + k, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((160, 120)).save(tmp_path / "pictures" / f"{k}.png")
    (file,) = export.export(
        [kept],
        tmp_path,
        name="mine",
        version="7",
        formats=["onnx-int8"],
        calibration=tmp_path / "pictures",
        working_size=128,
    )
    assert file.path.name == "mine-int8.onnx"
    assert file.path.stat().st_size < 0.8 * single.path.stat().st_size
    assert file.coarseness is not None
    predictor = OnnxPredictor(file.path)
    assert predictor.card.figures["int8"]["pictures"] == 3
    assert predictor.card.figures["int8"]["mean_dab"] == round(file.coarseness.mean, 3)
    L = np.random.default_rng(1).uniform(40, 60, (1, 1, 96, 128)).astype(np.float32)
    off = np.abs(predictor(L).ab - OnnxPredictor(single.path)(L).ab)
    assert 0 < off.mean() < 5  # coarser, and the same picture still
    with pytest.raises(OptionsError, match="--calibration"):
        export.export([kept], tmp_path, name="mine", version="7", formats=["onnx-int8"])


def test_the_command_writes_several_formats(tmp_path_factory: pytest.TempPathFactory):
    kept = keep(basic(0), tmp_path_factory.mktemp("run") / "last.pt")
    tmp_path = tmp_path_factory.mktemp("out")
    words = ["export", str(kept), "-o", str(tmp_path), "--name", "new", "--set", "gain=1.2"]
    result = CliRunner().invoke(
        main, [*words, "--format", "safetensors", "--format", "onnx"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"new.safetensors", "new.onnx", "new.toml"}
    assert result.output.count("Lab units of the original") == 2
    assert cli_export.FORMATS == export.KINDS
    assert set(EXACT) == formats.FORMATS.keys()
