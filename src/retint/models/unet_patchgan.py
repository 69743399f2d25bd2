"""The U-Net of pix2pix, taught by a critic of patches: seed 000's way to colour an archive.

Paper: Isola et al. 2017, arXiv:1611.07004. Origin: seed 000. Licence: MIT (ours); no published
weights. Exact, by the paper's appendix 6.1.1 and its erratum: eight 4x4 convolutions of stride 2
down to a 256th, no norm on the first and the smallest, as many transposed ones up, dropout in the
three smallest, first weights from N(0, 0.02); a bias on the last alone, as in the authors' code
(54,409,858 parameters). The critic of 70x70 patches is `layers.patch_critic`. The stages (L1, then
adversarial and L1, then the archive) are the recipe's. Chosen, as the seed prints no numbers:
L/50 - 1 in and ab/110 out, pix2pix' own units for colorization; and dropout rests at use, since the
seed asks for "uniform and reproducible results".
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from retint.errors import ModelError
from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig

UNIT = 110.0  # Lab units of ab that are 1 inside the network


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 2, 4, 8, ...; rate of dropout on the three smallest maps of the way
    up."""

    channels: tuple[int, ...] = (64, 128, 256, 512, 512, 512, 512, 512)
    dropout: float = 0.5


variants = {"default": Config(), "tiny": Config(channels=(8, 8, 16, 16, 16), dropout=0.1)}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, within 110."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        if len(config.channels) < 2:
            raise ModelError("unet-patchgan: fewer than two channels")
        self.config = config
        self.size = {"multiple_of": 2 ** len(config.channels)}
        widths = config.channels
        smallest = len(widths) - 1
        self.down = nn.ModuleList(
            _down(ins, outs, first=k == 0, norm=0 < k < smallest)
            for k, (ins, outs) in enumerate(zip((1, *widths), widths, strict=False))
        )
        self.up = nn.ModuleList()
        for k, outs in enumerate(widths[-2::-1]):
            ins = widths[-1] if k == 0 else 2 * widths[-1 - k]
            self.up.append(_up(ins, outs, config.dropout if k < 3 else 0.0))
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], 2, 4, 2, 1))
        for module in self.modules():
            _start(module)

    def forward(self, L: Tensor) -> Answer:
        x = L / 50 - 1
        bridges: list[Tensor] = []
        for stage in self.down:
            x = stage(x)
            bridges.append(x)
        x = bridges.pop()
        for stage in self.up:
            x = torch.cat((stage(x), bridges.pop()), 1)
        return Answer(ab=torch.tanh(self.last(x)) * UNIT)


def _down(ins: int, outs: int, *, first: bool, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(ins, outs, 4, 2, 1, bias=False))
    return nn.Sequential(*layers, *([nn.BatchNorm2d(outs)] if norm else []))


def _up(ins: int, outs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.ConvTranspose2d(ins, outs, 4, 2, 1, bias=False),
        nn.BatchNorm2d(outs),
        nn.Dropout(dropout),
    )


def _start(module: nn.Module) -> None:
    """The paper's first weights; those of a norm lie about 1."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
