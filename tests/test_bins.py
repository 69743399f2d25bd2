"""The distribution over ab bins, against the formulas written out plainly."""

import dataclasses

import numpy as np
import torch

from retint.layers import bins
from retint.layers.answer import Answer
from retint.layers.lab import spread
from retint.models import family

CENTRES = bins.grid(20.0, 60.0)


def test_histogram_counts_the_nearest_bin():
    ab = torch.tensor([[1.0, -2.0], [0.0, 3.0], [58.0, 61.0]])
    share = bins.histogram(ab, CENTRES)
    assert torch.isclose(share.sum(), torch.tensor(1.0))
    nearest = {tuple(CENTRES[i].tolist()): share[i].item() for i in share.nonzero()[:, 0]}
    assert nearest.keys() == {(0.0, 0.0), (60.0, 60.0)}
    assert abs(nearest[0.0, 0.0] - 2 / 3) < 1e-6


def test_rebalancing_has_mean_one_and_favours_the_rare():
    prior = torch.tensor([0.9, 0.09, 0.01])
    for strength in (0.0, 0.5, 1.0):
        weights = bins.rebalancing(prior, 0.5, strength)
        assert torch.isclose((weights * prior).sum(), torch.tensor(1.0))
        assert (weights.diff() >= 0).all()
    assert torch.equal(bins.rebalancing(prior, 0.5, 0.0), torch.ones(3))


def test_soft_cross_entropy_is_the_papers_sum():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, len(CENTRES), 3, 5, generator=random)
    ab = torch.randn(2, 2, 3, 5, generator=random) * 25
    weights = torch.rand(len(CENTRES), generator=random) + 0.5
    expected = 0.0
    for n in range(2):
        for y in range(3):
            for x in range(5):
                squared = ((CENTRES - ab[n, :, y, x]) ** 2).sum(1)
                five = squared.argsort()[:5]
                z = torch.exp(-squared[five] / (2 * 5.0**2))
                z = z / z.sum()
                said = torch.log_softmax(logits[n, :, y, x], 0)[five]
                expected -= (weights[five[0]] * (z * said).sum()).item() / 30
    got = bins.soft_cross_entropy(logits, ab, CENTRES, weights, bins.neighbours(CENTRES, 5), 5.0)
    assert abs(got.item() - expected) < 1e-4


def test_annealed_mean_goes_from_the_mean_to_the_mode():
    logits = torch.log(torch.tensor([0.7, 0.3]))[None, :, None, None]
    two = torch.tensor([[40.0, 0.0], [-40.0, 20.0]])
    mean = bins.annealed_mean(logits, two, 1.0)[0, :, 0, 0]
    assert torch.allclose(mean, torch.tensor([16.0, 6.0]), atol=1e-4)
    mode = bins.annealed_mean(logits, two, 0.01)[0, :, 0, 0]
    assert torch.allclose(mode, two[0], atol=1e-3)


def test_confidence_is_high_where_the_distribution_agrees():
    sure = torch.full((1, len(CENTRES), 1, 1), -20.0)
    sure[:, 7] = 20.0
    unsure = torch.zeros_like(sure)
    for logits, low, high in ((sure, 0.99, 1.0), (unsure, 0.0, 0.2)):
        ab = bins.annealed_mean(logits, CENTRES, 0.38)
        assert low <= bins.nearness(logits, ab, CENTRES).item() <= high


def coloured(chroma: float, hue: float = 0.6) -> torch.Tensor:
    """A picture (2, 4, 6) whose chroma runs from none to twice as much, in one hue."""
    way = torch.tensor([np.cos(hue), np.sin(hue)], dtype=torch.float32)
    return way[:, None, None] * torch.linspace(0, 2 * chroma, 24).reshape(4, 6)


def test_spread_by_nothing_changes_nothing():
    ab = torch.stack([coloured(5.0), coloured(40.0)])
    assert torch.allclose(spread(ab, 1.0, 0.0), ab, atol=1e-3)


def test_contrast_is_an_exponent_on_chroma_and_leaves_the_hue():
    ab = torch.stack([coloured(5.0), coloured(40.0)])
    found = spread(ab, 1.5, 0.0)
    expected = 20 * (ab.norm(dim=1) / 20) ** 1.5
    assert torch.allclose(found.norm(dim=1), expected, atol=1e-3)
    assert torch.allclose(found[:, 0] * ab[:, 1], found[:, 1] * ab[:, 0], atol=1e-2)


def test_evening_draws_pictures_together_each_by_its_own_mean():
    ab = torch.stack([coloured(5.0), coloured(40.0)])
    means = spread(ab, 1.0, 1.0).norm(dim=1).mean((1, 2))
    assert torch.allclose(means, torch.tensor([10.0, 10.0]), rtol=1e-3)
    half = spread(ab, 1.0, 0.5).norm(dim=1).mean((1, 2))
    assert torch.allclose(half[1] / half[0], torch.tensor(8.0).sqrt(), rtol=1e-3)
    alone = spread(ab[1:], 1.5, 0.4)
    assert torch.equal(spread(ab, 1.5, 0.4)[1:], alone)


def test_a_grey_picture_stays_grey_and_has_gradients():
    ab = torch.zeros(1, 2, 3, 3, requires_grad=True)
    found = spread(ab, 1.5, 0.4)
    assert found.abs().max() == 0
    (slope,) = torch.autograd.grad(found.sum(), ab)
    assert torch.isfinite(slope).all()


def test_a_classifier_spreads_its_colours_as_configured():
    module = family("retint")
    torch.manual_seed(0)
    net = module.Net(module.variants["tiny"]).eval()
    net.set_bins(bins.grid(20.0, 60.0)[:40], torch.full((40,), 1 / 40))
    answer = Answer(logits=torch.randn(2, 40, 6, 8) * 3)
    plain, sure = net.colour(answer)
    net.config = dataclasses.replace(net.config, contrast=1.5, evening=0.4, gain=1.3)
    found, as_sure = net.colour(answer)
    assert torch.allclose(found, 1.3 * spread(plain, 1.5, 0.4), atol=1e-4)
    assert torch.equal(sure, as_sure)
