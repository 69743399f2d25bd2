"""Zhang et al.'s two networks: their layers, the 313 colours, the authors' keys, and hints."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import Tensor, nn

from retint import Colorizer, Hint, ModelError, OptionsError, Photo, export
from retint.cli import main
from retint.export.formats import round_weights
from retint.export.network import Network
from retint.layers import bins
from retint.models import family
from retint.predict import OnnxPredictor

KEYS = Path(__file__).parent / "fixtures" / "keys"

# of each row of the authors' points, which OpenCV's samples/dnn/colorization.cpp lists: a, and the
# least and the largest b
ROWS = """
-90 50 90  -80 20 90  -70 0 90  -60 -20 90  -50 -30 100  -40 -40 100  -30 -50 100  -20 -50 100
-10 -60 100  0 -70 100  10 -80 90  20 -80 90  30 -90 90  40 -100 90  50 -100 80  60 -110 80
70 -110 80  80 -110 70  90 -110 70  100 -90 0
"""


def foreign(name: str) -> dict[str, Tensor]:
    """A checkpoint of the authors' shapes, from their own definition of the network."""
    keys = json.loads((KEYS / f"{name}.json").read_text())["keys"]
    return {key: torch.zeros(shape) for key, shape in keys}


def net(name: str, variant: str = "tiny", **changes: Any) -> Any:
    module = family(name)
    torch.manual_seed(0)
    return module.Net(dataclasses.replace(module.variants[variant], **changes)).eval()


def test_the_313_colours_are_the_authors():
    numbers = [int(word) for word in ROWS.split()]
    expected = [
        (a, b)
        for a, low, high in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        for b in range(low, high + 1, 10)
    ]
    assert len(expected) == 313
    assert [(int(a), int(b)) for a, b in bins.in_gamut()] == expected


def test_a_finer_grid_has_more_colours_within_the_same_bounds():
    assert len(bins.in_gamut(5.0)) > 3 * 313
    assert bins.in_gamut(5.0).abs().max() <= 110


@pytest.mark.parametrize(
    ("name", "file", "variant"),
    [("colorful", "eccv16", "eccv16"), ("siggraph17", "siggraph17", "default")],
)
def test_the_authors_checkpoint_fits(name: str, file: str, variant: str):
    module = family(name)
    with torch.device("meta"):
        ours = module.Net(module.variants[variant])
    state = module.from_foreign(foreign(file))
    ours.load_state_dict(state, strict=True, assign=True)
    assert module.from_foreign(state) == state
    assert variant in module.published


def test_the_authors_last_layer_holds_the_colours():
    state = foreign("eccv16")
    state["model_out.weight"] = bins.in_gamut().T[:, :, None, None] / 110
    assert torch.allclose(family("colorful").from_foreign(state)["centres"], bins.in_gamut())
    del state["model_out.weight"]
    assert torch.equal(family("colorful").from_foreign(state)["centres"], bins.in_gamut())


def table(module: nn.Module) -> list[tuple[int, int, int, int]]:
    """Channels in and out, stride and dilation of each convolution, in order."""
    return [
        (m.in_channels, m.out_channels, m.stride[0], m.dilation[0])
        for m in module.modules()
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]


def test_colorful_has_the_papers_layers():
    with torch.device("meta"):
        layers = table(family("colorful").Net(family("colorful").variants["default"]))
    assert layers == [
        *((1, 64, 1, 1), (64, 64, 2, 1)),
        *((64, 128, 1, 1), (128, 128, 2, 1)),
        *((128, 256, 1, 1), (256, 256, 1, 1), (256, 256, 2, 1)),
        *((256, 512, 1, 1), (512, 512, 1, 1), (512, 512, 1, 1)),
        *[(512, 512, 1, 2)] * 6,
        *[(512, 512, 1, 1)] * 3,
        *((512, 256, 2, 1), (256, 256, 1, 1), (256, 256, 1, 1), (256, 313, 1, 1)),
    ]


def test_the_number_of_parameters():
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in family(name).Net(family(name).variants["default"]).parameters())
            for name in ("colorful", "siggraph17")
        ]
    assert counts == [32_235_385, 34_051_074]


def test_colorful_answers_with_the_annealed_mean():
    colorful = net("colorful")
    colorful.set_bins(bins.in_gamut(20.0)[:40], torch.full((40,), 1 / 40))
    L = torch.rand(1, 1, 32, 40) * 100
    with torch.no_grad():
        share = torch.softmax(colorful(L).logits / 0.38, 1)
        expected = torch.einsum("nqhw,qc->nchw", share, colorful.centres)
        ab = colorful.colour(colorful(L))[0]
    assert expected.shape == (1, 2, 8, 10)
    assert torch.allclose(ab, expected, atol=1e-3)


