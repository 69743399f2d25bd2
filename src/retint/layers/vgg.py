"""VGG-16 up to its third stage, for distances between pictures.

Paper: Simonyan & Zisserman 2015, arXiv:1409.1556, configuration D. Caffe's convention: BGR,
0..255, less the mean colour of ImageNet.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from retint.errors import InputError

PLAN = (64, 64, "pool", 128, 128, "pool", 256, 256, 256)
TAPS = (3, 8, 15)  # after conv1_2, conv2_2 and conv3_3
MEAN = (103.939, 116.779, 123.68)


class VGG16Stages(nn.Module):
    """sRGB (n, 3, h, w), 0..1, to the features of stages 1 to 3: 64, 128 and 256 channels at
    strides 1, 2 and 4."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for step in PLAN:
            if isinstance(step, int):
                layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU()]
                channels = step
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)

    def load(self, path: Path) -> None:
        """Weights from a safetensors file with keys features.N.weight and .bias; InputError where
        it is not one."""
        try:
            self.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            raise InputError(f"{path}: no VGG-16 stages ({str(error).splitlines()[0]})") from None

    def forward(self, rgb: Tensor) -> list[Tensor]:
        x = rgb.flip(1) * 255 - self.mean
        found: list[Tensor] = []
        for k, layer in enumerate(self.features):
            x = layer(x)
            if k in TAPS:
                found.append(x)
        return found


def distance(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """Mean over stages of the mean absolute difference of features, each of unit length."""
    parts = [
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).abs().sum(1).mean()
        for a, b in zip(one, other, strict=True)
    ]
    return torch.stack(parts).mean()
