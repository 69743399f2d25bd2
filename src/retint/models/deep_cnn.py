"""Nine convolutions and three upsamplings: the network that seed 001 trained for 15, 100 and 1000
epochs.

Origin: seed 001, "Updated", "Improved" and "Final CNN: 9 Conv layers, 3 upsampling layers", with
raw and with normalised ab. Licence: MIT (ours). No published weights. Exact: how many layers of
each kind. Chosen: their order, channels and strides, which are those of the smallest network of
Wallner's tutorial (How to colorize black & white photos with just 100 lines of neural network code,
2017), where the counts are the same; ReLU, `same` padding. Normalised ab is ab/128 through tanh;
raw ab is what the last convolution gives, in Lab units.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.keras import Conv2d, relu


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 2, 4 and 8; whether the network's own ab is in -1..1."""

    channels: tuple[int, int, int] = (8, 16, 32)
    normalised: bool = True


variants = {
    "default": Config(),
    "raw": Config(normalised=False),
    "tiny": Config(channels=(4, 8, 16)),
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units; within 128 where normalised."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        at2, at4, at8 = config.channels
        self.layers = nn.Sequential(
            *relu(Conv2d(1, at2, stride=2), Conv2d(at2, at2)),
            *relu(Conv2d(at2, at4), Conv2d(at4, at4, stride=2)),
            *relu(Conv2d(at4, at8), Conv2d(at8, at8, stride=2)),
            nn.Upsample(scale_factor=2.0),
            *relu(Conv2d(at8, at8)),
            nn.Upsample(scale_factor=2.0),
            *relu(Conv2d(at8, at4)),
            nn.Upsample(scale_factor=2.0),
            Conv2d(at4, 2),
        )

    def forward(self, L: Tensor) -> Answer:
        ab = self.layers(L / 100)
        return Answer(ab=torch.tanh(ab) * 128 if self.config.normalised else ab)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