def hinted(h: int, w: int, n: int = 1) -> Tensor:
    hints = torch.zeros(n, 3, h, w)
    hints[:, :, :4, :4] = torch.tensor([60.0, 40.0, 1.0])[:, None, None]
    return hints


@pytest.mark.parametrize("histogram", [False, True])
def test_hints_are_heeded_and_none_are_zeros(histogram: bool):
    siggraph = net("siggraph17", histogram=histogram)
    L = torch.rand(1, 1, 32, 40) * 100
    with torch.no_grad():
        plain, shown = siggraph.predict(L)[0], siggraph.predict(L, hinted(32, 40))[0]
        unmasked = hinted(32, 40) * torch.tensor([1.0, 1.0, 0.0])[:, None, None]
        without_mask = siggraph.predict(L, unmasked)[0]
        assert torch.equal(plain, siggraph.predict(L, torch.zeros(1, 3, 32, 40))[0])
    assert not torch.equal(plain, shown)
    assert not torch.equal(without_mask, shown)


def test_the_histogram_tells_hints_to_every_place():
    """A far corner sees a hint in the other through the histogram alone."""
    L = torch.rand(1, 1, 256, 256) * 100
    for histogram in (False, True):
        siggraph = net("siggraph17", histogram=histogram)
        with torch.no_grad():
            off = siggraph.predict(L, hinted(256, 256))[0] - siggraph.predict(L)[0]
        assert bool(off[..., -4:, -4:].any()) == histogram


def test_every_part_of_the_histogram_learns():
    siggraph = net("siggraph17", histogram=True).train()
    L = torch.rand(4, 1, 32, 32) * 100
    siggraph(L, hinted(32, 32, 4) * torch.rand(4, 1, 1, 1)).ab.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in siggraph.whole.colours.parameters())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A small network that takes hints, exported."""
    siggraph = net("siggraph17")
    texts = {"license": "MIT", "weights_license": "MIT", "working_size": 64}
    card = {"name": "hinted", "version": "1", **texts}
    network = Network("siggraph17", dict(vars(siggraph.config)), siggraph.state_dict(), card)
    folder = tmp_path_factory.mktemp("hinted")
    files = export.write(siggraph, network, folder, ["onnx", "torchscript", "torch-export"])
    assert all(file.difference <= export.PARITY for file in files)
    return siggraph, files[0].path


def test_an_exported_network_takes_hints_at_odd_sizes(written: tuple[Any, Path]):
    predictor = OnnxPredictor(written[1])
    assert predictor.hints
    assert predictor.card.hints
    L = np.random.default_rng(0).uniform(0, 100, (2, 1, 31, 45)).astype(np.float32)
    hints = hinted(31, 45, 2).numpy()
    hints[..., -1, -1] = 10, 20, 1
    again = net("siggraph17")
    round_weights(again)
    for given in (hints, 0 * hints):
        edge = ((0, 0), (0, 0), (0, 1), (0, 3))
        padded = (torch.from_numpy(np.pad(x, edge, mode="reflect")) for x in (L, given))
        with torch.no_grad():
            ab = again.predict(*padded)[0].numpy()[..., :31, :45]
        assert np.abs(predictor(L, given).ab - ab).max() <= export.PARITY
    assert np.array_equal(predictor(L).ab, predictor(L, 0 * hints).ab)
    assert np.abs(predictor(L).ab - predictor(L, hints).ab).max() > 10 * export.PARITY
    with pytest.raises(ValueError, match=r"hints are \(n, 3, h, w\), not \(2, 3, 31, 44\)"):
        predictor(L, hints[..., :44])


def test_a_hint_colours_its_place_in_a_photograph(
    written: tuple[Any, Path], photographs: dict[str, Path], fake_onnx: Path
):
    photo = Photo.open(photographs["grey.png"])
    seen: list[np.ndarray] = []

    class Watched:
        name, version, weights_sha256, device = "watched", "1", "", "cpu"

        def __call__(self, L: np.ndarray, hints: Any = None, tilt: Any = None) -> Any:
            seen.append(np.zeros(0) if hints is None else hints)
            return OnnxPredictor(written[1])(L, hints)

    colorizer = Colorizer(Watched())
    red, green = Hint(0.75, 0.0, 60, 40, radius=0.1), Hint(1.0, 1.0, -50, 40, radius=0)
    plain, shown = colorizer.predict(photo), colorizer.predict(photo, [red, green])
    assert np.abs(plain.ab - shown.ab).max() > 0.1
    none, without, (hints,) = seen  # a told photograph is looked at twice
    assert not none.size
    assert not without.size
    height, width = hints.shape[1:]
    assert hints[:, 0, int(0.75 * width)].tolist() == [60, 40, 1]
    assert hints[:, -1, -1].tolist() == [-50, 40, 1]
    assert not hints[:, height // 2].any()
    with pytest.raises(ModelError, match="takes no hints"):
        Colorizer(OnnxPredictor(fake_onnx)).predict(photo, [red])


def test_hints_outside_the_picture_are_refused():
    for wrong in ({"x": 1.2}, {"y": -0.1}, {"radius": 2.0}, {"a": 300.0}):
        with pytest.raises(OptionsError, match=re.escape(next(iter(wrong)))):
            Hint(**{"x": 0.5, "y": 0.5, "a": 0, "b": 0, **wrong})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network as a checkpoint of somebody else's, in the usual wrapping."""
    state = net("siggraph17").state_dict()
    kept = {f"module.{k}": v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    kept["module.model_class.0.weight"] = torch.zeros(529, 8, 1, 1)
    path = tmp_path_factory.mktemp("foreign") / "theirs.pth"
    torch.save({"epoch": 3, "state_dict": kept}, path)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["import", *map(str, words)])


