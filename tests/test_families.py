"""The contract that every family and variant of networks keeps, in tiny configurations."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from retint.errors import InputError, ModelError
from retint.export.parity import allowed
from retint.layers import bins
from retint.layers.answer import Answer
from retint.layers.mobilenet_v2 import CHANNELS, MobileNetV2
from retint.models import families, family

SIZES = [(1, 32, 32), (2, 61, 32), (3, 33, 150)]  # or the next that the network takes


def build(name: str, seed: int = 0) -> Any:
    module = family(name)
    torch.manual_seed(seed)
    net = module.Net(module.variants["tiny"])
    if hasattr(net, "set_bins"):
        centres = bins.grid(20.0, 80.0)
        centres = centres[centres.norm(dim=1).argsort()[: net.config.bins]]
        net.set_bins(centres, torch.full((len(centres),), 1 / len(centres)))
    return net


def picture(net: Any, n: int, h: int, w: int) -> torch.Tensor:
    """L* of this size, or the next one that the network takes."""
    return torch.rand(n, 1, *allowed(h, w, net.size)) * 100


def raw(answer: Answer) -> torch.Tensor:
    return answer.place


@pytest.fixture(params=families())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_an_unknown_family_is_named():
    with pytest.raises(ModelError, match=r"there are .*retint"):
        family("nonesuch")


@pytest.mark.parametrize("size", SIZES)
def test_colour_has_the_pictures_size(name: str, size: tuple[int, int, int]):
    net = build(name).eval()
    L = picture(net, *size)
    with torch.no_grad():
        ab, confidence = net.predict(L)[:2]
    assert ab.shape == (len(L), 2, *L.shape[2:])
    assert confidence.shape == L.shape
    assert confidence.min() >= 0
    assert confidence.max() <= 1
    assert ab.isfinite().all()


def test_a_mirrored_picture_gets_mirrored_colours():
    net = build("retint").eval()
    L = torch.rand(1, 1, 64, 96) * 100
    with torch.no_grad():
        there, back = net.predict(L)[0], net.predict(L.flip(3))[0].flip(3)
    assert (there - back).abs().max() < 1e-3


def test_every_parameter_gets_a_gradient(name: str):
    net = build(name).train()
    raw(net(picture(net, 2, 64, 64))).logsumexp(1).square().mean().backward()
    without = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


def test_a_batch_of_four_is_overfitted(name: str):
    """One colour a picture, told from the others by its lightness."""
    net = build(name).train()
    random = torch.Generator().manual_seed(1)
    L = torch.rand(4, 1, 32, 32, generator=random) * 20
    L += torch.tensor([5.0, 30.0, 55.0, 80.0])[:, None, None, None]
    colours = torch.tensor([(20.0, 0.0), (-20.0, 20.0), (0.0, -40.0), (40.0, 20.0)])
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    first = wrong = 0.0
    for step in range(150):
        answer = net(L)
        ab = colours[:, :, None, None].expand(4, 2, *answer.place.shape[2:])
        if step in (0, 149):
            wrong = (net.colour(answer)[0] - ab).norm(dim=1).mean().item()
            first = wrong if step == 0 else first
        if answer.logits is None:
            loss = torch.nn.functional.mse_loss(answer.place / 128, ab / 128)
        else:
            weights = torch.ones(net.config.bins)
            near = bins.neighbours(net.centres, 5)
            loss = bins.soft_cross_entropy(answer.logits, ab, net.centres, weights, near, 5.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert wrong < 0.35 * first, (first, wrong)


def test_the_same_seed_gives_the_same_network(name: str):
    one, two, other = (build(name, seed).eval() for seed in (1, 1, 2))
    L = torch.rand(1, 1, 32, 32) * 100
    assert torch.equal(raw(one(L)), raw(two(L)))
    assert not torch.equal(raw(one(L)), raw(other(L)))


def test_saved_and_loaded_is_equal(name: str, tmp_path: Path):
    net = build(name).eval()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    again = build(name, seed=9).eval()
    again.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    L = picture(net, 1, 32, 64)
    assert torch.equal(raw(net(L)), raw(again(L)))


def test_colours_of_another_number_are_refused():
    with pytest.raises(ModelError, match="3 colours for a network of 40"):
        build("retint").set_bins(torch.zeros(3, 2), torch.ones(3))


def test_gain_scales_the_colour(name: str):
    net = build(name).eval()
    answer = net(torch.rand(1, 1, 32, 32) * 100)
    once = net.colour(answer)[0]
    net.config = dataclasses.replace(net.config, gain=2.0)
    assert torch.allclose(net.colour(answer)[0], 2 * once)


def test_basic_has_the_seeds_parameters():
    net = family("basic").Net(family("basic").variants["default"])
    assert sum(p.numel() for p in net.parameters()) == 19_682


def test_subjects_are_named_where_there_are_some():
    config = dataclasses.replace(family("retint").variants["tiny"], subjects=7)
    answer = family("retint").Net(config)(torch.rand(2, 1, 32, 32) * 100)
    assert answer.subject is not None
    assert answer.subject.shape == (2, 7)
    assert build("retint").eval()(torch.rand(1, 1, 32, 32)).subject is None


def test_the_encoders_features_and_its_file(tmp_path: Path):
    torch.manual_seed(0)
    encoder = MobileNetV2().half().float().eval()  # what a file of half precision can hold
    L = torch.rand(1, 1, 64, 96) * 100
    with torch.no_grad():
        features = encoder(L)
    assert [f.shape[1:] for f in features] == [
        (c, 64 // s, 96 // s) for c, s in zip(CHANNELS, (2, 4, 8, 16, 32), strict=True)
    ]
    path = tmp_path / "encoder.safetensors"
    save_file({k: v.half() for k, v in encoder.state_dict().items()}, path)
    again = MobileNetV2().eval()
    again.load(path)
    with torch.no_grad():
        assert torch.equal(again(L)[-1], features[-1])
    save_file({"stem.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="no MobileNetV2"):
        again.load(path)


def test_the_published_encoder_loads(shared: Path):
    encoder = MobileNetV2()
    encoder.load(shared / "backbones" / "mobilenet_v2_imagenet.safetensors")
    assert encoder(torch.rand(1, 1, 64, 64) * 100)[-1].mean() > 0


def test_scales_are_averaged_and_keep_the_size():
    net = build("retint").eval()
    L = torch.rand(1, 1, 64, 96) * 100
    with torch.no_grad():
        once = net.predict(L)[0]
        net.config = dataclasses.replace(net.config, scales=(1.0, 0.667))
        twice = net.predict(L)[0]
    assert once.shape == twice.shape
    assert not torch.allclose(once, twice)


def test_the_prior_pulls_toward_common_colours():
    net = build("retint").eval()
    prior = torch.full((net.config.bins,), 0.5 / net.config.bins)
    prior[0] += 0.5
    net.prior.copy_(prior)
    logits = torch.zeros(1, net.config.bins, 1, 1)
    answer = Answer(logits=logits)
    far = (net.colour(answer)[0][0, :, 0, 0] - net.centres[0]).norm()
    net.config = dataclasses.replace(net.config, prior_weight=1.0)
    ab, confidence = net.colour(answer)
    assert (ab[0, :, 0, 0] - net.centres[0]).norm() <= far
    assert confidence.item() > bins.nearness(logits, ab, net.centres).item()
