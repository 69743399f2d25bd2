"""A distribution over colours: bins on a grid of the ab plane.

Paper: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016 (arXiv:1603.08511), sections
2.1 to 2.3.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retint.color import srgb_to_lab

REACH = 128
"""The greatest a or b that is told apart, Lab units."""


def grid(step: float = 10.0, reach: float = 110.0) -> Tensor:
    """All bin centres on a square grid of the ab plane: (q, 2), Lab units, from -reach to reach."""
    line = torch.arange(-reach, reach + step / 2, step)
    return torch.cartesian_prod(line, line)


def in_gamut(step: float = 10.0) -> Tensor:
    """Bin centres (q, 2) at the corners of those squares of the grid that hold a colour of sRGB, or
    a mixture of such: the paper's 313 for a step of 10, in its order.

    The paper does not say how it chose them; theirs are the points that lie within one step, along
    a and b, of the convex hull of sRGB's colours at all lightnesses.
    """
    levels = np.linspace(0, 1, 17)
    colours = srgb_to_lab(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3))[:, 1:]
    angles = np.linspace(0, 2 * math.pi, 360, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)])  # (2, m), of the hull's tangents
    reach = (colours @ directions).max(0) + step * np.abs(directions).sum(0)
    points = grid(step)
    return points[torch.from_numpy((points.numpy() @ directions < reach).all(1))]


def nearest(ab: Tensor, centres: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Squared distances and indices of the k nearest bins of each colour.

    ab (m, 2) and centres (q, 2) in Lab units; both results (m, k), nearest first.
    """
    distance = (
        (ab * ab).sum(1, keepdim=True) - 2 * ab @ centres.T + (centres * centres).sum(1)
    ).clamp_min(0)
    return distance.topk(k, largest=False)


def histogram(ab: Tensor, centres: Tensor) -> Tensor:
    """Share of the colours `ab` (m, 2) that falls to each of the bins `centres` (q, 2): (q,), sum
    1."""
    index = nearest(ab, centres)[1][:, 0]
    counts = torch.bincount(index, minlength=len(centres)).double()
    return (counts / counts.sum()).float()


def rebalancing(prior: Tensor, mixing: float, strength: float) -> Tensor:
    """Weights of the bins that make rare colours count: (q,), mean 1 under the prior.

    `mixing` is the paper's lambda (share of a uniform distribution mixed into the prior, 0..1);
    `strength` is an exponent on the weights: 1 is the paper's, 0 none.
    """
    weights = ((1 - mixing) * prior + mixing / len(prior)).pow(-strength)
    return weights / (weights * prior).sum()


def neighbours(centres: Tensor, k: int) -> Tensor:
    """The k nearest bins of the colours whose a and b are whole numbers, -128..128: indices (257 *
    257, k), the row of a colour being 257 * (a + 128) + b + 128.

    Made once, and looked up: to search them anew for every pixel takes longer than a loss may.
    """
    side = torch.arange(-REACH, REACH + 1, dtype=centres.dtype, device=centres.device)
    return nearest(torch.cartesian_prod(side, side), centres, k)[1]


def soft_cross_entropy(
    logits: Tensor, ab: Tensor, centres: Tensor, weights: Tensor, near: Tensor, sigma: float
) -> Tensor:
    """Mean over pixels of the weighted cross-entropy against softly encoded colours (equations 2
    and 4).

    logits (n, q, h, w); ab (n, 2, h, w) in Lab units; weights (q,); near: of `neighbours`. Each
    true colour is spread, with a Gaussian of `sigma` Lab units, over those bins that are nearest to
    it once rounded; the weight is that of the nearest bin.
    """
    flat = ab.movedim(1, -1).reshape(-1, 2)
    rounded = flat.round().clamp(-REACH, REACH).long() + REACH
    index = near[rounded[:, 0] * (2 * REACH + 1) + rounded[:, 1]]
    distance = (flat[:, None] - centres[index]).square().sum(2)
    share = torch.softmax(-distance / (2 * sigma * sigma), 1)
    scores = logits.movedim(1, -1).reshape(-1, logits.shape[1])
    picked = torch.log_softmax(scores, 1, dtype=torch.float32).gather(1, index)
    nearest_bin = index.gather(1, distance.argmin(1, keepdim=True))[:, 0]
    return (-(share * picked).sum(1) * weights[nearest_bin]).mean()


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float) -> Tensor:
    """The colour that stands for a distribution: (n, q, h, w) to ab (n, 2, h, w) (equation 5).

    temperature 1 is the mean (safe, brownish), towards 0 the mode (vivid, patchy); the paper takes
    0.38.
    """
    share = torch.softmax(logits / temperature, 1)
    return F.conv2d(share, centres.T[:, :, None, None].to(share.dtype))


def nearness(logits: Tensor, ab: Tensor, centres: Tensor, radius: float = 15.0) -> Tensor:
    """How much of the distribution lies near the colour chosen: (n, 1, h, w), 0..1.

    The mean over the (untempered) distribution of a Gaussian of `radius` Lab units around ab (n,
    2, h, w).
    """
    share = torch.softmax(logits, 1)
    cross = F.conv2d(ab, centres[:, :, None, None])
    distance = (
        (ab * ab).sum(1, keepdim=True) - 2 * cross + (centres * centres).sum(1)[:, None, None]
    )
    return (share * torch.exp(-distance.clamp_min(0) / (2 * radius * radius))).sum(1, keepdim=True)
