"""The terms of a loss: right answers are better than wrong ones, and each can be learned from."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from retint.errors import InputError, OptionsError
from retint.layers import bins
from retint.layers.answer import Answer
from retint.layers.lab import from_linear, grey, lab, to_linear
from retint.layers.patch_critic import PatchCritic
from retint.layers.vgg import VGG16Stages, distance
from retint.models import family
from retint.train import checkpoint
from retint.train.processes import Alone
from retint.train.recipe import Critic, Distillation, Perceptual, Recipe, Regression, Subject
from retint.train.tasks import Circumstances, Truth, terms


def truth(n: int = 2, size: int = 32) -> Truth:
    random = torch.Generator().manual_seed(0)
    scene = nn.functional.interpolate(torch.rand(n, 3, 8, 8, generator=random), size=(size, size))
    return Truth(lab(scene)[:, :1], scene, torch.tensor([0, -1][:n]))


def basic() -> Any:
    torch.manual_seed(0)
    return family("basic").Net(family("basic").variants["tiny"])


def classifying(subjects: int = 3) -> Any:
    torch.manual_seed(0)
    module = family("retint")
    config = module.Config(bins=40, bottleneck=16, decoder=(16, 12, 8), subjects=subjects)
    net = module.Net(config)
    centres = bins.grid(20.0, 80.0)
    net.set_bins(centres[centres.norm(dim=1).argsort()[:40]], torch.full((40,), 1 / 40))
    return net


def made(name: str, net: Any, *, folder: Path | None = None, **settings: Any) -> Any:
    recipe = Recipe("test", **settings)
    given = Circumstances(recipe, net, folder, ["cat", "dog", "tree"], "cpu", Alone().spread)
    return terms({name: 1.0}, given)[name]


def test_the_truth_is_averaged_in_linear_light():
    t = truth()
    small = t.ab(torch.empty(1, 1, 8, 8))
    mean = lab(nn.functional.avg_pool2d(t.scene, 4))[:, 1:]
    assert torch.allclose(small, mean)
    assert t.ab().shape == (2, 2, 32, 32)


@pytest.mark.parametrize("name", ["mse", "l1", "huber"])
def test_regression_is_the_formula(name: str):
    t = truth()
    off = Answer(ab=t.ab() + torch.tensor([64.0, 0.0])[:, None, None])
    assert made(name, basic())(None, Answer(ab=t.ab()), t).item() == 0
    expected = {"mse": 0.125, "l1": 0.25, "huber": 0.0625}[name]
    assert made(name, basic())(None, off, t).item() == pytest.approx(expected)
    raw = made(name, basic(), regression=Regression(unit=1.0))
    expected = {"mse": 2048.0, "l1": 32.0, "huber": 31.75}[name]
    assert raw(None, off, t).item() == pytest.approx(expected)
    with pytest.raises(OptionsError, match="no ab to regress"):
        made(name, basic())(None, Answer(logits=torch.zeros(1, 4, 2, 2)), t)


def test_regression_behind_blurs_is_kinder_to_what_blurs_away():
    t = truth()
    spot = torch.zeros(2, 2, 32, 32)
    spot[:, :, 16, 16] = 128.0
    off = Answer(ab=t.ab() + spot)
    plain, blurred = (
        made("mse", basic(), regression=Regression(blur=blur))(None, off, t).item()
        for blur in ((), (3, 5))
    )
    one = 1 / (32 * 32)  # the spot alone; then the squares of 1-2-1 and 1-4-6-4-1
    assert plain == pytest.approx(one)
    assert blurred == pytest.approx(one * (1 + (6 / 16) ** 2 + (70 / 256) ** 2) / 3, rel=1e-4)
    with pytest.raises(OptionsError, match="odd"):
        Recipe("test", regression=Regression(blur=(4,)))


def test_rgb_is_of_the_whole_picture():
    t, term = truth(), made("rgb", basic())
    seen = from_linear(t.scene)
    assert term(None, Answer(rgb=seen), t).item() == 0
    assert term(None, Answer(rgb=1 - seen), t).item() == pytest.approx(
        (1 - 2 * seen).square().mean().item(), rel=1e-4
    )
    with pytest.raises(OptionsError, match="no RGB"):
        term(None, Answer(ab=t.ab()), t)


def test_bins_prefer_the_true_colour():
    net, t = classifying(), truth()
    term = made("bins", net)
    ab = t.ab(torch.empty(1, 1, 8, 8)).movedim(1, -1).reshape(-1, 2)
    index = bins.nearest(ab, net.centres)[1].reshape(2, 8, 8)
    right = nn.functional.one_hot(index, 40).permute(0, 3, 1, 2).float() * 9
    assert term(net, Answer(logits=right), t) < term(net, Answer(logits=right.roll(7, 1)), t)
    with pytest.raises(OptionsError, match="no bins"):
        made("bins", basic())


def test_the_critic_judges_patches_of_70_pixels():
    critic = PatchCritic(8, norm=False)
    x = torch.zeros(1, 3, 256, 256, requires_grad=True)
    out = critic(x)
    assert out.shape == (1, 1, 30, 30)
    out[0, 0, 15, 15].backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0).nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [70, 70]


@pytest.mark.parametrize("name", ["adversarial", "wgan"])
def test_a_critic_learns_to_tell_and_the_network_to_be_told(name: str):
    net, t = basic(), truth(2, 64)
    term = made(name, net, critic=Critic(channels=8, depth=2, rate=2e-3, turns=2))
    before = term(net, net(t.L), t).item()
    for _ in range(12):
        term.learn(net, net(t.L), t)
    answer = net(t.L)
    loss = term(net, answer, t)
    assert loss.item() > before  # the guessed colours are found out
    critics = [p.clone() for p in term.critic.parameters()]
    net.zero_grad()
    term.critic.zero_grad()
    loss.backward()
    assert net.last.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in term.critic.parameters())
    assert all(torch.equal(a, b) for a, b in zip(critics, term.critic.parameters(), strict=True))


def test_the_critics_memory_is_in_the_state():
    net, t = basic(), truth(2, 64)
    one, two = (made("adversarial", net, critic=Critic(channels=8, depth=2)) for _ in "ab")
    one.learn(net, net(t.L), t)
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    for term in (one, two):
        term.learn(net, net(t.L), t)
    for a, b in zip(one.critic.parameters(), two.critic.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_gradient_penalty_is_zero_for_slope_one():
    """A critic that is ab's mean times the right factor has a gradient of length 1 everywhere."""
    net, t = basic(), truth(2, 8)
    term = made("wgan", net)

    class Slope(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, 1:].sum((1, 2, 3), keepdim=True) / (2 * 8 * 8) ** 0.5

    term._spread = [Slope()]
    true = t.ab()
    assert term.difference(t.L, true, true, 0).item() == pytest.approx(0, abs=1e-4)


