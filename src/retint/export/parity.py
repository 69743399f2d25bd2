"""How far an exported network is from the original."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PARITY = 0.01  # Lab units: the most that an exported network may differ from the original
SIZES = ((1, 61, 83), (3, 96, 64), (1, 40, 300), (2, 300, 40))  # n, h, w: odd, wide, tall

Runner = Callable[..., tuple[np.ndarray, np.ndarray]]
"""An exported network at work: L* (n, 1, h, w), and hints where it takes some, to ab (n, 2, h, w)
and confidence (n, 1, h, w)."""


@torch.no_grad()
def difference(net: nn.Module, run: Runner, rule: Mapping[str, Any], least: int = 1) -> float:
    """Largest difference between the module and its export, of ab (Lab units) and of confidence;
    infinite where shapes differ, or something is no number.

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
        given = (L, hints(L)) if takes_hints(net) else (L,)
        original: tuple[Tensor, Tensor] = net.predict(*given)  # type: ignore[operator]
        for true, found in zip(original, run(*given), strict=True):
            if true.shape != found.shape:
                return math.inf
            off = np.abs(found - true.numpy())
            worst = max(worst, float(off.max())) if np.isfinite(off).all() else math.inf
    return worst


def takes_hints(net: nn.Module) -> bool:
    """Whether `predict` has a second argument; see `layers.faces.Face`."""
    return bool(getattr(net, "hints", False))


def hints(L: Tensor) -> Tensor:
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