def imported(checkpoint: Path, *words: object) -> Result:
    return run("siggraph17", checkpoint, "--variant", "tiny", "-o", checkpoint.parent, *words)


def test_a_checkpoint_is_imported(checkpoint: Path):
    words = ("--name", "mine", "--weights-license", "MIT", "--format", "onnx-fp32")
    result = imported(checkpoint, *words)
    assert result.exit_code == 0, result.output
    predictor = OnnxPredictor(checkpoint.with_name("mine-fp32.onnx"))
    L = torch.rand(1, 1, 32, 40) * 100
    with torch.no_grad():
        ab = net("siggraph17").predict(L)[0].numpy()
    assert np.abs(predictor(L.numpy()).ab - ab).max() <= export.PARITY
    card = predictor.card
    assert (card.family, card.license, card.weights_license) == ("siggraph17", "MIT", "MIT")
    assert "imported from theirs.pth, sha256 " in card.trained


def test_a_licence_that_not_everybody_may_use_has_to_be_allowed_by_name(checkpoint: Path):
    refused = imported(checkpoint, "--weights-license", "CC-BY-NC-4.0")
    assert refused.exit_code == 1
    assert "--allow-license 'CC-BY-NC-4.0'" in refused.output
    other = imported(
        checkpoint, "--weights-license", "CC-BY-NC-4.0", "--allow-license", "CC-BY-NC-SA-4.0"
    )
    assert other.exit_code == 1
    words = ("--weights-license", "CC-BY-NC-4.0", "--allow-license", "CC-BY-NC-4.0")
    assert imported(checkpoint, "--name", "nc", *words).exit_code == 0
    assert OnnxPredictor(checkpoint.with_name("nc.onnx")).card.weights_license == "CC-BY-NC-4.0"
    assert "--weights-license" in imported(checkpoint).output  # nobody says what it is


def test_what_does_not_fit_is_reported(tmp_path: Path):
    state = net("siggraph17").state_dict()
    state["model1.0.weight"] = torch.zeros(4, 1, 3, 3)
    del state["model_out.0.bias"]
    state["something"] = torch.zeros(1)
    save_file(state, tmp_path / "other.safetensors")
    result = imported(tmp_path / "other.safetensors", "--weights-license", "MIT")
    assert result.exit_code == 1
    for line in (
        "not siggraph17 tiny (1 missing, 1 unexpected, 1 of another shape",
        "missing: model_out.0.bias",
        "unexpected: something",
        "of another shape: model1.0.weight, (4, 1, 3, 3) and not (4, 4, 3, 3)",
    ):
        assert line in result.output
    assert not list(tmp_path.glob("*.onnx"))


def test_code_in_a_checkpoint_is_refused(tmp_path: Path):
    torch.save({"state_dict": {"model1.0.weight": Path("a")}}, tmp_path / "code.pth")
    result = imported(tmp_path / "code.pth", "--weights-license", "MIT")
    assert result.exit_code == 1
    assert "refused, since it holds code (pathlib" in result.output
    assert result.output.count("\n") == 1
