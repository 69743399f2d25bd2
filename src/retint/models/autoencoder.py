"""A picture told in 256 numbers, and made again in colour: seed 001's second attempt.

Origin: seed 001, "encoder: 3 Conv layers, 1 Flatten layer; decoder: 1 Dense, 1 Reshape, 3
Conv2DTranspose", grey in and RGB out. Licence: MIT (ours). No published weights. Exact: these
layers and their order. Chosen: 128x128 pixels; 3x3 kernels with stride 2; 64, 128 and 256 channels;
a dense layer to a code of 256 numbers after Flatten, without which the decoder's would have four
thousand million weights; ReLU, and a sigmoid at the end; L/100 for grey.

The network takes pictures of one size only. Its RGB is turned into ab here and the luminance that
it guessed is dropped; the term `rgb` of a loss is of the RGB, as in the seed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.keras import Conv2d, ConvTranspose2d, Linear, Reshape, relu
from retint.layers.lab import lab, to_linear


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Side of the pictures, a multiple of 8; channels at strides 2, 4 and 8; length of the code."""

    side: int = 128
    channels: tuple[int, int, int] = (64, 128, 256)
    code: int = 256


variants = {"default": Config(), "tiny": Config(side=32, channels=(32, 32, 16), code=16)}


class Net(Regressor):
    """L* (n, 1, side, side), 0..100, to ab (n, 2, side, side), Lab units, within sRGB."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.size = {"fixed": [config.side, config.side]}
        at2, at4, at8 = config.channels
        small = config.side // 8
        self.encode = nn.Sequential(
            *relu(Conv2d(1, at2, stride=2), Conv2d(at2, at4, stride=2), Conv2d(at4, at8, stride=2)),
            nn.Flatten(),
            Linear(at8 * small**2, config.code),
        )
        self.decode = nn.Sequential(
            *relu(Linear(config.code, at8 * small**2)),
            Reshape(at8, small, small),
            *relu(ConvTranspose2d(at8, at4), ConvTranspose2d(at4, at2)),
            ConvTranspose2d(at2, 3),
        )

    def forward(self, L: Tensor) -> Answer:
        rgb = torch.sigmoid(self.decode(self.encode(L / 100)).float())
        return Answer(ab=lab(to_linear(rgb))[:, 1:], rgb=rgb)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
