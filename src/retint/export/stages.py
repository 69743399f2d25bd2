"""Several networks as one: joined modules with the face of a single one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from retint.errors import ModelError


class Mean(nn.Module):
    """Networks whose colours, and whose confidences, are averaged."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.size = common_size([part.size for part in parts])  # type: ignore[arg-type]

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """L* (n, 1, h, w) to ab (n, 2, h, w) and confidence (n, 1, h, w)."""
        found: list[Any] = [part.predict(L) for part in self.parts]  # type: ignore[operator]
        ab = torch.stack([ab for ab, _ in found]).mean(0)
        return ab, torch.stack([confidence for _, confidence in found]).mean(0)


class Cascade(nn.Module):
    """Networks in a row: each but the first also gets the ab and the confidence of the one before,
    as `predict(L, ab, confidence)`."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.size = common_size([part.size for part in parts])  # type: ignore[arg-type]

    def predict(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """L* (n, 1, h, w) to ab (n, 2, h, w) and confidence (n, 1, h, w)."""
        first, *others = self.parts
        ab, confidence = first.predict(L)  # type: ignore[operator]
        for part in others:
            ab, confidence = part.predict(L, ab, confidence)  # type: ignore[operator]
        return ab, confidence


def common_size(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rule on sizes that satisfies all of these; ModelError where there is none."""
    fixed = {tuple(rule["fixed"]) for rule in rules if "fixed" in rule}
    multiple = math.lcm(*(rule.get("multiple_of", 1) for rule in rules))
    if not fixed:
        return {"multiple_of": multiple}
    size = fixed.pop()
    if fixed or any(side % multiple for side in size):
        raise ModelError("networks to be joined take no size in common")
    return {"fixed": list(size)}


KINDS = {"mean": Mean, "cascade": Cascade}
"""Ways to join networks, by the word that stands for the family on the card."""
