"""The way up of a U-Net that grows by shuffling channels into places, after fastai.

Papers: Shi et al. 2016, arXiv:1609.05158 (pixel shuffle); Aitken et al. 2017, arXiv:1707.02937
(ICNR: at the start the shuffled places are equal); Sugawara et al. 2018, arXiv:1806.02658 (a blur
after it); Miyato et al. 2018, arXiv:1802.05957 (spectral norm).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers.spectral import SpectralAttention, SpectralConv2d, WeightNormConv2d


class Layer(nn.Module):
    """A 3x3 convolution with spectral norm, ReLU, and batch norm where asked for."""

    def __init__(self, ins: int, outs: int, *, norm: bool = True) -> None:
        super().__init__()
        self.convolution = SpectralConv2d(ins, outs, 3, padding=1, bias=not norm)
        self.norm = nn.BatchNorm2d(outs) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(F.relu(self.convolution(x)))


class Shuffle(nn.Module):
    """(n, ins, h, w) to (n, outs, h * scale, w * scale).

    norm: batch norm after the convolution; blur: the mean of 2x2 places at the end.
    """

    def __init__(
        self,
        ins: int,
        outs: int,
        scale: int = 2,
        *,
        convolution: type[SpectralConv2d | WeightNormConv2d] = SpectralConv2d,
        norm: bool = False,
        blur: bool = True,
    ) -> None:
        super().__init__()
        self.scale, self.blur = scale, blur
        self.convolution = convolution(ins, outs * scale * scale, 1, bias=not norm)
        self.norm = nn.BatchNorm2d(outs * scale * scale) if norm else nn.Identity()
        with torch.no_grad():
            first = self.convolution.weight[:: scale * scale]
            self.convolution.weight.copy_(first.repeat_interleave(scale * scale, 0))
        self.convolution.settle()

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_shuffle(F.relu(self.norm(self.convolution(x))), self.scale)
        return F.avg_pool2d(F.pad(x, (1, 0, 1, 0), "replicate"), 2, 1) if self.blur else x


class Up(nn.Module):
    """Double the size to `ins` to `up` channels, take the encoder's map of that size, `skip`
    channels, beside, and mix both through layers of `outs` channels.

    attention: None for none; else how much self-attention counts at the start.
    """

    def __init__(
        self, ins: int, skip: int, up: int, outs: Sequence[int], *, attention: float | None = None
    ) -> None:
        super().__init__()
        self.shuffle = Shuffle(ins, up, norm=True)
        self.norm = nn.BatchNorm2d(skip)
        self.mix = nn.Sequential(*map(Layer, (up + skip, *outs), outs))
        self.attention = (
            nn.Identity() if attention is None else SpectralAttention(outs[-1], attention)
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = torch.cat((self.shuffle(x), self.norm(skip)), 1)
        return self.attention(self.mix(F.relu(x)))
