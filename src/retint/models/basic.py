"""Three convolutions: the smallest network of seed 004, a lower bound for all others.

Origin: seed 004, `basic`: 3x3 convolutions 1-64-32-2 at 200x200, L/100 in, ab/128 out through tanh;
19,682 parameters. Each colour is guessed from 7x7 pixels. Licence: MIT.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels of the two hidden layers."""

    channels: tuple[int, int] = (64, 32)


variants = {"default": Config(), "tiny": Config(channels=(8, 8))}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        wide, narrow = config.channels
        self.first = nn.Conv2d(1, wide, 3, padding=1)
        self.second = nn.Conv2d(wide, narrow, 3, padding=1)
        self.last = nn.Conv2d(narrow, 2, 3, padding=1)

    def forward(self, L: Tensor) -> Answer:
        x = F.relu(self.second(F.relu(self.first(L / 100))))
        return Answer(ab=torch.tanh(self.last(x)) * 128)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
