"""A U-Net: the way up sees again what the way down saw.

Paper: Ronneberger et al. 2015, arXiv:1505.04597. Origin: seed 004, `Skip_Model`, inspired by CUNet
(arXiv:2205.12867), a U-Net for colorization. Licence: MIT (ours). No published weights. Exact: a
downsampling and an upsampling path, joined by skip connections; L/100 in, ab/128 out through tanh.
Chosen, as the seed prints no table: three halvings, so that its 200x200 fit as they do in its
`batch`; two convolutions a size, max pooling, and four times `batch`'s channels, 32 at full size,
since it is called deeper.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.unet import UNet


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 1, 2, 4 and 8."""

    channels: tuple[int, int, int, int] = (32, 64, 128, 256)


variants = {"default": Config(), "tiny": Config(channels=(4, 8, 8, 16))}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.paths = UNet(1, config.channels, middle=nn.Identity())
        self.last = nn.Conv2d(config.channels[0], 2, 3, padding=1)

    def forward(self, L: Tensor) -> Answer:
        return Answer(ab=torch.tanh(self.last(self.paths(L / 100))) * 128)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
