"""What happened in a training since it last said something."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retint.train.course import Position


@dataclass
class Lately:
    """What happened since the last line of the log."""

    step: int
    begun: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    losses: list[Tensor] = field(default_factory=list[Tensor])
    parts: list[dict[str, Tensor]] = field(default_factory=list[dict[str, Tensor]])
    accuracy: list[float] = field(default_factory=list[float])

    @property
    def seconds(self) -> float:
        """Since then."""
        return max(time.monotonic() - self.begun, 1e-9)

    def row(
        self, here: Position, *, stage: str, batch: int, epoch: int, rate: float
    ) -> dict[str, Any]:
        """A line of the log, without what is measured on pictures kept apart.

        batch: pictures in one; epoch: batches in one; rate: the learning rate.
        """
        taken, known = here.step - self.step, bool(self.losses)
        row: dict[str, Any] = {
            "step": here.step,
            "epoch": round(here.step / epoch, 3),
            "stage": stage,
            "pictures": here.step * batch,
            "minutes": round(here.seconds / 60, 3),
            "rate": float(f"{rate:.3g}"),
            "loss": round(float(torch.stack(self.losses).mean()), 5) if known else None,
            "accuracy": round(float(np.mean(self.accuracy)), 4) if self.accuracy else None,
            "per_second": round(taken * batch / self.seconds, 1) if known else None,
            "waiting": round(self.waited / self.seconds, 3) if known else None,
        }
        if known and len(self.parts[0]) > 1:
            for name in self.parts[0]:
                mean = torch.stack([part[name].float() for part in self.parts]).mean()
                row[f"loss_{name}"] = round(mean.item(), 5)
        return row
