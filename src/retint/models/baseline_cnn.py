"""Two convolutions down, two transposed ones up: the first network of seed 001.

Origin: seed 001, "Baseline CNN: 2 Conv layers, 2 Conv2DTranspose, 15 epochs". Licence: MIT (ours).
No published weights. Exact: the four layers and their order. Chosen, since the seed shows no more:
3x3 kernels, stride 2 everywhere (what a transposed convolution undoes), 32 and 64 channels, ReLU,
L/100 in and ab/128 out through tanh, as seed 004 has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.keras import Conv2d, ConvTranspose2d, relu


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 2 and 4."""

    channels: tuple[int, int] = (32, 64)


variants = {"default": Config(), "tiny": Config(channels=(16, 24))}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128."""

    size: Mapping[str, Any] = {"multiple_of": 4}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        at2, at4 = config.channels
        self.layers = nn.Sequential(
            *relu(Conv2d(1, at2, stride=2), Conv2d(at2, at4, stride=2)),
            *relu(ConvTranspose2d(at4, at2)),
            ConvTranspose2d(at2, 2),
        )

    def forward(self, L: Tensor) -> Answer:
        return Answer(ab=torch.tanh(self.layers(L / 100)) * 128)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
