"""`skip` with self-attention between its two ways: far places can agree on a colour.

Papers: Ronneberger et al. 2015, arXiv:1505.04597; Vaswani et al. 2017, arXiv:1706.03762. Origin:
seed 004, `Attention_Model`. Licence: MIT (ours). No published weights. Exact: multi-head attention
of the feature maps of `skip` to themselves. Chosen, as the seed prints no table: it works on the
smallest maps, 25x25 at the seed's 200x200, where every place attends to every other; 4 heads, what
they find is added to the map, no encoding of places (the convolutions' padding tells them). At
other sizes keys and values are sampled on 25x25 places: the seed's network ran out of memory, the
memory of this one grows no faster than the picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.attention import SelfAttention
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.unet import UNet


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 1, 2, 4 and 8; heads of the attention, and places each way that they
    attend to."""

    channels: tuple[int, int, int, int] = (32, 64, 128, 256)
    heads: int = 4
    grid: int = 25


variants = {"default": Config(), "tiny": Config(channels=(4, 8, 8, 16), heads=2, grid=4)}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        attention = SelfAttention(config.channels[-1], config.heads, config.grid)
        self.paths = UNet(1, config.channels, middle=attention)
        self.last = nn.Conv2d(config.channels[0], 2, 3, padding=1)

    def forward(self, L: Tensor) -> Answer:
        return Answer(ab=torch.tanh(self.last(self.paths(L / 100))) * 128)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
