"""retint's own family: a U-Net over a pretrained encoder that predicts a distribution over colours.

Papers: MobileNetV2 (arXiv:1801.04381) for the encoder; Zhang et al. 2016 (arXiv:1603.08511) for
the distribution over
ab bins; Iizuka et al. 2016 (doi:10.1145/2897824.2925974) for the global feature added everywhere.
Origin: this project. Licence: MIT (code); for weights see their card.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.errors import ModelError
from retint.layers import bins
from retint.layers.answer import Answer
from retint.layers.mobilenet_v2 import CHANNELS, MobileNetV2

MULTIPLE_OF = 32  # the network's size rule: height and width


@dataclass(frozen=True)
class Config:
    """Sizes of the network, and what is done with its answer."""

    # number of colours; the centres are fixed from the corpus when a training starts
    bins: int = 313
    subjects: int = 0  # classes of what is shown, fixed likewise; 0: it does not say
    bottleneck: int = 256
    decoder: tuple[int, int, int] = (192, 128, 96)  # channels at strides 16, 8 and 4
    temperature: float = 0.38  # of the annealed mean
    gain: float = 1.0  # factor on the chroma, set when a model is released
    prior_weight: float = 0.0  # of the log prior added at use: takes back some of the rebalancing
    scales: tuple[float, ...] = (
        1.0,
    )  # at use: sizes whose answers are averaged, first the input's
    mirror: bool = True  # at use: the mean of the picture's and its mirror image's distribution


variants = {"default": Config(), "tiny": Config(bins=40, bottleneck=16, decoder=(16, 12, 8))}


class Up(nn.Module):
    """Double the size, take the encoder's feature of that size beside, mix."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels + skip, out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.relu(self.norm(self.convolution(torch.cat((x, skip), 1))))


class Net(nn.Module):
    """L* (n, 1, h, w), 0..100, h and w multiples of 32, to logits over the bins (n, q, h/4, w/4),
    and over the subjects (n, c) where it has some."""

    centres: Tensor  # (q, 2), Lab units
    prior: Tensor  # (q,), share of each bin in the corpus

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("centres", torch.zeros(config.bins, 2))
        self.register_buffer("prior", torch.full((config.bins,), 1 / config.bins))
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
        if config.subjects:
            self.subject = nn.Linear(at32, config.subjects)

    def start_from(self, encoder: Path) -> None:
        """Take the encoder's weights from a file of pretrained ones."""
        self.encoder.load(encoder)

    def set_bins(self, centres: Tensor, prior: Tensor) -> None:
        """Fix the colours (q, 2) and their shares (q,), and let the untrained network answer with
        those shares."""
        if centres.shape != self.centres.shape:
            raise ModelError(f"{len(centres)} colours for a network of {self.config.bins}")
        self.centres.copy_(centres)
        self.prior.copy_(prior)
        assert self.classify.bias is not None
        with torch.no_grad():
            self.classify.bias.copy_(prior.clamp_min(1e-6).log())

    def forward(self, L: Tensor) -> Answer:
        _, at4, at8, at16, at32 = self.encoder(L)
        whole = at32.mean((2, 3))
        x = self.bottleneck(at32) + self.whole(whole)[:, :, None, None]
        x = self.up16(x, at16)
        x = self.up8(x, at8)
        subject = self.subject(whole) if self.config.subjects else None
        return Answer(logits=self.classify(self.up4(x, at4)), subject=subject)

    def colour(self, answer: Answer) -> tuple[Tensor, Tensor]:
        """The colours chosen and the confidence in them.

        ab (n, 2, h/4, w/4) in Lab units; confidence (n, 1, h/4, w/4), 0..1.
        """
        assert answer.logits is not None
        logits = answer.logits.float()
        mixed = (self.prior + 1 / len(self.prior)) / 2
        logits = logits + self.config.prior_weight * mixed.log()[:, None, None]
        ab = bins.annealed_mean(logits, self.centres, self.config.temperature)
        confidence = bins.nearness(logits, ab, self.centres)
        return ab * self.config.gain, confidence

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """What the exported network does.

        L* (n, 1, h, w) to ab (n, 2, h, w) and confidence (n, 1, h, w).
        """
        logits = self._log_shares(L)
        for scale in self.config.scales[1:]:
            size = [_nearest_size(n, scale) for n in L.shape[2:]]
            small = F.interpolate(L, size=size, mode="bilinear")
            logits = logits + F.interpolate(
                self._log_shares(small), size=logits.shape[2:], mode="bilinear"
            )
        ab, confidence = self.colour(Answer(logits=logits / len(self.config.scales)))
        return _grown(ab), _grown(confidence)

    def _log_shares(self, L: Tensor) -> Tensor:
        """Log of the distribution; of picture and mirror image, if so configured, their mean."""
        if not self.config.mirror:
            return _log_softmax(self(L))
        both = _log_softmax(self(torch.cat((L, L.flip(3)))))
        there, back = both[: L.shape[0]], both[L.shape[0] :]  # not chunk: torch.export would fix n
        return (there + back.flip(3)) / 2


def _nearest_size(n: int, scale: float) -> int:
    """The size that the network takes nearest to n * scale, for scales of at least 1/2.

    In whole numbers, since this becomes part of the exported network.
    """
    return (n * round(scale * 96) // 96 + MULTIPLE_OF // 2) // MULTIPLE_OF * MULTIPLE_OF


def _log_softmax(answer: Answer) -> Tensor:
    assert answer.logits is not None
    return torch.log_softmax(answer.logits.float(), 1)


def _grown(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=4.0, mode="bilinear", align_corners=False)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: this family is ours, so they stay as they are."""
    return state
