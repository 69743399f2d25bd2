"""VGG-16, stage by stage: an encoder, and features for distances between pictures.

Paper: Simonyan & Zisserman 2015, arXiv:1409.1556, configuration D. Names of the weights are
torchvision's and timm's: `features.N.weight` and `.bias`.
"""

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import weights

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the 3x3 convolutions of each stage; between the stages is max pooling."""

Convention = Literal["caffe", "torchvision"]
"""What the weights expect: `caffe`, the authors' own and Keras': BGR, 0..255, less ImageNet's mean
colour; `torchvision`: RGB, less the mean, over the deviation."""

NORMS = {
    "caffe": ((103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255, 1 / 255, 1 / 255)),
    "torchvision": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


class VGG16Stages(nn.Module):
    """sRGB (n, 3, h, w), 0..1, to the features of the first stages, each before its pooling:
    `channels` of them at strides 1, 2, 4, 8, 16.

    stages: how many. width: factor on the channels (4 at least), for small networks.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, stages: int = 3, *, width: float = 1.0, convention: Convention = "caffe"
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps: list[int] = []
        self.channels: list[int] = []
        before = 3
        for stage in STAGES[:stages]:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for wide in stage:
                channels = max(4, round(wide * width))
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
            self.taps.append(len(layers) - 1)
            self.channels.append(before)
        self.features = nn.Sequential(*layers)
        self.bgr = convention == "caffe"
        mean, deviation = (torch.tensor(v)[:, None, None] for v in NORMS[convention])
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)
        for layer in layers:  # from scratch: He et al. 2015, arXiv:1502.01852
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def load(self, path: Path, *, partial: bool = False) -> None:
        """Weights from a file of VGG-16's, of which later stages and the classifier are left
        aside.

        partial: stages that the file lacks stay as they are. InputError where it is another
        network, or lacks a stage.
        """
        weights.load(self, weights.read(path), path, "VGG-16 stages", partial=partial)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        x = ((rgb.flip(1) if self.bgr else rgb) - self.mean) / self.deviation
        found: list[Tensor] = []
        for k, layer in enumerate(self.features):
            x = layer(x)
            if k in self.taps:
                found.append(x)
        return found


def distance(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """Mean over stages of the mean absolute difference of features, each of unit length."""
    parts = [
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).abs().sum(1).mean()
        for a, b in zip(one, other, strict=True)
    ]
    return torch.stack(parts).mean()
