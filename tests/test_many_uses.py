"""One network, many uses: colours told in a few places, what is shown, other plausible colours."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retint import export
from retint.colorizer import Colorizer, Hint, Options
from retint.errors import ModelError, OptionsError
from retint.export.network import Network
from retint.layers import bins
from retint.layers.answer import Answer
from retint.models import family
from retint.photo import Photo
from retint.predict import OnnxPredictor

RETINT = family("retint")
SUBJECTS = ("dog", "street", "tree")


@pytest.fixture(scope="module")
def net() -> Any:
    """A network that takes hints, as if it had learned a little to follow them."""
    torch.manual_seed(0)
    config = dataclasses.replace(RETINT.variants["tiny"], hints=True, subjects=len(SUBJECTS))
    net = RETINT.Net(config).eval()
    centres = bins.grid(20.0, 80.0)
    centres = centres[centres.norm(dim=1).argsort()[: config.bins]]
    net.set_bins(centres, torch.full((len(centres),), 1 / len(centres)))
    for convolution in (net.told.far, net.told.near):
        torch.nn.init.normal_(convolution.weight, 0.0, 0.3)
    return net


@pytest.fixture(scope="module")
def model(net: Any, tmp_path_factory: pytest.TempPathFactory) -> OnnxPredictor:
    card = {"name": "many", "version": "1", "license": "MIT", "weights_license": "MIT"}
    card |= {"working_size": 64, "subjects": SUBJECTS}
    network = Network("retint", vars(net.config), net.state_dict(), card)
    (written,) = export.write(net, network, tmp_path_factory.mktemp("many"))
    return OnnxPredictor(written.path)


def lightness(n: int = 1, h: int = 64, w: int = 96) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 100, (n, 1, h, w)).astype(np.float32)


def test_without_hints_it_colours_as_a_network_that_takes_none(net: Any):
    config = dataclasses.replace(net.config, hints=False)
    plain = RETINT.Net(config).eval()
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if not k.startswith("told.")})
    L = torch.from_numpy(lightness())
    with torch.no_grad():
        ab = plain.predict(L)[0]
        assert torch.equal(net.predict(L)[0], ab)
        assert torch.equal(net.predict(L, L.new_zeros(1, 3, *L.shape[2:]))[0], ab)


def test_a_hint_speaks_at_every_size_and_in_the_mirror(net: Any):
    L = torch.from_numpy(lightness())
    hints = L.new_zeros(1, 3, 64, 96)
    hints[:, :, 20:30, 10:20] = torch.tensor([60.0, 20.0, 1.0])[:, None, None]
    every = dataclasses.replace(net.config, scales=(1.0, 0.667))
    used = RETINT.Net(every).eval()
    used.load_state_dict(net.state_dict())
    with torch.no_grad():
        there = used.predict(L, hints)[0]
        back = used.predict(L.flip(3), hints.flip(3))[0].flip(3)
        assert (there - used.predict(L)[0]).abs().max() > 1
    assert (there - back).abs().max() < 1e-3


def test_every_weight_that_is_told_hints_learns(net: Any):
    learner = RETINT.Net(net.config).train()
    L = torch.rand(2, 1, 64, 64) * 100
    hints = torch.rand(2, 3, 64, 64)
    learner(L, hints).logits.logsumexp(1).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in learner.told.parameters())


def test_the_exported_network_says_what_is_shown(net: Any, model: OnnxPredictor):
    L = lightness(3)
    found = model(L)
    assert found.subject is not None
    assert found.subject.shape == (3, len(SUBJECTS))
    assert np.allclose(found.subject.sum(1), 1, atol=1e-5)
    assert tuple(model.card.subjects) == SUBJECTS
    assert model.hints


def test_one_picture_may_have_several_tilts(model: OnnxPredictor):
    tilts = np.array([[0, 0], [0.1, 0], [0, -0.1]], np.float32)
    many = model(lightness(), tilt=tilts)
    assert many.ab.shape == (3, 2, 64, 96)
    assert many.confidence.shape == (3, 1, 64, 96)
    assert np.allclose(many.ab[0], model(lightness()).ab, atol=1e-4)
    assert (many.ab[1, 0] - many.ab[0, 0]).mean() > 1  # redder
    assert (many.ab[2, 1] - many.ab[0, 1]).mean() < -1  # bluer


def test_what_is_certain_does_not_tilt(net: Any):
    unsure = torch.zeros(1, net.config.bins, 8, 8)
    sure = unsure.clone()
    sure[:, 3] = 40.0
    tilt = torch.tensor([[0.1, 0.0]])

    def moved(logits: torch.Tensor) -> float:
        answer = Answer(logits=logits)
        return float((net.colour(answer, tilt)[0] - net.colour(answer)[0]).abs().max())

    assert moved(sure) < 0.01
    assert moved(unsure) > 10


def test_alternatives_begin_with_the_guess_and_differ(model: OnnxPredictor, photo: Photo):
    colorizer = Colorizer(model)
    found = colorizer.alternatives(photo, 4)
    assert len(found) == 4
    assert np.allclose(found[0].ab, colorizer.predict(photo).ab, atol=1e-4)
    third = Colorizer(model, Options(alternative=2)).predict(photo)
    assert np.array_equal(third.ab, found[2].ab)
    apart = [np.abs(a.ab - b.ab).mean() for k, a in enumerate(found) for b in found[:k]]
    assert min(apart) > 0.3
    with pytest.raises(OptionsError, match="1 to 9"):
        colorizer.alternatives(photo, 10)


def test_alternatives_keep_to_the_hints(model: OnnxPredictor, photo: Photo):
    hints = [Hint(0.5, 0.5, 60, 20, 0.1)]
    with_hint = Colorizer(model).alternatives(photo, 2, hints)[0].ab
    assert np.allclose(with_hint, Colorizer(model).predict(photo, hints).ab, atol=1e-4)


def test_a_model_of_one_answer_says_so(tmp_path: Path, photo: Photo):
    basic = family("basic")
    net = basic.Net(basic.variants["tiny"])
    card = {"name": "one", "version": "1", "license": "MIT", "weights_license": "MIT"}
    network = Network("basic", vars(net.config), net.state_dict(), card | {"working_size": 64})
    (written,) = export.write(net, network, tmp_path)
    with pytest.raises(ModelError, match="one 1 gives no alternatives"):
        Colorizer(OnnxPredictor(written.path)).alternatives(photo, 2)


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    ramp = np.linspace(0, 255, 60 * 80).reshape(60, 80).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    return Photo.open(tmp_path / "ramp.png")
