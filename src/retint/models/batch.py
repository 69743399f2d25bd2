"""Convolutions with batch norm, down to an eighth of the size and up: seed 004's best network.

Origin: seed 004, `Batch_Model` (figure 8), the network that it trained on MIRFLICKR-25000 and on
one and two breeds of dogs, at 200x200, L/100 in, ab/128 out through tanh. Licence: MIT (ours). No
published weights. Exact: every layer, its channels and strides; 43,870 parameters, of which the 50
running means and variances of the norms are not trained; Keras' padding, norm and first weights.
Chosen: ReLU after every convolution but the last (the seed names only the tanh), and nearest
neighbours as upsampling, Keras' default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.keras import BatchNorm2d, Conv2d, relu


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 2, 4 and 8."""

    channels: tuple[int, int, int] = (8, 16, 32)


variants = {"default": Config(), "tiny": Config(channels=(4, 8, 16))}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        at2, at4, at8 = config.channels
        # the seed's order: the first convolution of a pair is the strided one only at the start
        self.layers = nn.Sequential(
            BatchNorm2d(1),
            *relu(Conv2d(1, at2, stride=2), Conv2d(at2, at2)),
            BatchNorm2d(at2),
            *relu(Conv2d(at2, at4), Conv2d(at4, at4, stride=2)),
            BatchNorm2d(at4),
            *relu(Conv2d(at4, at8), Conv2d(at8, at8, stride=2)),
            nn.Upsample(scale_factor=2.0),
            *relu(Conv2d(at8, at8), Conv2d(at8, at8)),
            nn.Upsample(scale_factor=2.0),
            *relu(Conv2d(at8, at4), Conv2d(at4, at4)),
            nn.Upsample(scale_factor=2.0),
            Conv2d(at4, 2),
        )

    def forward(self, L: Tensor) -> Answer:
        return Answer(ab=torch.tanh(self.layers(L / 100)) * 128)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
