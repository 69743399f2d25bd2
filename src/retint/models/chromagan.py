"""ChromaGAN: a generator that colours and says what is shown, trained against a critic of patches.

Paper: Vitoria, Raad, Ballester 2020, arXiv:1907.09837, and the authors' code (pvitoria/ChromaGAN).
Origin: seeds 002, 004. Licence of this code: MIT. The authors' weights are Keras files for which
their page states no licence; they are not read here. VGG-16's: CC BY 4.0.

Exact: the layers of both branches over VGG-16 up to conv4_3 (chroma, and the distribution over 1000
classes, whose dense layers have no activation in between), Keras' padding, start and batch norm.
With the recipe: the critic (`layers.patch_critic`), the three terms of the loss and their weights.
Chosen: VGG-16 sees grey as its weights expect it, where the authors give it 0..1; the map that the
global features are made of is scaled to 28 x 28, which changes nothing at the authors' 224 pixels
and lets every other size in; the last doubling is left to the face, bilinear instead of nearest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import keras
from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.vgg import Convention, VGG16Stages


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Sizes of the layers; `subjects`, 0 for no second branch, is fixed when a training starts."""

    subjects: int = 1000
    side: int = 224  # pixels at which the whole picture is seen, a multiple of 32
    width: float = 1.0  # factor on the channels of VGG-16
    vgg: Convention = "caffe"  # what the weights of VGG-16 expect
    whole: int = 512  # channels of the four convolutions that both branches share
    dense: tuple[int, int, int] = (1024, 512, 256)  # what colour is told of the whole picture
    named: tuple[int, int] = (4096, 4096)  # of the class branch, before the classes
    middle: tuple[int, int] = (512, 256)
    up: tuple[int, int, int, int, int] = (256, 128, 64, 64, 32)


variants = {
    "default": Config(),
    "small": Config(whole=256, dense=(256, 256, 256), named=(512, 512)),
    "tiny": Config(
        subjects=0,
        side=64,
        width=1 / 16,
        whole=8,
        dense=(8, 8, 8),
        named=(8, 8),
        middle=(8, 8),
        up=(8, 8, 8, 8, 8),
    ),
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h/2, w/2), Lab units, within 128, and scores of the
    subjects (n, c) before the softmax where it has some."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = VGG16Stages(4, width=config.width, convention=config.vgg)
        seen, whole = self.encoder.channels[-1], config.whole
        self.whole = nn.Sequential(
            *_normed(seen, whole, 2),
            *_normed(whole, whole),
            *_normed(whole, whole, 2),
            *_normed(whole, whole),
            nn.Flatten(),
        )
        flat = whole * (config.side // 32) ** 2
        self.told = _dense(flat, *config.dense)
        if config.subjects:
            self.subject = _dense(flat, *config.named, config.subjects)
        wide, narrow = config.middle
        self.middle = nn.Sequential(*_normed(seen, wide), *_normed(wide, narrow))
        fused, at8, at4, then, at2 = config.up
        self.at8 = nn.Sequential(
            *_plain(narrow + config.dense[-1], fused, 1),
            *_plain(fused, at8),
        )
        self.at4 = nn.Sequential(*_plain(at8, at4), *_plain(at4, then))
        self.at2 = nn.Sequential(*_plain(then, at2), keras.Conv2d(at2, 2), nn.Sigmoid())

    def start_from(self, encoder: Path) -> None:
        """Take the weights of VGG-16 from a file; stages that it lacks stay as they are."""
        self.encoder.load(encoder, partial=True)

    def forward(self, L: Tensor) -> Answer:
        x = self.encoder((L / 100).expand(-1, 3, -1, -1))[-1]
        side = self.config.side // 8
        whole = self.whole(
            F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
        )
        told = self.told(whole)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = self.at8(torch.cat((self.middle(x), told), 1))
        x = self.at2(_doubled(self.at4(_doubled(x))))
        subject = self.subject(whole) if self.config.subjects else None
        return Answer(ab=(2 * x - 1) * 128, subject=subject)


def _plain(ins: int, outs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [keras.Conv2d(ins, outs, kernel, stride), nn.ReLU()]


def _normed(ins: int, outs: int, stride: int = 1) -> list[nn.Module]:
    return [*_plain(ins, outs, 3, stride), keras.BatchNorm2d(outs)]


def _dense(*sizes: int) -> nn.Sequential:
    """Linear layers one after the other, with nothing in between, as the authors have them."""
    return nn.Sequential(*map(nn.Linear, sizes, sizes[1:]))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: the authors' are Keras files, which are not read."""
    return state
