"""Networks combined: their colours averaged, or the colours of one told to the next.

Origin: seed 002, which means "to mix different networks (e.g. append another network to the result
of the other)". Licence: MIT (ours); weights are their parts'. Exact: both ways of the seed. Chosen:
the parts of the default; and how a network that takes nothing but L* is told colours: a 3x3
convolution adds them to the L* it is shown. A network that takes hints is given, as such, the
colours that the one before was sure of, and needs no further training.

Parts that are trained become one model by `retint export A B` (averaged) or `--cascade`.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.sizes import common_size
from retint.models import build


@dataclass(frozen=True)
class Config(RegressorConfig):
    """The parts, each `{"family": name, "config": what differs from its defaults}`; whether they
    stand side by side or in a row; from which confidence on colours are hints."""

    parts: tuple[dict[str, Any], ...] = ({"family": "batch"}, {"family": "skip"})
    how: Literal["mean", "cascade"] = "mean"
    sure: float = 0.5


_TINY = (
    {"family": "batch", "config": {"channels": (4, 8, 16)}},
    {"family": "skip", "config": {"channels": (4, 8, 8, 16)}},
)
variants = {
    "default": Config(),
    "cascade": Config(how="cascade"),
    "tiny": Config(parts=_TINY, how="cascade"),
    "tiny-mean": Config(parts=_TINY),
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units: that of the parts as they are used,
    each with its own gain, mirror images and scales."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        parts = [build(part["family"], part.get("config", {})) for part in config.parts]
        self.parts = nn.ModuleList(parts)
        self.size = common_size([part.size for part in parts])
        told = parts[1:] if config.how == "cascade" else []
        self.told = nn.ModuleList(nn.Identity() if part.hints else _told() for part in told)

    def forward(self, L: Tensor) -> Answer:
        return Answer(ab=self._combined(L)[0])

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """As every face does, with the parts' confidence: the mean of them, or the last one's."""
        ab, confidence = self._combined(L)
        return ab * self.config.gain, confidence

    def _combined(self, L: Tensor) -> tuple[Tensor, Tensor]:
        first, *others = self.parts
        found: list[tuple[Tensor, Tensor]] = [first.predict(L)[:2]]  # type: ignore[operator]
        if self.config.how == "mean":
            found += [part.predict(L)[:2] for part in others]  # type: ignore[operator]
            ab, confidence = (torch.stack(kind).mean(0) for kind in zip(*found, strict=True))
            return ab, confidence
        ab, confidence = found[0]
        for part, told in zip(others, self.told, strict=True):
            if part.hints:
                sure = (confidence >= self.config.sure).float()
                hints = torch.cat((ab * sure, sure), 1)
                ab, confidence = part.predict(L, hints)[:2]  # type: ignore[operator]
            else:
                ab, confidence = part.predict(L + 100 * told(ab / 128))[:2]  # type: ignore[operator]
        return ab, confidence


def _told() -> nn.Conv2d:
    """From colours to what they add to L*: next to nothing at first."""
    convolution = nn.Conv2d(2, 1, 3, padding=1)
    nn.init.normal_(convolution.weight, 0.0, 0.01)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
