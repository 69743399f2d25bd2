"""Real-time user-guided colorization: a U-Net that follows colours given in a few places.

Paper: Zhang, Zhu, Isola, Geng, Lin, Yu, Efros 2017, arXiv:1705.02999 (section 3 and figure 3).
Licence: MIT (ours, written from the paper); the authors' code and weights are BSD-2-Clause.
Exact: every layer of the local hints network; the weights of the authors' PyTorch release load.
Left out: the branch that gives a distribution over 529 colours, which suggests colours to a user
and has no part in the picture; its weights are dropped. Chosen: global hints (`histogram`) are the
colours of the hints given, wherever they are, and chroma stands for saturation, since hints are all
that comes in; the layers that take them are the paper's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers import bins
from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.published import Published
from retint.layers.zhang import block, start

AB_UNIT = 110.0  # Lab units that are 1 inside the network
SIGMA = 5.0  # Lab units: of the Gaussian by which a colour falls to bins


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Channels at strides 1, 2, 4 and 8, and whether the hints' histogram is told to every place.

    step: Lab units between the bins of that histogram.
    """

    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    histogram: bool = False
    step: float = 10.0


variants = {
    "default": Config(),
    "global": Config(histogram=True),
    "tiny": Config(channels=(4, 8, 8, 8)),
}

published = {
    "default": Published(
        weights_license="BSD-2-Clause",
        origin="github.com/richzhang/colorization, siggraph17-df00044c.pth",
        data="ImageNet (ILSVRC 2012), 1.3 million photographs; its terms: non-commercial research",
        description="Real-time user-guided colorization (SIGGRAPH 2017), as released.",
        paper=("Zhang et al. 2017, Real-Time User-Guided Image Colorization, arXiv:1705.02999",),
    )
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, and hints (n, 3, h, w) to ab (n, 2, h, w), Lab units, within 110."""

    size: Mapping[str, Any] = {"multiple_of": 8}
    hints = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        c1, c2, c4, c8 = config.channels
        # as in the release, whose names these are, the shortcuts join before the first ReLU
        self.model1 = block(4, c1, 2)
        self.model2 = block(c1, c2, 2)
        self.model3 = block(c2, c4, 3)
        self.model4 = block(c4, c8, 3)
        self.model5 = block(c8, c8, 3, dilation=2)
        self.model6 = block(c8, c8, 3, dilation=2)
        self.model7 = block(c8, c8, 3)
        self.model8up = nn.Sequential(nn.ConvTranspose2d(c8, c4, 4, 2, 1))
        self.model3short8 = nn.Sequential(nn.Conv2d(c4, c4, 3, 1, 1))
        self.model8 = nn.Sequential(nn.ReLU(), *block(c4, c4, 2))
        self.model9up = nn.Sequential(nn.ConvTranspose2d(c4, c2, 4, 2, 1))
        self.model2short9 = nn.Sequential(nn.Conv2d(c2, c2, 3, 1, 1))
        self.model9 = nn.Sequential(nn.ReLU(), *block(c2, c2, 1))
        self.model10up = nn.Sequential(nn.ConvTranspose2d(c2, c2, 4, 2, 1))
        self.model1short10 = nn.Sequential(nn.Conv2d(c1, c2, 3, 1, 1))
        self.model10 = nn.Sequential(nn.ReLU(), nn.Conv2d(c2, c2, 3, 1, 1), nn.LeakyReLU(0.2))
        self.model_out = nn.Sequential(nn.Conv2d(c2, 2, 1), nn.Tanh())
        if config.histogram:
            self.whole = Histogram(c8, config.step)
        start(self)
        nn.init.normal_(self.model_out[0].weight, 0.0, 0.01)  # type: ignore[arg-type]

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Answer:
        if hints is None:
            hints = torch.cat((L, L, L), 1) * 0
        ab, mask = hints[:, :2], hints[:, 2:]
        at1 = self.model1(torch.cat(((L - 50) / 100, ab / AB_UNIT, mask), 1))
        at2 = self.model2(at1[:, :, ::2, ::2])
        at4 = self.model3(at2[:, :, ::2, ::2])
        x = self.model4(at4[:, :, ::2, ::2])
        if self.config.histogram:
            x = x + self.whole(ab, mask)
        x = self.model7(self.model6(self.model5(x)))
        x = self.model8(self.model8up(x) + self.model3short8(at4))
        x = self.model9(self.model9up(x) + self.model2short9(at2))
        x = self.model10(self.model10up(x) + self.model1short10(at1))
        return Answer(ab=self.model_out(x) * AB_UNIT)


class Histogram(nn.Module):
    """Hints' ab (n, 2, h, w) in Lab units and mask (n, 1, h, w) to a feature of the whole picture
    (n, c, 1, 1): from the share of each bin, the mean chroma, and whether there are hints at all.
    """

    centres: Tensor

    def __init__(self, channels: int, step: float) -> None:
        super().__init__()
        centres = bins.in_gamut(step)
        self.register_buffer("centres", centres, persistent=False)
        self.colours = nn.Conv2d(len(centres) + 1, channels, 1)
        self.chroma = nn.Conv2d(2, channels, 1)
        layers: list[nn.Module] = [nn.ReLU(), nn.BatchNorm2d(channels)]
        for _ in range(3):
            layers += [nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.BatchNorm2d(channels)]
        self.layers = nn.Sequential(*layers)

    def forward(self, ab: Tensor, mask: Tensor) -> Tensor:
        seen = F.avg_pool2d(mask, 4)  # a histogram needs no more than a quarter of the size
        ab = F.avg_pool2d(ab * mask, 4) / seen.clamp_min(1e-3)
        # exp(-d^2 / 2 sigma^2) but for what all bins share, as convolutions
        weight = self.centres[:, :, None, None] / SIGMA**2
        bias = -(self.centres * self.centres).sum(1) / (2 * SIGMA**2)
        share = torch.softmax(F.conv2d(ab.float(), weight, bias), 1)
        total = seen.sum((2, 3), keepdim=True)
        some = (total > 0).to(share)

        def mean(x: Tensor) -> Tensor:
            return (x * seen).sum((2, 3), keepdim=True) / total.clamp_min(1e-3)

        chroma = mean((ab * ab).sum(1, keepdim=True).clamp_min(1e-6).sqrt()) / AB_UNIT
        colours = self.colours(torch.cat((mean(share), some), 1))
        return self.layers(colours + self.chroma(torch.cat((chroma, some), 1)))


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the authors' PyTorch release, whose names are ours, without its classifier."""
    return {key: value for key, value in state.items() if not key.startswith("model_class.")}
