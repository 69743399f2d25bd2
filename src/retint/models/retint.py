"""retint's own family: a U-Net over a pretrained encoder that predicts a distribution over colours.

Papers: MobileNetV2 (arXiv:1801.04381) for the encoder; Zhang et al. 2016 (arXiv:1603.08511) for
the distribution over ab bins; Iizuka et al. 2016 (doi:10.1145/2897824.2925974) for the global
feature added everywhere and the subjects; Zhang et al. 2017 (arXiv:1705.02999) for hints.
Origin: this project. Licence: MIT (code); for weights see their card.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Classifier, ClassifierConfig
from retint.layers.mobilenet_v2 import CHANNELS, STEM, MobileNetV2, halving


@dataclass(frozen=True)
class Config(ClassifierConfig):
    """Sizes of the network, and what is done with its answer."""

    subjects: int = 0  # classes of what is shown, fixed like the bins; 0: it does not say
    hints: bool = False  # whether it takes colours given in a few places
    bottleneck: int = 256
    decoder: tuple[int, int, int] = (192, 128, 96)  # channels at strides 16, 8 and 4


variants = {
    "default": Config(),
    "small": Config(bottleneck=128, decoder=(96, 64, 48)),
    "tiny": Config(bins=40, bottleneck=16, decoder=(16, 12, 8)),
}


class Up(nn.Module):
    """Double the size, take the encoder's feature of that size beside, mix."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels + skip, out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.relu(self.norm(self.convolution(torch.cat((x, skip), 1))))


class Told(nn.Module):
    """Hints (n, 3, h, w) to what they add: to the encoder's first convolution (n, 32, h/2, w/2),
    and to its features at a quarter of the size. Nothing at first, so that a network without
    hints can learn to take them."""

    def __init__(self) -> None:
        super().__init__()
        self.far = nn.Conv2d(3, STEM, 3, 2, bias=False)
        self.near = nn.Conv2d(3, CHANNELS[1], 3, padding=1, bias=False)
        for convolution in (self.far, self.near):
            nn.init.zeros_(convolution.weight)

    def forward(self, hints: Tensor) -> tuple[Tensor, Tensor]:
        ab, mask = hints[:, :2] / 110, hints[:, 2:]
        given = torch.cat((ab * mask, mask), 1)
        share = F.avg_pool2d(given, 4)
        shown = share / share[:, 2:].clamp_min(1 / 16)  # one pixel is as good as sixteen
        return halving(given, self.far), self.near(shown)


class Net(Classifier):
    """L* (n, 1, h, w), 0..100, and hints (n, 3, h, w) where it takes some, to logits over the bins
    (n, q, h/4, w/4), and over the subjects (n, c) where it names some."""

    size: Mapping[str, Any] = {"multiple_of": 32}

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = MobileNetV2()
        _, at4, at8, at16, at32 = CHANNELS
        wide = config.bottleneck
        self.bottleneck = nn.Sequential(
            nn.Conv2d(at32, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )
        self.whole = nn.Linear(at32, wide)  # the picture as a whole, told to every place
        d16, d8, d4 = config.decoder
        self.up16 = Up(wide, at16, d16)
        self.up8 = Up(d16, at8, d8)
        self.up4 = Up(d8, at4, d4)
        self.classify = nn.Conv2d(d4, config.bins, 1)
        self.hints = config.hints
        if config.hints:
            self.told = Told()
        if config.subjects:
            self.subject = nn.Linear(at32, config.subjects)

    def start_from(self, encoder: Path) -> None:
        """Take the encoder's weights from a file of pretrained ones."""
        self.encoder.load(encoder)

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Answer:
        far, near = (None, None) if hints is None else self.told(hints)
        _, at4, at8, at16, at32 = self.encoder(L, far)
        at4 = at4 if near is None else at4 + near
        whole = at32.mean((2, 3))
        x = self.bottleneck(at32) + self.whole(whole)[:, :, None, None]
        x = self.up16(x, at16)
        x = self.up8(x, at8)
        subject = self.subject(whole) if self.config.subjects else None
        return Answer(logits=self.classify(self.up4(x, at4)), subject=subject, features=at32)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: this family is ours, so they stay as they are."""
    return state
