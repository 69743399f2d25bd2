"""Residual encoder: VGG-16's features, summed from coarse to fine, become chroma.

Source: Dahl 2016, "Automatic Colorization" (tinyclouds.org/colorize), in the layers of
Armour/Automatic-Image-Colorization. Origin: seed 003. Licence of this code: MIT, written from the
description; that repository's code is GPL-3.0 for personal use, and none of it is here. Weights of
the colorizer: none known. VGG-16's: CC BY 4.0.

Exact: each stage up to conv4_3 batch-normalised, the coarser one brought to its channels by a
convolution (1x1 at first, then 3x3 with batch norm), doubled bilinearly and added, down to the grey
picture itself and three channels; no biases; batch norm before the last sigmoid; VGG-16 not
trained, the error measured without and behind two blurs (recipe). Chosen: chroma is ab within 128
rather than UV, so that the face is everyone's; batch norm has Keras' numbers, which are
TensorFlow's; convolutions start from Glorot's distribution rather than a deviation of 0.01, which
the batch norm after them forgets.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import keras
from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.vgg import Convention, VGG16Stages


@dataclass(frozen=True)
class Config(RegressorConfig):
    """The features that are summed."""

    stages: int = 4  # of VGG-16
    width: float = 1.0  # factor on its channels
    vgg: Convention = "caffe"  # what its weights expect


variants = {
    "default": Config(),
    # all of it that starts from a file of the first three stages
    "short": Config(stages=3),
    "tiny": Config(width=1 / 16),
}

GREY = 3  # channels of the grey picture, as VGG-16 takes it


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 128."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.size = {"multiple_of": 2 ** (config.stages - 1)}
        self.encoder = VGG16Stages(config.stages, width=config.width, convention=config.vgg)
        channels = [GREY, *self.encoder.channels]
        self.norms = nn.ModuleList(map(keras.BatchNorm2d, channels))
        coarse, *finer = channels[::-1]
        self.coarsest = nn.Conv2d(coarse, finer[0], 1, bias=False)
        self.steps = nn.ModuleList(map(_step, finer, finer[1:]))
        self.mix = _step(GREY, GREY)
        self.last = _step(GREY, 2)
        for module in (self.coarsest, self.steps, self.mix, self.last):
            for layer in module.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.xavier_uniform_(layer.weight)

    def start_from(self, encoder: Path) -> None:
        """Take the weights of VGG-16 from a file; stages that it lacks stay as they are."""
        self.encoder.load(encoder, partial=True)

    def forward(self, L: Tensor) -> Answer:
        grey = (L / 100).expand(-1, GREY, -1, -1)
        taken = zip(self.norms, [grey, *self.encoder(grey)], strict=True)
        picture, *stages, coarse = [norm(x) for norm, x in taken]
        x = F.relu(self.coarsest(coarse))
        for step, finer in zip(self.steps, reversed(stages), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = F.relu(step(x + finer))
        x = F.relu(self.mix(x + picture))
        return Answer(ab=(2 * torch.sigmoid(self.last(x)) - 1) * 128)


def _step(ins: int, outs: int) -> nn.Sequential:
    """A 3x3 convolution and batch norm."""
    return nn.Sequential(nn.Conv2d(ins, outs, 3, padding=1, bias=False), keras.BatchNorm2d(outs))


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