def test_features_tell_colours_apart(tmp_path: Path):
    torch.manual_seed(0)
    vgg = VGG16Stages()
    assert [f.shape[1:] for f in vgg(torch.rand(1, 3, 32, 32))] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
    ]
    save_file(vgg.state_dict(), tmp_path / "vgg16_conv1-3.safetensors")
    net, t = basic(), truth()
    term = made("perceptual", net, folder=tmp_path)
    assert term(net, Answer(ab=t.ab()), t).item() == pytest.approx(0, abs=1e-3)
    guess = t.ab().mul(0.5).requires_grad_()
    loss = term(net, Answer(ab=guess), t)
    assert loss > 0.01
    loss.backward()
    assert guess.grad is not None
    assert guess.grad.abs().sum() > 0
    assert not term.state_dict()  # the features are no part of a checkpoint
    with pytest.raises(OptionsError, match="--backbones"):
        made("perceptual", net, folder=tmp_path / "gone")
    save_file({"x": torch.zeros(1)}, tmp_path / "vgg16_conv1-3.safetensors")
    with pytest.raises(InputError, match="no VGG-16"):
        made("perceptual", net, folder=tmp_path)


def test_the_published_features_are_sane(shared: Path):
    vgg = VGG16Stages()
    vgg.load(shared / "backbones" / "vgg16_conv1-3.safetensors")
    rgb = truth(2, 64).scene
    assert distance(vgg(rgb), vgg(rgb)) == 0
    assert distance(vgg(rgb), vgg(rgb.mean(1, keepdim=True).expand_as(rgb))) > 0.05


