"""How far an exported network is from the original."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from retint.export.graph import Exported

PARITY = 0.01  # Lab units: the most that an exported network may differ from the original
SIZES = ((1, 61, 83), (3, 96, 64), (1, 40, 300), (2, 300, 40))  # n, h, w: odd, wide, tall

Runner = Callable[..., tuple[np.ndarray, ...]]
"""An exported network at work: from what `given` makes of L* (n, 1, h, w) to ab (n, 2, h, w),
confidence (n, 1, h, w), and what else it gives."""


@torch.no_grad()
def difference(net: nn.Module, run: Runner, rule: Mapping[str, Any], least: int = 1) -> float:
    """Largest difference between the module and its export, of ab (Lab units), of confidence and of
    what else it gives; infinite where shapes differ, or something is no number.

    rule: the network's, on sizes, as on a card; they are rounded up to it, as the Predictor pads,
    and to at least so many of its multiples.
    """
    random = torch.Generator().manual_seed(0)
    worst = 0.0
    for n, height, width in SIZES:
        h, w = allowed(height, width, rule, least)
        L = nn.functional.interpolate(
            torch.rand(n, 1, 8, 8, generator=random) * 100, size=(h, w), mode="bilinear"
        )
        shown = given(net, L)
        original: tuple[Tensor, ...] = Exported(net)(*shown)
        for true, found in zip(original, run(*shown), strict=True):
            if true.shape != found.shape:
                return math.inf
            off = np.abs(found - true.numpy())
            worst = max(worst, float(off.max())) if np.isfinite(off).all() else math.inf
    return worst


def given(net: nn.Module, L: Tensor) -> tuple[Tensor, ...]:
    """L* (n, 1, h, w), and something for each further input of the network."""
    makers = {"L": lambda L: L, "hints": _hints, "tilt": _tilt}
    return tuple(makers[name](L) for name in Exported(net).inputs)


def _tilt(L: Tensor) -> Tensor:
    """A tilt for each picture, a little to red and blue."""
    return L.new_tensor([0.02, -0.03]).expand(len(L), 2).clone()


def _hints(L: Tensor) -> Tensor:
    """Hints for L* (n, 1, h, w): orange in the left upper corner."""
    shown = torch.cat((L, L, L), 1) * 0
    h, w = (max(1, side // 8) for side in L.shape[2:])
    shown[:, :, :h, :w] = torch.tensor([40.0, 50.0, 1.0])[:, None, None]
    return shown


def allowed(height: int, width: int, rule: Mapping[str, Any], least: int = 1) -> tuple[int, int]:
    """The next size that a network takes, at least so many multiples to a side."""
    if "fixed" in rule:
        return tuple(rule["fixed"])
    multiple = rule.get("multiple_of", 1)
    h, w = (max(least, -(-side // multiple)) * multiple for side in (height, width))
    return h, w
