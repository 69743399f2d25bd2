"""ResNet: an encoder of five sizes.

Paper: He et al. 2016, arXiv:1512.03385, with the stride of a bottleneck in its 3x3 convolution, as
in the weights of torchvision and timm, whose names these are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import weights


class Basic(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, ins: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(ins, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(ins, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, beside a shortcut."""

    expansion = 4

    def __init__(self, ins: int, channels: int, stride: int) -> None:
        super().__init__()
        outs = channels * self.expansion
        self.conv1 = nn.Conv2d(ins, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outs)
        self.downsample = _shortcut(ins, outs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _shortcut(ins: int, outs: int, stride: int) -> nn.Module:
    if ins == outs and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(ins, outs, 1, stride, bias=False), nn.BatchNorm2d(outs))


class ResNet(nn.Module):
    """ImageNet's units (n, 3, h, w), h and w multiples of 32, to five maps at strides 2, 4, 8, 16
    and 32 of `channels`.

    depths: blocks of the last four of them. width: channels of the first.
    """

    def __init__(
        self, block: Literal["basic", "bottleneck"], depths: Sequence[int], width: int = 64
    ) -> None:
        super().__init__()
        kind = Basic if block == "basic" else Bottleneck
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.channels = [width]
        for k, depth in enumerate(depths):
            blocks: list[nn.Module] = []
            for first in (True, *[False] * (depth - 1)):
                ins = self.channels[-1] if first else width * 2**k * kind.expansion
                blocks.append(kind(ins, width * 2**k, 2 if first and k else 1))
            self.add_module(f"layer{k + 1}", nn.Sequential(*blocks))
            self.channels.append(width * 2**k * kind.expansion)
        for module in self.modules():  # from scratch: He et al. 2015, arXiv:1502.01852
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def load(self, path: Path) -> None:
        """Weights from a file of the same ResNet's, whose classifier is left aside; InputError
        where it is another network."""
        weights.load(self, weights.read(path), path, "ResNet of this depth")

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [F.relu(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(found[0], 3, 2, 1)
        for k in range(1, len(self.channels)):
            x = self.get_submodule(f"layer{k}")(x)
            found.append(x)
        return found
