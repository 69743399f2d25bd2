"""MobileNetV2 as an encoder of luminance.

Paper: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018
(arXiv:1801.04381).
The batch normalisation of the published weights is folded into the convolutions, which are trained
as they are.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from retint.errors import InputError

# (expansion, channels, repeats, stride of the first repeat), table 2 of the paper
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM = 32  # channels of the first convolution
TAPS = (0, 2, 5, 12)  # blocks whose outputs are the features at strides 2, 4, 8 and 16
CHANNELS = (16, 24, 32, 96, 1280)  # of the features at strides 2, 4, 8, 16 and 32


def halving(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Convolve 3x3 with a stride of 2, padded as TensorFlow's SAME has it: at the end alone."""
    x = F.pad(x, (0, 1, 0, 1))
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        # where they are strided, bf16 takes the CPU 2 to 10 times as long as fp32
        with torch.autocast("cpu", enabled=False):
            return convolution(x.float()).to(torch.get_autocast_dtype("cpu"))
    return convolution(x)


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project; added to its input where the shapes agree."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        if expansion != 1:
            self.expand = nn.Conv2d(channels, wide, 1)
        self.dw = nn.Conv2d(wide, wide, 3, stride, padding=2 - stride, groups=wide)
        self.project = nn.Conv2d(wide, out, 1)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if hasattr(self, "expand") else x
        y = halving(y, self.dw) if self.dw.stride == (2, 2) else self.dw(y)
        y = self.project(F.relu6(y))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Features of a grey picture at five scales.

    In: L* (n, 1, h, w), 0..100, h and w multiples of 32; and what is added to the first
    convolution's result, (n, 32, h/2, w/2), if anything is.
    Out: five tensors (n, c, h/s, w/s) for s = 2, 4, 8, 16, 32 with c of `CHANNELS`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 3, 2)
        blocks: list[nn.Module] = []
        channels = STEM
        for expansion, out, repeats, stride in STAGES:
            for k in range(repeats):
                blocks.append(InvertedResidual(channels, out, stride if k == 0 else 1, expansion))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Conv2d(channels, CHANNELS[-1], 1)
        self._start()

    def _start(self) -> None:
        """From scratch: He et al. 2015 (arXiv:1502.01852)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)

    def load(self, path: Path) -> None:
        """Start from published weights: safetensors with `stem`, `blocks.K.{expand,dw,project}`,
        `head`.

        Raises InputError where the file cannot be read, or holds another network.
        """
        try:
            self.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        except (OSError, RuntimeError, SafetensorError) as error:
            raise InputError(f"{path}: no MobileNetV2 ({str(error).splitlines()[0]})") from None

    def forward(self, L: Tensor, told: Tensor | None = None) -> list[Tensor]:
        return self.seen((L / 50 - 1).expand(-1, 3, -1, -1), told)  # grey as R = G = B

    def seen(self, rgb: Tensor, told: Tensor | None = None) -> list[Tensor]:
        """The same of a picture in colour, sRGB (n, 3, h, w) in -1..1."""
        x = halving(rgb, self.stem)
        x = F.relu6(x if told is None else x + told)
        features: list[Tensor] = []
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in TAPS:
                features.append(x)
        return [*features, F.relu6(self.head(x))]
