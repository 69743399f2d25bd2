"""Four convolutions at full size: the simple network that seed 003 held its larger ones against.

Origin: seed 003, "a simple 4-layered CNN", after a Kaggle notebook (Image Colorization CNN) whose
layers the seed does not give. Licence: MIT (ours). No published weights. Exact: four convolutional
layers. Chosen: 3x3 kernels without strides, 64, 128 and 64 channels, ReLU, L/100 in and ab/128 out
through tanh. Each colour is guessed from 9x9 pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.keras import Conv2d, relu


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels of the three hidden layers."""

    channels: tuple[int, int, int] = (64, 128, 64)


variants = {"default": Config(), "tiny": Config(channels=(8, 16, 8))}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        one, two, three = config.channels
        self.layers = nn.Sequential(
            *relu(Conv2d(1, one), Conv2d(one, two), Conv2d(two, three)), Conv2d(three, 2)
        )

    def forward(self, L: Tensor) -> Answer:
        return Answer(ab=torch.tanh(self.layers(L / 100)) * 128)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