def kept(path: Path, net: Any, classes: list[str]) -> Path:
    config = dict(vars(net.config))
    state = {"recipe": {"family": "retint"}, "config": config, "ema": net.state_dict()}
    checkpoint.save(path, state | {"classes": classes})
    return path


def test_features_of_an_own_network(tmp_path: Path):
    net, t = basic(), truth(2, 64)
    kept(tmp_path / "own.pt", classifying(), [])
    term = made("perceptual", net, folder=tmp_path, perceptual=Perceptual("own.pt"))
    assert term(net, Answer(ab=t.ab()), t) < term(net, Answer(ab=t.ab().flip(1)), t)


def test_an_encoder_follows_what_another_sees_in_colour(tmp_path: Path):
    net, t = classifying().eval(), truth(2, 64)
    colourless = Truth(t.L, to_linear(grey(t.L)).expand(-1, 3, -1, -1), t.subjects)
    save_file(net.encoder.state_dict(), tmp_path / "mobilenet_v2_imagenet.safetensors")
    term = made("distillation", net, folder=tmp_path)
    answer = net(t.L)
    seen, in_colour = term(net, answer, colourless), term(net, answer, t)
    assert seen < 0.05  # L* is not quite the grey of sRGB
    assert seen < 0.5 * in_colour
    in_colour.backward()
    assert net.encoder.head.weight.grad.abs().sum() > 0
    assert not term.state_dict()  # the teacher is no part of a checkpoint
    large = made("distillation", net, folder=tmp_path, distillation=Distillation(scale=2.0))
    assert large.wanted(t).shape[2:] == (4, 4)
    assert 0 < large(net, answer, t) < 2
    with pytest.raises(OptionsError, match="--backbones"):
        made("distillation", net, folder=tmp_path / "gone")
    with pytest.raises(OptionsError, match="shows no features"):
        term(net, Answer(ab=t.ab()), t)
    with pytest.raises(OptionsError, match="8 features"):
        term(net, Answer(features=torch.zeros(2, 8, 2, 2)), t)


def test_subjects_count_only_where_they_are_known():
    net, t = classifying(), truth()
    term = made("subject", net)
    right = torch.tensor([[9.0, 0, 0], [0, 0, 0]])
    assert term(net, Answer(subject=right), t) < 0.01
    assert term(net, Answer(subject=-right), t) > 1
    with pytest.raises(OptionsError, match="names no subjects"):
        term(net, Answer(ab=t.ab()), t)


def test_a_teachers_distribution_is_learned(tmp_path: Path):
    net, t = classifying().eval(), truth(2, 64)
    path = kept(tmp_path / "teacher.pt", net, ["cat", "dog", "tree"])
    term = made("distribution", net, subject=Subject(teacher=str(path)))
    with torch.no_grad():
        answer = net(t.L)
    assert term(net, answer, t).item() == pytest.approx(0, abs=1e-5)
    other = Answer(subject=answer.subject + torch.tensor([2.0, 0, 0]))
    assert term(net, other, t) > 0.05
    with pytest.raises(OptionsError, match=r"subject\.teacher"):
        made("distribution", net)
    kept(path, net, ["one", "two", "three"])
    with pytest.raises(OptionsError, match="other subjects"):
        made("distribution", net, subject=Subject(teacher=str(path)))
