"""What every network shows to the outside: L* in, ab and confidence out, all of one size; and, of
some, hints and a tilt in, a subject out.

`Regressor` is for networks that answer with ab, `Classifier` for those that answer with a
distribution over bins of the ab plane (Zhang, Isola, Efros 2016, arXiv:1603.08511).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.errors import ModelError
from retint.layers import bins
from retint.layers.answer import Answer
from retint.layers.lab import spread


@dataclass(frozen=True)
class RegressorConfig:
    """What is done with the answer of a regressing network."""

    gain: float = 1.0  # factor on the chroma, set when a model is released


@dataclass(frozen=True)
class ClassifierConfig:
    """The distribution, and what is done with it."""

    # number of colours; the centres are fixed from the corpus when a training starts
    bins: int = 313
    temperature: float = 0.38  # of the annealed mean
    gain: float = 1.0  # factor on the chroma, set when a model is released
    contrast: float = 1.0  # at use: of chroma within a picture, and ...
    evening: float = 0.0  # ... how much of the difference between pictures is taken out (`spread`)
    prior_weight: float = 0.0  # of the log prior added at use: takes back some of the rebalancing
    scales: tuple[float, ...] = (
        1.0,
    )  # at use: sizes whose answers are averaged, first the input's
    mirror: bool = True  # at use: the mean of the picture's and its mirror image's distribution


class Face(nn.Module):
    """A network as the trainer and the exporter see it.

    size: the heights and widths it takes, as in a card: `{"multiple_of": n}`, `{"fixed": [h, w]}`,
    or nothing for any. hints: whether `forward` and `predict` take a second input, (n, 3, h, w):
    a* and b* in Lab units where the mask, last, is 1; None is no hints. inputs, outputs: what
    `predict` takes and gives, in this order, by the names they have in an exported file.
    """

    size: Mapping[str, Any] = {}
    hints: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """`L`, and `hints` where it takes some."""
        return ("L", "hints") if self.hints else ("L",)

    @property
    def outputs(self) -> tuple[str, ...]:
        """`ab` and `confidence`."""
        return ("ab", "confidence")

    def forward(self, L: Tensor) -> Answer:
        """L* (n, 1, h, w), 0..100, to an answer."""
        raise NotImplementedError

    def colour(self, answer: Answer) -> tuple[Tensor, Tensor]:
        """ab (n, 2, h/s, w/s) in Lab units and confidence (n, 1, h/s, w/s) in 0..1."""
        raise NotImplementedError

    def predict(self, L: Tensor, hints: Tensor | None = None) -> tuple[Tensor, ...]:
        """What the exported network does.

        L* (n, 1, h, w), and hints where it takes some, to ab (n, 2, h, w) and confidence
        (n, 1, h, w).
        """
        ab, confidence = self.colour(self(L) if hints is None else self(L, hints))
        return _grown(ab, L), _grown(confidence, L)


class Regressor(Face):
    """A network that answers with ab. It does not know what it is sure of: confidence is 1."""

    config: Any

    def colour(self, answer: Answer) -> tuple[Tensor, Tensor]:
        """The colours, times the gain."""
        assert answer.ab is not None
        ab = answer.ab.float() * self.config.gain
        # not ones_like, which an export may make a constant of the example's batch
        return ab, ab[:, :1] * 0 + 1


class Classifier(Face):
    """A network that answers with logits over bins. It ends in `classify`, a convolution.

    `predict` also takes a tilt (m, 2): theta, for which each colour c becomes exp(theta . c) times
    as likely. Where the network is sure that changes next to nothing; one L* may have m of them.
    """

    centres: Tensor  # (q, 2), Lab units
    prior: Tensor  # (q,), share of each bin in the corpus
    classify: nn.Conv2d

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("centres", torch.zeros(config.bins, 2))
        self.register_buffer("prior", torch.full((config.bins,), 1 / config.bins))

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

    @property
    def inputs(self) -> tuple[str, ...]:
        """What every face takes, and `tilt`."""
        return (*super().inputs, "tilt")

    @property
    def outputs(self) -> tuple[str, ...]:
        """What every face gives, and `subject` where it names some."""
        return (*super().outputs, "subject") if self._names_subjects() else super().outputs

    def _names_subjects(self) -> bool:
        return bool(getattr(self.config, "subjects", 0))

    def colour(self, answer: Answer, tilt: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The annealed mean, spread if so configured, and how much of the distribution is near."""
        assert answer.logits is not None
        mixed = (self.prior + 1 / len(self.prior)) / 2
        logits = answer.logits.float() + self.config.prior_weight * mixed.log()[:, None, None]
        if tilt is not None:
            logits = logits + (tilt @ self.centres.T)[:, :, None, None]
        ab = bins.annealed_mean(logits, self.centres, self.config.temperature)
        confidence = bins.nearness(logits, ab, self.centres)
        if self.config.contrast != 1 or self.config.evening:
            ab = spread(ab, self.config.contrast, self.config.evening)
        return ab * self.config.gain, confidence

    def predict(
        self, L: Tensor, hints: Tensor | None = None, tilt: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """As every face does; over the mean of the logarithms of the distributions at several
        sizes, and of the mirror image. `subject`, (n, c), is the share of each."""
        logits, subject = self._log_shares(L, hints)
        for scale in self.config.scales[1:]:
            size = [_nearest_size(n, scale, self.size.get("multiple_of", 1)) for n in L.shape[2:]]
            small = F.interpolate(L, size=size, mode="bilinear")
            told = None if hints is None else _shrunk(hints, size)
            logits = logits + F.interpolate(
                self._log_shares(small, told)[0], size=logits.shape[2:], mode="bilinear"
            )
        mean = Answer(logits=logits / len(self.config.scales))
        found = tuple(_grown(x, L) for x in self.colour(mean, tilt))
        if not self._names_subjects():
            return found
        assert subject is not None
        return (*found, torch.softmax(subject.float(), 1))

    def _log_shares(self, L: Tensor, hints: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Log of the distribution, and logits of the subjects; of picture and mirror image, if so
        configured, their mean."""
        given = (L,) if hints is None else (L, hints)
        if not self.config.mirror:
            answer: Answer = self(*given)
            return _log_softmax(answer), answer.subject
        answer = self(*(torch.cat((x, x.flip(3))) for x in given))
        there, back = _halves(_log_softmax(answer), L)
        subject = answer.subject
        if subject is not None:
            seen, mirrored = _halves(subject, L)
            subject = (seen + mirrored) / 2
        return (there + back.flip(3)) / 2, subject


def _halves(x: Tensor, L: Tensor) -> tuple[Tensor, Tensor]:
    """What belongs to the pictures, and to their mirror images."""
    return x[: L.shape[0]], x[L.shape[0] :]  # not chunk: torch.export would fix n


def _shrunk(hints: Tensor, size: list[int]) -> Tensor:
    """Hints at a smaller size; a place that is hinted in part has the hint's colour whole."""
    mask = F.interpolate(hints[:, 2:], size=size, mode="bilinear")
    ab = F.interpolate(hints[:, :2] * hints[:, 2:], size=size, mode="bilinear")
    return torch.cat((ab / mask.clamp_min(1e-6), mask), 1)


def _log_softmax(answer: Answer) -> Tensor:
    assert answer.logits is not None
    return torch.log_softmax(answer.logits.float(), 1)


def _nearest_size(n: int, scale: float, multiple: int) -> int:
    """The size that the network takes nearest to n * scale, for scales of at least 1/2.

    In whole numbers, since this becomes part of the exported network.
    """
    return (n * round(scale * 96) // 96 + multiple // 2) // multiple * multiple


def _grown(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[2:] == like.shape[2:]:
        return x
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)
