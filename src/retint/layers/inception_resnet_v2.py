"""Inception-ResNet-v2: what a picture shows, as the scores of ImageNet's 1000 classes.

Paper: Szegedy et al. 2017, arXiv:1602.07261, figures 3 and 16 to 20 with the filter counts of the
authors' own published network. Names of the weights are those of its ports to torch, in the
packages timm and pretrainedmodels.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import weights

CLASSES = 1000


class Convolution(nn.Module):
    """A convolution, batch norm and ReLU; padded to keep the size unless it is told not to be."""

    def __init__(
        self,
        ins: int,
        outs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        *,
        valid: bool = False,
    ) -> None:
        super().__init__()
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if valid or stride > 1 else (high // 2, wide // 2)
        self.conv = nn.Conv2d(ins, outs, (high, wide), stride, padding, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        self.bn = nn.BatchNorm2d(outs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side, their maps one after the other."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = len(branches)
        for k, branch in enumerate(branches):
            self.add_module(f"branch{k}", branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.get_submodule(f"branch{k}")(x) for k in range(self.branches)], 1)


class Residual(Mixed):
    """Branches whose maps, mixed and made small by `scale`, are added to what came in."""

    def __init__(
        self, channels: int, wide: int, *branches: nn.Module, scale: float, relu: bool = True
    ) -> None:
        super().__init__(*branches)
        self.conv2d = nn.Conv2d(wide, channels, 1)
        self.scale, self.relu = scale, relu

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.scale * self.conv2d(super().forward(x))
        return F.relu(x) if self.relu else x


class InceptionResNetV2(nn.Module):
    """L* (n, 1, h, w), 0..100, to scores before the softmax (n, classes).

    side: the picture is scaled to a square of so many pixels, at least 75. width: factor on all
    channels (4 at least). repeats: residual blocks of each of the three kinds; after the last comes
    one more.
    """

    def __init__(
        self,
        classes: int = CLASSES,
        *,
        side: int = 299,
        width: float = 1.0,
        repeats: tuple[int, int, int] = (10, 20, 9),
    ) -> None:
        super().__init__()
        self.side, self.channels = side, classes

        def c(channels: int) -> int:
            return max(4, round(channels * width))

        def chain(ins: int, *plan: tuple[Any, ...]) -> nn.Module:
            """Convolutions in a row: channels, kernel, stride of each; one alone has no number."""
            row: list[nn.Module] = []
            for outs, *how in plan:
                row.append(Convolution(ins, c(outs), *how))
                ins = c(outs)
            return row[0] if len(row) == 1 else nn.Sequential(*row)

        def block35() -> nn.Module:
            a = chain(at35, (32, 1))
            b = chain(at35, (32, 1), (32, 3))
            d = chain(at35, (32, 1), (48, 3), (64, 3))
            return Residual(at35, 2 * c(32) + c(64), a, b, d, scale=0.17)

        def block17() -> nn.Module:
            a = chain(at17, (192, 1))
            b = chain(at17, (128, 1), (160, (1, 7)), (192, (7, 1)))
            return Residual(at17, 2 * c(192), a, b, scale=0.10)

        def block8(*, relu: bool = True) -> nn.Module:
            a = chain(at8, (192, 1))
            b = chain(at8, (192, 1), (224, (1, 3)), (256, (3, 1)))
            scale = 0.20 if relu else 1.0
            return Residual(at8, c(192) + c(256), a, b, scale=scale, relu=relu)

        stem = c(192)
        at35 = c(96) + c(64) + c(96) + c(64)  # channels of the maps of 35 pixels a side
        at17 = 2 * c(384) + at35
        at8 = c(384) + c(288) + c(320) + at17
        self.conv2d_1a = Convolution(3, c(32), 3, 2)
        self.conv2d_2a = Convolution(c(32), c(32), 3, valid=True)
        self.conv2d_2b = Convolution(c(32), c(64), 3)
        self.conv2d_3b = Convolution(c(64), c(80), 1)
        self.conv2d_4a = Convolution(c(80), stem, 3, valid=True)
        mean = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.mixed_5b = Mixed(
            chain(stem, (96, 1)),
            chain(stem, (48, 1), (64, 5)),
            chain(stem, (64, 1), (96, 3), (96, 3)),
            nn.Sequential(mean, Convolution(stem, c(64), 1)),
        )
        few, many, last = repeats
        self.repeat = nn.Sequential(*(block35() for _ in range(few)))
        self.mixed_6a = Mixed(
            chain(at35, (384, 3, 2)),
            chain(at35, (256, 1), (256, 3), (384, 3, 2)),
            nn.MaxPool2d(3, 2),
        )
        self.repeat_1 = nn.Sequential(*(block17() for _ in range(many)))
        self.mixed_7a = Mixed(
            chain(at17, (256, 1), (384, 3, 2)),
            chain(at17, (256, 1), (288, 3, 2)),
            chain(at17, (256, 1), (288, 3), (320, 3, 2)),
            nn.MaxPool2d(3, 2),
        )
        self.repeat_2 = nn.Sequential(*(block8() for _ in range(last)))
        self.block8 = block8(relu=False)
        self.conv2d_7b = Convolution(at8, c(1536), 1)
        self.classif = nn.Linear(c(1536), classes)

    def load(self, path: Path) -> None:
        """Published weights, as timm's (head `classif`, 1000 classes) or pretrainedmodels' (head
        `last_linear`, 1001: a class of what is none of them comes first).

        InputError where the file is another network.
        """
        state = weights.read(path)
        for kind in ("weight", "bias"):
            if (head := state.pop(f"last_linear.{kind}", None)) is not None:
                state[f"classif.{kind}"] = head[1:] if len(head) == CLASSES + 1 else head
        weights.load(self, state, path, "Inception-ResNet-v2")

    def forward(self, L: Tensor) -> Tensor:
        x = F.interpolate(L, size=(self.side, self.side), mode="bilinear", align_corners=False)
        x = (x / 50 - 1).expand(-1, 3, -1, -1)  # grey as R = G = B in -1..1
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        x = self.conv2d_4a(self.conv2d_3b(F.max_pool2d(x, 3, 2)))
        x = self.repeat(self.mixed_5b(F.max_pool2d(x, 3, 2)))
        x = self.repeat_1(self.mixed_6a(x))
        x = self.block8(self.repeat_2(self.mixed_7a(x)))
        return self.classif(self.conv2d_7b(x).mean((2, 3)))
