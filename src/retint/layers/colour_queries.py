"""Colours as queries: vectors that ask a picture's maps, at several sizes, where each belongs.

Papers: Kang et al. 2023, arXiv:2212.11613, section 3.3; Cheng et al. 2022, arXiv:2112.01527
(queries over maps of several sizes); Carion et al. 2020, arXiv:2005.12872 (places as sines).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Queries (n, q, c) take from values (n, v, c); the sum is normalised.

    place, other: added to the queries, and to the values' keys, to tell where they are.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(channels, 3 * channels)  # to queries, keys and values
        self.out = nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels)
        for linear in (self.project, self.out):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, place: Tensor, values: Tensor, other: Tensor) -> Tensor:
        weights, biases = self.project.weight.chunk(3), self.project.bias.chunk(3)
        query, key, value = (
            F.linear(taken, weight, bias).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for taken, weight, bias in zip(
                (x + place, values + other, values), weights, biases, strict=True
            )
        )
        found = F.scaled_dot_product_attention(query, key, value)
        return self.norm(x + self.out(found.transpose(1, 2).flatten(2)))


class Dense(nn.Module):
    """Two linear layers for each query by itself, added to it; the sum is normalised."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, wide)
        self.linear2 = nn.Linear(wide, channels)
        self.norm = nn.LayerNorm(channels)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.linear2(F.relu(self.linear1(x))))


class ColourQueries(nn.Module):
    """Maps of several sizes, (n, ins[k], h, w), to a vector for each query, (n, queries, outs).

    Each of `layers` attends to one of the maps, in turn, then the queries to each other.
    """

    def __init__(
        self,
        ins: Sequence[int],
        outs: int,
        *,
        queries: int,
        channels: int,
        heads: int,
        wide: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(queries, channels))
        self.place = nn.Parameter(torch.randn(queries, channels))
        self.level = nn.Parameter(torch.randn(len(ins), channels))
        self.project = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in ins)
        self.cross = nn.ModuleList(Attention(channels, heads) for _ in range(layers))
        self.each = nn.ModuleList(Attention(channels, heads) for _ in range(layers))
        self.dense = nn.ModuleList(Dense(channels, wide) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        sizes = (channels, channels, channels, outs)
        self.colour = nn.ModuleList(map(nn.Linear, sizes, sizes[1:]))
        for project in self.project:
            assert isinstance(project, nn.Conv2d)
            assert project.bias is not None
            nn.init.kaiming_uniform_(project.weight, a=1)
            nn.init.zeros_(project.bias)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        seen = [
            (project(x).flatten(2).transpose(1, 2) + level, places(x, len(level)))
            for project, x, level in zip(self.project, maps, self.level, strict=True)
        ]
        x = self.start.expand(maps[0].shape[0], -1, -1)
        for k, (cross, each, dense) in enumerate(
            zip(self.cross, self.each, self.dense, strict=True)
        ):
            values, where = seen[k % len(seen)]
            x = dense(each(y := cross(x, self.place, values, where), self.place, y, self.place))
        x = self.norm(x)
        for linear in self.colour[:-1]:
            x = F.relu(linear(x))
        return self.colour[-1](x)


def places(x: Tensor, channels: int) -> Tensor:
    """Sines and cosines of each place of a map (n, c, h, w): (1, h * w, channels), half of them of
    the row, half of the column, both as shares of the whole."""
    h, w = x.shape[2:]
    rows, columns = (_waves(size, channels // 2, x.device) for size in (h, w))
    return torch.cat((rows[:, None].expand(-1, w, -1), columns[None].expand(h, -1, -1)), 2).flatten(
        0, 1
    )[None]


def _waves(size: int, channels: int, device: torch.device) -> Tensor:
    """Of each of `size` places: (size, channels), sine and cosine in turn, ever slower."""
    share = torch.arange(1, size + 1, device=device).float() / (size + 1e-6)
    slower = 10_000 ** (torch.arange(0, channels, 2, device=device) / channels)
    angle = 2 * math.pi * share[:, None] / slower
    return torch.stack((angle.sin(), angle.cos()), 2).flatten(1)
