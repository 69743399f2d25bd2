"""Feature maps are what the network computes: checked against torch and against arithmetic."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from conftest import scene
from retint.cli import main
from retint.color import srgb_to_lab

features = pytest.importorskip("retint.train.features", exc_type=ImportError)
import onnx  # noqa: E402
import torch  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from retint.errors import InputError, ModelError, OptionsError, OutputError  # noqa: E402
from retint.models import family  # noqa: E402
from retint.train import checkpoint  # noqa: E402

HEIGHT, WIDTH = 70, 100


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "hill.png"
    Image.fromarray(np.rint(scene(HEIGHT, WIDTH) * 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network, untrained."""
    torch.manual_seed(0)
    architecture = family("retint")
    config = architecture.variants["tiny"]
    net = architecture.Net(config)
    path = tmp_path_factory.mktemp("run") / "last.pt"
    state = {"recipe": {"family": "retint"}, "config": dict(vars(config)), "ema": net.state_dict()}
    checkpoint.save(path, state)
    return path


def lightness(photo: Path) -> np.ndarray:
    return srgb_to_lab(np.asarray(Image.open(photo)) / 255)[..., 0].astype(np.float32)


def retint(*words: object):
    return CliRunner().invoke(main, ["features", *map(str, words)])


def test_a_checkpoints_maps_are_the_modules_answers(trained: Path, photo: Path):
    network, picture = features.Network(trained), features.read(photo, 256)
    names = [layer.name for layer in network.layers(picture)]
    assert names.index("encoder.stem") < names.index("up16") < names.index("classify")
    L = torch.from_numpy(np.pad(lightness(photo), ((0, 26), (0, 28)), mode="reflect"))
    state = checkpoint.load(trained)
    net = family("retint").Net(family("retint").Config(**state["config"])).eval()
    net.load_state_dict(state["ema"])
    with torch.no_grad():
        expected = net.up16(
            net.bottleneck(net.encoder(L[None, None])[4])
            + net.whole(net.encoder(L[None, None])[4].mean((2, 3)))[:, :, None, None],
            net.encoder(L[None, None])[3],
        )[0].numpy()
    maps = network.maps(picture, "up16")
    assert maps.layer == features.Layer("up16", "Up", (16, 5, 7))  # of 6 x 8, padding cut off
    assert np.allclose(maps.values, expected[:, :5, :7], atol=1e-4)


def test_an_onnx_files_tensors_come_out(fake_onnx: Path, photo: Path):
    network, picture = features.Network(fake_onnx), features.read(photo, 256)
    found = {layer.name: layer for layer in network.layers(picture)}
    assert found["sin"] == features.Layer("sin", "Sin", (1, HEIGHT, WIDTH))
    assert list(found)[-1] == "confidence"
    L = lightness(photo)
    assert np.allclose(network.maps(picture, "sin").values[0], np.sin(L / 10), atol=1e-4)
    expected = np.stack([30 * np.sin(L / 10), 20 * np.cos(L / 15)])
    assert np.allclose(network.maps(picture, "ab").values, expected, atol=1e-2)


