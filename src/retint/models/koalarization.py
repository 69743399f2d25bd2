"""Deep Koalarization: what a classifier makes of the whole picture, told to every place of it.

Paper: Baldassarre, Gonzalez Morin, Rodes-Guirao 2017, arXiv:1712.03400, and the authors' code
(baldassarreFe/deep-koalarization, MIT). Origin: seed 002. Licence of this code: MIT; the authors
published no weights of the colorizer. Inception-ResNet-v2's published weights: Apache-2.0.

Exact: the layers of encoder, fusion (1x1 over encoding and repeated vector) and decoder, L/50 - 1
in, tanh out, Keras' padding and start; Inception-ResNet-v2 at 299 pixels, its 1000 scores before
the softmax, not trained where its weights come from a file. Chosen: the picture is scaled to the
classifier's square, where the authors pad it to one; ab counts in 128ths instead of 127ths; the
last doubling is left to the face, bilinear instead of nearest. Instead of Inception-ResNet-v2,
`extractor` names another encoder, whose last features are averaged over the picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import keras
from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.inception_resnet_v2 import InceptionResNetV2
from retint.layers.mobilenet_v2 import CHANNELS, MobileNetV2
from retint.layers.vgg import Convention, VGG16Stages


@dataclass(frozen=True)
class Config(RegressorConfig):
    """The extractor of global features, and channels of the layers around it."""

    extractor: Literal["inception-resnet-v2", "mobilenet-v2", "vgg16"] = "inception-resnet-v2"
    side: int = 299  # pixels of the square that the extractor sees
    classes: int = 1000  # of Inception-ResNet-v2
    width: float = 1.0  # factor on the channels of Inception-ResNet-v2, VGG-16
    repeats: tuple[int, int, int] = (10, 20, 9)  # blocks of Inception-ResNet-v2
    vgg: Convention = "caffe"  # what the weights of VGG-16 expect
    down: tuple[int, ...] = (
        64,
        128,
        128,
        256,
        256,
        512,
        512,
        256,
    )  # strides 2, 1, 2, 1, 2, 1, 1, 1
    fused: int = 256
    up: tuple[int, int, int, int] = (128, 64, 64, 32)


variants = {
    "default": Config(),
    "mobilenet": Config(extractor="mobilenet-v2", side=224),
    "vgg": Config(extractor="vgg16", side=224),
    "tiny": Config(
        side=107,
        classes=12,
        width=1 / 64,
        repeats=(1, 1, 1),
        down=(8, 8, 8, 8, 8, 8, 8, 8),
        fused=8,
        up=(8, 8, 8, 8),
    ),
}


class MeanFeatures(nn.Module):
    """L* (n, 1, h, w) to an encoder's last features, averaged over the picture (n, channels)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.side = config.side
        if config.extractor == "vgg16":
            self.network = VGG16Stages(5, width=config.width, convention=config.vgg)
            self.channels = self.network.channels[-1]
        else:
            self.network, self.channels = MobileNetV2(), CHANNELS[-1]

    def load(self, path: Path) -> None:
        """Published weights; errors as the encoder's."""
        self.network.load(path)

    def forward(self, L: Tensor) -> Tensor:
        x = F.interpolate(L, size=(self.side, self.side), mode="bilinear", align_corners=False)
        if isinstance(self.network, VGG16Stages):
            x = (x / 100).expand(-1, 3, -1, -1)
        return self.network(x)[-1].mean((2, 3))


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h/2, w/2), Lab units, within 128."""

    size: Mapping[str, Any] = {"multiple_of": 8}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = (
            InceptionResNetV2(
                config.classes, side=config.side, width=config.width, repeats=config.repeats
            )
            if config.extractor == "inception-resnet-v2"
            else MeanFeatures(config)
        )
        inputs = (1, *config.down)
        self.down = nn.ModuleList(
            keras.Conv2d(ins, outs, stride=2 if k in (0, 2, 4) else 1)
            for k, (ins, outs) in enumerate(zip(inputs, config.down, strict=False))
        )
        self.fusion = keras.Conv2d(config.down[-1] + self.encoder.channels, config.fused, 1)
        first, second, third, last = config.up
        self.at8 = keras.Conv2d(config.fused, first)
        self.at4 = nn.Sequential(
            keras.Conv2d(first, second), nn.ReLU(), keras.Conv2d(second, third), nn.ReLU()
        )
        self.at2 = nn.Sequential(
            keras.Conv2d(third, last), nn.ReLU(), keras.Conv2d(last, 2), nn.Tanh()
        )

    def start_from(self, encoder: Path) -> None:
        """Take the extractor's weights from a file of pretrained ones."""
        self.encoder.load(encoder)

    def forward(self, L: Tensor) -> Answer:
        x = L / 50 - 1
        for layer in self.down:
            x = F.relu(layer(x))
        whole = self.encoder(L)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = F.relu(self.fusion(torch.cat((x, whole), 1)))
        x = self.at4(_doubled(F.relu(self.at8(x))))
        return Answer(ab=self.at2(_doubled(x)) * 128)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: the authors published none."""
    return state
