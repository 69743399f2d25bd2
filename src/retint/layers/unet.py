"""A U-Net: a path down, a path up, and a bridge from each size on the one to it on the other.

Paper: Ronneberger, Fischer, Brox 2015, arXiv:1505.04597; with batch norm, and padded so that the
answer has the picture's size.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """(n, c, h, w) to (n, channels[0], h, w), for heights and widths that are multiples of
    2 ** (len(channels) - 1).

    channels: at strides 1, 2, 4, ... middle: what is done with the smallest maps, before the way
    up.
    """

    def __init__(self, ins: int, channels: Sequence[int], middle: nn.Module) -> None:
        super().__init__()
        wide = [ins, *channels]
        self.down = nn.ModuleList(map(pair, wide, channels))
        self.middle = middle
        smaller = list(channels[::-1])
        self.narrow = nn.ModuleList(map(mix, smaller, smaller[1:]))
        self.up = nn.ModuleList(pair(2 * c, c) for c in smaller[1:])

    def forward(self, x: Tensor) -> Tensor:
        bridges: list[Tensor] = []
        for stage in self.down:
            x = stage(F.max_pool2d(x, 2) if bridges else x)
            bridges.append(x)
        x = self.middle(bridges.pop())
        for narrow, stage in zip(self.narrow, self.up, strict=True):
            x = narrow(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = stage(torch.cat((bridges.pop(), x), 1))
        return x


def pair(ins: int, outs: int) -> nn.Sequential:
    """Two convolutions of one size."""
    return nn.Sequential(mix(ins, outs), mix(outs, outs))


def mix(ins: int, outs: int) -> nn.Sequential:
    """A 3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(ins, outs, 3, padding=1, bias=False), nn.BatchNorm2d(outs), nn.ReLU()
    )