def foreign(path: Path, shape: list[int], kind: int = TensorProto.FLOAT) -> Path:
    """A network that is none of ours: its picture, twice as large a value, halved in size."""
    nodes = [
        helper.make_node("Cast", ["weight"], ["cast"], to=kind),
        helper.make_node("Mul", ["image", "cast"], ["double"]),
        helper.make_node("MaxPool", ["double"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("pooled", kind, None)],
        [helper.make_tensor("weight", TensorProto.FLOAT, [1, 1, 1, 2], [2.0, 2.0])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path
    )
    return path


def test_a_foreign_network_of_one_size_gets_colours(tmp_path: Path, photo: Path):
    path = foreign(tmp_path / "foreign.onnx", [1, 3, 64, 2])
    network, picture = features.Network(path), features.read(photo, 256)
    assert [layer.shape for layer in network.layers(picture)] == [(3, 64, 2), (3, 32, 1)]
    values = network.maps(picture, "double").values
    means = np.asarray(picture).mean((0, 1)) / 255
    assert np.allclose(values.mean((1, 2)), 2 * means, atol=0.02)


def test_half_precision_is_fed_as_such(tmp_path: Path, photo: Path):
    path = foreign(tmp_path / "half.onnx", [1, 1, 64, 2], TensorProto.FLOAT16)
    values = features.Network(path).maps(features.read(photo, 256), "double").values
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(2 * lightness(photo).mean(), rel=0.01)


def test_most_active_maps_first():
    values = np.array([[[0.5, 0.5]], [[-3.0, 3.0]], [[1.0, 1.0]]], np.float32)
    assert features.order(values, "activation").tolist() == [1, 2, 0]
    assert features.order(values, "index").tolist() == [0, 1, 2]


def test_every_map_has_its_own_scale():
    signed = np.array([[-2.0, 0.0, 1.0]], np.float32)
    assert features.limits(signed) == (-2, 2)
    blue, black, orange = features.paint(signed, -2, 2)[0].astype(int)
    assert blue[2] == 255 > blue[0]
    assert black.max() == 0
    assert orange[0] == 128 > orange[2]
    positive = np.array([[1.0, 2.0, 3.0]], np.float32)
    assert features.limits(positive) == (1, 3)
    assert features.paint(positive, 1, 3)[0, :, 0].tolist() == [0, 128, 255]
    assert features.paint(np.zeros((2, 2), np.float32), 0, 0).max() == 0


def test_the_sheet_shows_the_maps(tmp_path: Path, fake_onnx: Path, photo: Path):
    target = tmp_path / "maps.png"
    result = retint(fake_onnx, photo, "--layer", "ab", "--sort", "index", "-o", target)
    assert result.exit_code == 0, result.output
    sheet = np.asarray(Image.open(target))
    left, cell = 2 * features.CELL + 2 * features.GAP, features.CELL
    height = round(cell * HEIGHT / WIDTH)
    first = sheet[features.GAP : features.GAP + height, left : left + cell]
    values = (30 * np.sin(lightness(photo) / 10)).astype(np.float32)
    expected = Image.fromarray(features.paint(values, *features.limits(values)))
    expected = expected.resize((cell, height), Image.Resampling.NEAREST)
    assert np.abs(first.astype(int) - np.asarray(expected)).mean() < 1
    shown = sheet[features.GAP : features.GAP + 2 * height, features.GAP : features.GAP + 2 * cell]
    assert np.ptp(shown, axis=2).mean() > 20  # the photograph, in colour


def test_a_list_and_a_sheet_of_a_checkpoint(tmp_path: Path, trained: Path, photo: Path):
    listed = retint(trained, photo, "--list")
    assert listed.exit_code == 0, listed.output
    lines = [" ".join(line.split()) for line in listed.output.splitlines()]
    assert "up4 8 × 18 × 25 Up" in lines
    target = tmp_path / "maps.jpg"
    drawn = retint(trained, photo, "--layer", "up4", "--channels", 3, "-o", target)
    assert drawn.exit_code == 0, drawn.output
    assert target.read_bytes().startswith(b"\xff\xd8")


def test_errors_are_one_line(tmp_path: Path, fake_onnx: Path, trained: Path, photo: Path):
    assert retint(fake_onnx, photo).exit_code == 2
    result = retint(trained, photo, "--layer", "up61")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "up16" in result.output
    with pytest.raises(OptionsError, match=r"no layer 'cosine'.*: there are .*cos"):
        features.Network(fake_onnx).maps(features.read(photo, 64), "cosine")
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match="no readable network"):
        features.Network(tmp_path / "broken.onnx")
    with pytest.raises(ModelError, match="takes no picture"):
        features.Network(foreign(tmp_path / "flat.onnx", [1, 7, 8, 8]))
    with pytest.raises(InputError, match="no such checkpoint"):
        features.Network(tmp_path / "none.pt")
    with pytest.raises(InputError, match=r"broken\.onnx: cannot be read"):
        features.read(tmp_path / "broken.onnx", 64)
    maps = features.Network(fake_onnx).maps(features.read(photo, 64), "sin")
    with pytest.raises(OutputError, match="cannot be written"):
        features.write_sheet(maps, tmp_path / "nowhere" / "maps.png")


def test_a_size_rule_in_the_card_is_kept(tmp_path: Path, fake_onnx: Path, photo: Path):
    model = onnx.load(fake_onnx)
    card = json.loads(model.metadata_props[0].value) | {"size": {"multiple_of": 1}}
    helper.set_model_props(model, {"retint.card": json.dumps(card)})
    onnx.save(model, tmp_path / "any.onnx")
    assert features.Network(tmp_path / "any.onnx")._inside.multiple_of == 1
    assert features.Network(fake_onnx)._inside.multiple_of == 32
