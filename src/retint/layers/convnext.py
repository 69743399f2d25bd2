"""ConvNeXt: an encoder of four sizes.

Paper: Liu et al. 2022, arXiv:2201.03545. Names of the weights are the authors'
(facebookresearch/ConvNeXt); files with timm's are read too.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import weights
from retint.layers.renaming import renamed

FROM_TIMM = (
    (r"^stem\.", "downsample_layers.0."),
    (r"^stages\.(\d+)\.downsample\.", r"downsample_layers.\1."),
    (r"^stages\.(\d+)\.blocks\.", r"stages.\1."),
    (r"\.conv_dw\.", ".dwconv."),
    (r"\.mlp\.fc(\d)\.", r".pwconv\1."),
)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each place of a map (n, c, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A 7x7 filter for each channel by itself, a small network at each place, added to its input.

    gamma: how much that counts, for each channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """ImageNet's units (n, 3, h, w), h and w multiples of 32, to maps at strides 4, 8, 16 and 32.

    depths, channels: of the four stages.
    """

    def __init__(self, depths: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        first = nn.Sequential(nn.Conv2d(3, channels[0], 4, 4), ChannelNorm(channels[0]))
        halvings = [
            nn.Sequential(ChannelNorm(ins), nn.Conv2d(ins, outs, 2, 2))
            for ins, outs in pairwise(channels)
        ]
        self.downsample_layers = nn.ModuleList([first, *halvings])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(wide) for _ in range(depth)))
            for depth, wide in zip(depths, channels, strict=True)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def load(self, path: Path) -> None:
        """Weights from a file of the same ConvNeXt's, under its authors' names or timm's; the
        classifier is left aside. InputError where it is another network."""
        state = renamed(weights.read(path), FROM_TIMM)
        weights.load(self, state, path, "ConvNeXt of this size")

    def forward(self, x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        for smaller, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(smaller(x))
            found.append(x)
        return found
