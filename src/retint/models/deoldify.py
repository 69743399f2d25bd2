"""DeOldify: a U-Net with self-attention and spectral norm over a ResNet, trained by NoGAN.

Source: jantic/DeOldify (Antic & Kelley, MIT) on fastai 1.0's DynamicUnet; there is no paper. Papers
of its parts: He et al. 2016, arXiv:1512.03385; Zhang et al. 2018, arXiv:1805.08318; and those of
`layers.shuffle_unet`. Origin: seed 002. Licence of this code: MIT; the authors' weights are MIT
too, learned from ImageNet.

Exact: every layer of `artistic` (63,646,881 parameters) and of `stable` and `video`, which differ
from each other in training alone (218,222,197); the authors' checkpoints load by name, and give
the authors' RGB. Chosen: the grey that the network sees is the sRGB of the picture's lightness; its
RGB becomes ab, whose guess of lightness is dropped, where the authors take U and V; the ratio of
the sides is kept, where the authors squash to a square.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.imagenet import ImageNetUnits
from retint.layers.lab import grey, lab, to_linear
from retint.layers.published import Published
from retint.layers.renaming import renamed
from retint.layers.resnet import ResNet
from retint.layers.shuffle_unet import Layer, Shuffle, Up
from retint.layers.spectral import SpectralConv2d, WeightNormConv2d

REACH = 3.0  # of what comes out, in ImageNet's units


@dataclass(frozen=True)
class Config(RegressorConfig):
    """The ResNet, and the way up: `deep`, whose two layers a size are `factor` times as wide as
    what comes in, or `wide`, one layer a size of `factor` times the same width everywhere."""

    block: Literal["basic", "bottleneck"] = "basic"
    depths: tuple[int, int, int, int] = (3, 4, 6, 3)
    width: int = 64  # channels of the ResNet's first map
    decoder: Literal["deep", "wide"] = "deep"
    factor: float = 1.5
    attention: float = 0.0  # how much self-attention counts at the start


ARTISTIC = Config()
STABLE = Config(block="bottleneck", depths=(3, 4, 23, 3), decoder="wide", factor=2.0)

variants = {
    "default": ARTISTIC,
    "artistic": ARTISTIC,
    "stable": STABLE,
    "video": STABLE,
    "tiny": Config(depths=(1, 1, 1, 1), width=4, attention=0.1),
}


def _published(name: str, working_size: int) -> Published:
    return Published(
        weights_license="MIT",
        origin=f"jantic/DeOldify, Colorize{name}_gen.pth",
        data="ImageNet (ILSVRC 2012): non-commercial research terms",
        description=f"DeOldify, {name.lower()}.",
        working_size=working_size,
    )


published = {
    "default": _published("Artistic", 560),
    "artistic": _published("Artistic", 560),
    "stable": _published("Stable", 560),
    "video": _published("Video", 336),
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units."""

    size: Mapping[str, Any] = {"multiple_of": 32}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.units = ImageNetUnits()
        self.encoder = ResNet(config.block, config.depths, config.width)
        *skips, smallest = self.encoder.channels
        self.norm = nn.BatchNorm2d(smallest)
        self.middle = nn.Sequential(Layer(smallest, 2 * smallest), Layer(2 * smallest, smallest))
        self.up = nn.ModuleList()
        ins = smallest
        for k, skip in enumerate(reversed(skips)):
            up, outs = _widths(config, ins, skip, last=k == 3)
            attention = config.attention if k == 1 else None
            self.up.append(Up(ins, skip, up, outs, attention=attention))
            ins = outs[-1]
        self.shuffle = Shuffle(ins, ins, convolution=WeightNormConv2d, blur=False)
        self.cross = nn.Sequential(
            Layer(ins + 3, ins + 3, norm=False), Layer(ins + 3, ins + 3, norm=False)
        )
        self.last = SpectralConv2d(ins + 3, 3, 1)

    def start_from(self, encoder: Path) -> None:
        """Take the ResNet's weights from a file, as of torchvision or timm."""
        self.encoder.load(encoder)

    def forward(self, L: Tensor) -> Answer:
        rgb = self.units(grey(L).expand(-1, 3, -1, -1))
        *skips, x = self.encoder(rgb)
        x = self.middle(torch.relu(self.norm(x)))
        for up in self.up:
            x = up(x, skips.pop())
        x = torch.cat((self.shuffle(x), rgb), 1)
        x = self.last(x + self.cross(x)).float()
        rgb = self.units.back((2 * torch.sigmoid(x) - 1) * REACH)
        if not self.training:  # what is cut off teaches nothing; the authors' training cuts nothing
            rgb = rgb.clamp(0, 1)
        return Answer(ab=lab(to_linear(rgb))[:, 1:], rgb=rgb)


def _widths(config: Config, ins: int, skip: int, *, last: bool) -> tuple[int, tuple[int, ...]]:
    """Channels after doubling, and of the layers that follow."""
    if config.decoder == "wide":
        wide = int(8 * config.width * config.factor) // (4 if last else 2)
        return wide, (wide,)
    both = ins // 2 + skip
    wide = int((both // 2 if last else both) * config.factor)
    return ins // 2, (wide, wide)


FROM_FASTAI = (
    (r"^layers\.0\.0\.", "encoder.conv1."),
    (r"^layers\.0\.1\.", "encoder.bn1."),
    *((rf"^layers\.0\.{k + 3}\.", f"encoder.layer{k}.") for k in range(1, 5)),
    (r"^layers\.1\.", "norm."),
    (r"^layers\.3\.(\d)\.0\.", r"middle.\1.convolution."),
    (r"^layers\.3\.(\d)\.2\.", r"middle.\1.norm."),
    *((rf"^layers\.{k + 4}\.", f"up.{k}.") for k in range(4)),
    (r"^(up\.\d)\.shuf\.conv\.0\.", r"\1.shuffle.convolution."),
    (r"^(up\.\d)\.shuf\.conv\.1\.", r"\1.shuffle.norm."),
    (r"^(up\.\d)\.bn\.", r"\1.norm."),
    (r"^(up\.\d)\.conv[12]?\.3\.", r"\1.attention."),
    (r"^(up\.\d)\.conv1?\.", r"\1.mix.0."),
    (r"^(up\.\d)\.conv2\.", r"\1.mix.1."),
    (r"^(up\.\d\.mix\.\d)\.0\.", r"\1.convolution."),
    (r"^(up\.\d\.mix\.\d)\.2\.", r"\1.norm."),
    (r"\.attention\.gamma$", ".attention.amount"),
    (r"^layers\.8\.conv\.0\.weight_v$", "shuffle.convolution.weight"),
    (r"^layers\.8\.conv\.0\.", "shuffle.convolution."),
    (r"^layers\.10\.layers\.(\d)\.0\.", r"cross.\1.convolution."),
    (r"^layers\.11\.0\.", "last."),
    (r"\.weight_orig$", ".weight"),
)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of the authors' checkpoints, which are fastai's, to ours.

    The convolutions of their self-attention have one dimension, ours two.
    """
    ours = renamed(state, FROM_FASTAI)
    return {
        k: v.unsqueeze(-1) if ".attention." in k and v.ndim == 3 else v for k, v in ours.items()
    }
