"""Hints: true colours, in as many places as the recipe says."""

import torch

from retint.train.hints import draw
from retint.train.recipe import Hints

AB = torch.randn(200, 2, 32, 48, generator=torch.Generator().manual_seed(0)) * 30


def drawn(**settings: float) -> torch.Tensor:
    return draw(AB, Hints(**settings), torch.Generator().manual_seed(1))  # type: ignore[arg-type]


def test_most_pictures_have_none():
    empty = (drawn().flatten(1) == 0).all(1).float().mean()
    assert 0.6 < empty < 0.8
    assert not drawn(none=1.0, everything=0.0).any()


def test_everything_is_the_truth():
    hints = drawn(none=0.0, everything=1.0)
    assert torch.equal(hints[:, :2], AB)
    assert (hints[:, 2] == 1).all()


def test_points_of_one_pixel_show_its_colour_and_nothing_else_is_shown():
    hints = drawn(none=0.0, everything=0.0, largest=1)
    shown = hints[:, 2] == 1
    assert torch.equal(hints[:, :2].movedim(1, -1)[shown], AB.movedim(1, -1)[shown])
    assert not hints[:, :2].movedim(1, -1)[~shown].any()
    points = shown.flatten(1).sum(1).float()
    assert points.min() >= 1
    assert 6 < points.mean() < 10


def test_larger_points_show_the_mean():
    hints = drawn(none=0.0, everything=0.0, mean=1.0001, largest=9)
    for hint, ab in zip(hints, AB, strict=True):
        shown = hint[2] == 1
        assert torch.allclose(hint[:2, shown].mean(1), ab[:, shown].mean(1), atol=1e-4)


def test_hints_can_be_repeated():
    assert torch.equal(drawn(), drawn())
