"""A U-Net of residual blocks with noise in it, taught by a Wasserstein critic of patches and L1.

Papers: Isola et al. 2017, arXiv:1611.07004; Gulrajani et al. 2017, arXiv:1704.00028; He et al.
2015, arXiv:1512.03385. Origin: seed 003, which takes it from the notebook "Pix2Pix : Image
Colorization with Conditional WGAN" (salimhammadi07, Kaggle 2023). Licence: MIT (ours); no weights
were published.
Exact: every layer of the notebook's generator, 8,216,194 parameters, dropout of whole maps at 0.2
on the four maps of the way down, no bound on ab. As the seed says and the notebook does not: the
critic judges 70x70 patches, and the generator learns from it (the notebook's learns from L1 alone);
the gradient flows through its blocks' convolutions too. Chosen: at use the noise is one draw of
channels, by `Config.noise`, the same for each picture and place, so that the same picture keeps its
colours.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 1, 2, 4 and 8; share of them that the noise silences; which draw of it is
    made at use."""

    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    dropout: float = 0.2
    noise: int = 0


variants = {"default": Config(), "tiny": Config(channels=(8, 8, 16, 16))}


class Noise(nn.Module):
    """Silences a share of the channels, drawn anew for each picture in training.

    At use the draw is fixed by `seed`, and part of an exported network as a constant.
    """

    def __init__(self, channels: int, rate: float, seed: int) -> None:
        super().__init__()
        self.rate = rate
        draw = random.Random(seed)  # whose numbers are the same in every version of Python
        self.factors = [(draw.random() >= rate) / (1 - rate) for _ in range(channels)]

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return F.dropout2d(x, self.rate)
        return x * torch.tensor(self.factors, dtype=x.dtype, device=x.device)[:, None, None]


class Residual(nn.Module):
    """Two 3x3 convolutions, and the input through a 1x1 one beside them."""

    def __init__(self, ins: int, outs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(ins, outs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outs),
            nn.ReLU(),
            nn.Conv2d(outs, outs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outs),
            nn.ReLU(),
        )
        self.beside = nn.Conv2d(ins, outs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layers(x) + self.beside(x))


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = config.channels
        self.down = nn.ModuleList(map(Residual, (1, *widths), widths))
        seeds = range(len(widths) * config.noise, len(widths) * (config.noise + 1))
        self.noise = nn.ModuleList(
            Noise(channels, config.dropout, seed)
            for channels, seed in zip(widths, seeds, strict=True)
        )
        self.up = nn.ModuleList(
            Residual(below + beside, beside) for below, beside in pairwise(widths[::-1])
        )
        self.last = nn.Conv2d(widths[0], 2, 1)

    def forward(self, L: Tensor) -> Answer:
        x = L / 100
        bridges: list[Tensor] = []
        for stage, noise in zip(self.down, self.noise, strict=True):
            x = noise(stage(F.max_pool2d(x, 2) if bridges else x))
            bridges.append(x)
        x = bridges.pop()
        for stage in self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
            x = stage(torch.cat((x, bridges.pop()), 1))
        return Answer(ab=self.last(x) * 128)


BLOCKS = {
    "encoding_layer1_.": "down.0.",
    "encoding_layer2_.layer.1.": "down.1.",
    "encoding_layer3_.layer.1.": "down.2.",
    "bridge.layer.1.": "down.3.",
    "decoding_layer3_.res_block.": "up.0.",
    "decoding_layer2_.res_block.": "up.1.",
    "decoding_layer1_.res_block.": "up.2.",
}
"""The notebook's names of blocks, and ours."""


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the notebook's generator to ours, which counts ab from -1 to 1 and not from 0."""
    ours: dict[str, Tensor] = {}
    for name, value in state.items():
        for theirs, block in BLOCKS.items():
            if name.startswith(theirs):
                inner = name.removeprefix(theirs)
                inner = inner.replace("layer.", "layers.", 1).replace("identity_map.", "beside.", 1)
                ours[block + inner] = value
    ours["last.weight"] = 2 * state["output.weight"]
    ours["last.bias"] = 2 * state["output.bias"] - 1
    return ours
