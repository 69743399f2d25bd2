"""Sixteen layers at 256x256: the network of seed 002.

Origin: seed 002, section 4.1. Licence: MIT (ours). No published weights. Exact: 16 layers; 1 to 9
are convolutions, of which every other one has stride 2 at first and 5 to 8 keep the size; 10 is an
upsampling; ReLU after all but the last convolution; `same` padding. Chosen: 11 to 16, two
convolutions, an upsampling and three convolutions; 3x3 kernels; the channels, which for 1 to 9 are
those of the second network of Wallner's tutorial (2017), whose first ten layers are of the same
kinds; tanh at the end. There layer 6 halves the size as well, and the seed's sentence on layers 5
to 8 can be read as speaking of another network: that is the variant `strided`.

L* comes as it is, 0..100 (`unit` 1). The seed does not say so, but its loss is 0.45 to 0.5 at the
start, where grey would cost 0.02: so much is lost only by a tanh driven to its ends, and L* of that
size does it. The seed's recipe, at 64 pixels and in batches of 12, loses 0.18 in its first epoch of
ten steps and 0.016 in the second.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.keras import Conv2d, relu


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Layers 1 to 9 with their strides, and the convolutions before and after layer 13 but for
    the last."""

    channels: tuple[int, ...] = (64, 64, 128, 128, 256, 256, 512, 256, 128)
    strides: tuple[int, ...] = (1, 2, 1, 2, 1, 1, 1, 1, 1)
    before: tuple[int, int] = (64, 64)
    after: tuple[int, int] = (32, 16)
    unit: float = 1.0  # L* that counts as 1: 1 is raw L*, 100 puts it in 0..1


variants = {
    "default": Config(),
    "strided": Config(strides=(1, 2, 1, 2, 1, 2, 1, 1, 1)),
    "tiny": Config(channels=(4, 4, 8, 8, 8, 8, 16, 8, 8), before=(8, 8), after=(8, 8)),
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128; (n, 2, h/2, w/2) where
    layers 1 to 9 halve the size three times."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.size = {"multiple_of": prod(config.strides)}
        ins = (1, *config.channels)
        down = [
            Conv2d(ins[k], outs, stride=stride)
            for k, (outs, stride) in enumerate(zip(config.channels, config.strides, strict=True))
        ]
        (b1, b2), (a1, a2) = config.before, config.after
        self.layers = nn.Sequential(
            *relu(*down),
            nn.Upsample(scale_factor=2.0),
            *relu(Conv2d(ins[-1], b1), Conv2d(b1, b2)),
            nn.Upsample(scale_factor=2.0),
            *relu(Conv2d(b2, a1), Conv2d(a1, a2)),
            Conv2d(a2, 2),
        )

    def forward(self, L: Tensor) -> Answer:
        return Answer(ab=torch.tanh(self.layers(L / self.config.unit)) * 128)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
