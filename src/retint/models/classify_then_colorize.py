"""A classifier that leaves each picture to the colorizer for what it shows, or to the general one.

Origin: seed 004, future efforts: "an architecture that first classifies an image (for example, the
breed of the dog) and then colorizes it based on the above result". Paper of the classifier's
encoder: Sandler et al. 2018, arXiv:1801.04381 (MobileNetV2). Licence: MIT (ours); weights are their
parts'. Exact: the seed's idea. Chosen: the classifier is the encoder and the `subject` layer of the
family `retint`, so that one trained there on a corpus' labels is taken over whole; the general
colorizer is for subjects without an expert and for pictures of which the classifier is less sure
than `below`. Trained as one network, half of a batch teaches the general colorizer, and of the
other half each expert as much as the classifier says it shows its subject.

At use all colorizers colour each picture, and one answer is chosen: the graph stays plain, and a
batch of any pictures is one run. An expert costs its whole time whether chosen or not.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from retint.errors import ModelError
from retint.layers.answer import Answer
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.mobilenet_v2 import CHANNELS, MobileNetV2
from retint.layers.sizes import common_size
from retint.models import build


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Subjects that the classifier knows; the general colorizer as `{"family": name, "config":
    what differs from its defaults}`; experts likewise, with the number of their `subject`; from
    which confidence on they are asked."""

    subjects: int = 2
    general: dict[str, Any] = field(default_factory=lambda: {"family": "skip"})
    experts: tuple[dict[str, Any], ...] = (
        {"family": "skip", "subject": 0},
        {"family": "skip", "subject": 1},
    )
    below: float = 0.5


_TINY = {"family": "basic", "config": {"channels": (8, 8)}}
variants = {
    "default": Config(),
    "tiny": Config(
        subjects=3, general=_TINY, experts=({**_TINY, "subject": 2}, {**_TINY, "subject": 0})
    ),
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units, and what is shown (n, subjects)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.expert_on = [int(expert["subject"]) for expert in config.experts]
        if wrong := [k for k in self.expert_on if not 0 <= k < config.subjects]:
            raise ModelError(f"an expert on subject {wrong[0]}, of {config.subjects} from 0 on")
        if len(set(self.expert_on)) < len(self.expert_on):
            raise ModelError("two experts on one subject")
        self.encoder = MobileNetV2()
        self.subject = nn.Linear(CHANNELS[-1], config.subjects)
        self.general = _built(config.general)
        self.experts = nn.ModuleList(_built(expert) for expert in config.experts)
        parts: list[Any] = [self.general, *self.experts]
        self.size = common_size([{"multiple_of": 32}, *(part.size for part in parts)])

    def start_from(self, encoder: Path) -> None:
        """Take the classifier's encoder from a file of pretrained weights."""
        self.encoder.load(encoder)

    def forward(self, L: Tensor) -> Answer:
        subject = self.subject(self.encoder(L)[-1].mean((2, 3)))
        shares = torch.softmax(subject.float(), 1)
        weights = self._lessons(shares) if self.training else self._choice(shares)
        return Answer(ab=self._coloured(L, weights)[0], subject=subject)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What every face gives, and what is shown."""
        return (*super().outputs, "subject")

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As every face does: colours and confidence of the chosen colorizer, and the shares that
        it was chosen by."""
        shares = torch.softmax(self.subject(self.encoder(L)[-1].mean((2, 3))).float(), 1)
        ab, confidence = self._coloured(L, self._choice(shares))
        return ab * self.config.gain, confidence, shares

    def _choice(self, shares: Tensor) -> Tensor:
        """Which colorizer is chosen, (n, 1 + experts): 1 for it, 0 for the others; first is the
        general one."""
        sure, shown = shares.max(1, keepdim=True)
        known = torch.tensor(self.expert_on, device=shares.device)
        asked = (shown == known) & (sure >= self.config.below)
        return _with_rest(asked.float())

    def _lessons(self, shares: Tensor) -> Tensor:
        """How much each colorizer learns of each picture, (n, 1 + experts)."""
        experts = shares[:, self.expert_on]
        return _with_rest(experts * (torch.rand(len(shares), 1, device=shares.device) < 0.5))

    def _coloured(self, L: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of all colorizers' ab and confidence with these weights."""
        parts: list[Any] = [self.general, *self.experts]
        found = zip(*(part.predict(L)[:2] for part in parts), strict=True)
        each = weights[:, :, None, None, None]
        ab, confidence = (torch.stack(kind, 1) for kind in found)
        return (ab * each).sum(1), (confidence * each).sum(1)


def _built(part: dict[str, Any]) -> Any:
    return build(part["family"], part.get("config", {}))


def _with_rest(experts: Tensor) -> Tensor:
    """Weights of the experts (n, k), and before them what is left for the general colorizer."""
    return torch.cat((1 - experts.sum(1, keepdim=True), experts), 1)


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of a foreign checkpoint to ours: there is none."""
    return state
