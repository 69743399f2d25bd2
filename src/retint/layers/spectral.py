"""Convolutions whose weights are kept to a scale, and self-attention made of them.

Papers: Miyato et al. 2018, arXiv:1802.05957 (spectral norm); Zhang et al. 2018, arXiv:1805.08318
(self-attention with it); Salimans & Kingma 2016, arXiv:1602.07868 (weight norm).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIRST = 15  # steps of the power iteration before the first picture


class SpectralConv2d(nn.Conv2d):
    """A convolution by its weight over that weight's largest singular value.

    The singular vectors that belong to it, `weight_u` and `weight_v`, follow the weight by one step
    of the power iteration each time the layer is trained.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, ins: int, outs: int, kernel: int, **kwargs: Any) -> None:
        super().__init__(ins, outs, kernel, **kwargs)
        nn.init.kaiming_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        matrix = self.weight.flatten(1)
        self.register_buffer("weight_u", F.normalize(torch.randn(matrix.shape[0]), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.randn(matrix.shape[1]), dim=0))
        self.settle()

    def settle(self) -> None:
        """Find the vectors of the weight as it is."""
        for _ in range(FIRST):
            self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        matrix = self.weight.flatten(1)
        self.weight_v.copy_(F.normalize(matrix.T @ self.weight_u, dim=0))
        self.weight_u.copy_(F.normalize(matrix @ self.weight_v, dim=0))

    def largest(self) -> Tensor:
        """The weight's largest singular value, a scalar.

        The vectors are brought to unit length, which they do not have where they are averages.
        Products are written out, since `torch.autocast` would take those of matrices in bfloat16;
        an error of the vectors themselves counts only squared.
        """
        if self.training:
            self._follow()
        u, v = F.normalize(self.weight_u, dim=0), F.normalize(self.weight_v, dim=0)
        return ((self.weight.flatten(1) * v).sum(1) * u).sum()

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight / self.largest(), self.bias)


class WeightNormConv2d(nn.Conv2d):
    """A convolution whose weight has a direction, `weight`, and a length, `weight_g`, for each
    channel that comes out."""

    def __init__(self, ins: int, outs: int, kernel: int, **kwargs: Any) -> None:
        super().__init__(ins, outs, kernel, **kwargs)
        nn.init.kaiming_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.weight_g = nn.Parameter(torch.empty(outs, 1, 1, 1))
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """Take the lengths of the weight as it is."""
        self.weight_g.copy_(self._lengths())

    def _lengths(self) -> Tensor:
        return self.weight.square().sum((1, 2, 3), keepdim=True).sqrt()

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight * (self.weight_g / self._lengths())
        return self._conv_forward(input, weight, self.bias)


class SpectralAttention(nn.Module):
    """What a map (n, c, h, w) attends to in itself, times `amount`, added to it.

    amount: at the start; the paper's is 0, so that it is learned bit by bit.
    """

    def __init__(self, channels: int, amount: float = 0.0) -> None:
        super().__init__()
        few = max(1, channels // 8)
        self.query = SpectralConv2d(channels, few, 1, bias=False)
        self.key = SpectralConv2d(channels, few, 1, bias=False)
        self.value = SpectralConv2d(channels, channels, 1, bias=False)
        self.amount = nn.Parameter(torch.full((1,), amount))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            f(x).flatten(2).transpose(1, 2) for f in (self.query, self.key, self.value)
        )
        # the paper's softmax is over the queries: each key gathers the values of those
        found = F.scaled_dot_product_attention(key, query, value, scale=1.0)
        return x + self.amount * found.transpose(1, 2).reshape(x.shape)
