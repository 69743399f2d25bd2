"""Colorful Image Colorization: a VGG-like network that gives a distribution over 313 colours.

Paper: Zhang, Isola, Efros 2016, arXiv:1603.08511 (section 2, and the table of layers in its
appendix). Origin: seed 002, which compares its own network with it. Licence: MIT (ours, written
from the paper); the authors' code and weights are BSD-2-Clause.
Exact: every layer, its channels, strides and dilations, the 313 colours, the annealed mean at 0.38;
the weights of the authors' PyTorch release (`eccv16`) load. Chosen: first weights after He et al.
2015, where the paper's follow Krähenbühl et al. (k-means on pictures).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retint.layers import bins
from retint.layers.answer import Answer
from retint.layers.faces import Classifier, ClassifierConfig
from retint.layers.published import Published
from retint.layers.zhang import block, start

CONVOLUTIONS = (2, 2, 3, 3, 3, 3, 3)  # in blocks 1 to 7
HALVING = 3  # blocks that end with a stride of 2
DILATED = (5, 6)  # blocks, numbered from 1, whose convolutions have a dilation of 2
AB_UNIT = 110.0  # Lab units that are 1 in the authors' release


@dataclass(frozen=True)
class Config(ClassifierConfig):
    """Channels of the eight blocks."""

    channels: tuple[int, int, int, int, int, int, int, int] = (
        *(64, 128, 256, 512),
        *(512, 512, 512, 256),
    )
    mirror: bool = False  # the paper looks at the picture once


variants = {
    "default": Config(),
    "eccv16": Config(temperature=1.0),  # the PyTorch release takes the plain mean
    "tiny": Config(bins=40, channels=(4, 8, 8, 8, 8, 8, 8, 8)),
}

published = {
    "eccv16": Published(
        weights_license="BSD-2-Clause",
        origin="github.com/richzhang/colorization, colorization_release_v2-9b330a0b.pth",
        data="ImageNet (ILSVRC 2012), 1.3 million photographs; its terms: non-commercial research",
        description="Colorful Image Colorization (ECCV 2016), as released.",
        paper=("Zhang, Isola, Efros 2016, Colorful Image Colorization, arXiv:1603.08511",),
    )
}


class Net(Classifier):
    """L* (n, 1, h, w), 0..100, to logits over the colours (n, q, h/4, w/4)."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        before = 1
        for number, count in enumerate(CONVOLUTIONS, 1):
            channels = config.channels[number - 1]
            stride, dilation = 1 + (number <= HALVING), 1 + (number in DILATED)
            setattr(self, f"conv{number}", block(before, channels, count, stride, dilation))
            before = channels
        last = config.channels[-1]
        self.conv8 = nn.Sequential(
            *(nn.ConvTranspose2d(before, last, 4, 2, 1), nn.ReLU()),
            *(nn.Conv2d(last, last, 3, 1, 1), nn.ReLU()),
            *(nn.Conv2d(last, last, 3, 1, 1), nn.ReLU()),
        )
        self.classify = nn.Conv2d(last, config.bins, 1)
        start(self)

    def forward(self, L: Tensor) -> Answer:
        x = (L - 50) / 100
        for number in range(1, 9):
            x = getattr(self, f"conv{number}")(x)
        return Answer(logits=self.classify(x))


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of the authors' PyTorch release to ours.

    Its last layer, which takes the mean, holds the colours; without it they are those of
    `bins.in_gamut`.
    """
    if "model1.0.weight" not in state:
        return state
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        name = key.replace("model8.6.", "classify.")
        renamed[name.replace("model", "conv") if name[5:6].isdigit() else name] = value
    mean = renamed.pop("model_out.weight", None)
    centres = bins.in_gamut() if mean is None else mean[:, :, 0, 0].T * AB_UNIT
    prior = torch.full((len(centres),), 1 / len(centres))
    return {**renamed, "centres": centres, "prior": prior}
