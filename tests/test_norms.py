"""Batch norm's statistics: what they are once settled, and how a network learns under them."""

import pytest
import torch
from torch import nn

from retint.layers.norms import settle, settled


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5),
        nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2),
    )  # fmt: skip


def test_settled_statistics_are_those_of_the_places_that_were_shown():
    net = small()
    pictures = [torch.randn(1, 1, 1, 2), torch.randn(2, 1, 5, 3) + 3]
    first, last = settle(net, lambda: [net(x) for x in pictures])
    places = torch.cat([net[0](x).movedim(1, -1).reshape(-1, 4) for x in pictures])
    assert first.running_mean is not None
    assert first.running_var is not None
    assert torch.allclose(first.running_mean, places.mean(0), atol=1e-5)
    assert torch.allclose(first.running_var, places.var(0, correction=0), atol=1e-5)
    assert not any(module.training for module in net.modules())
    assert last.running_mean is not None


def test_one_picture_settled_is_answered_as_in_training_without_dropout():
    net, x = small(), torch.randn(1, 1, 1, 2)
    norms = settle(net, lambda: net(x))
    used = net(x)
    for norm in norms:
        norm.train()
    assert torch.allclose(used, net(x), atol=1e-5)


def test_settled_norms_answer_by_their_statistics_and_learn_by_the_picture():
    net, x, other = small(), torch.randn(1, 1, 6, 6), torch.randn(1, 1, 6, 6) * 4 + 1
    layer, norms = net[0], settle(net, lambda: [net(x), net(other)])
    assert isinstance(layer, nn.Conv2d)
    plain = net(x)
    with settled(norms):
        answer = net(x)
    assert torch.allclose(answer, plain, atol=1e-5)
    # a norm takes out how large the weights before it are: nothing must pull them along that way
    assert along(layer, answer) == pytest.approx(0, abs=1e-3)
    assert along(layer, net(x)) > 0.1  # where the statistics are constants it would


def along(layer: nn.Conv2d, answer: torch.Tensor) -> float:
    """How strongly a loss pulls at the length of a layer's weights, of any of its channels."""
    assert layer.bias is not None
    layer.zero_grad()
    answer.square().sum().backward()
    pulls = torch.zeros(layer.out_channels)
    for weight in (layer.weight, layer.bias):
        assert weight.grad is not None
        pulls += (weight.grad * weight.detach()).reshape(layer.out_channels, -1).sum(1)
    return float(pulls.abs().max())
