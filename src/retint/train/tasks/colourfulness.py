"""Colourfulness as an aim of its own (Kang et al. 2023, arXiv:2212.11613).

The measure is that of Hasler & Süsstrunk 2003, doi:10.1117/12.477378, with the absolute opponent
colours that DDColor's authors take.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from retint.layers.answer import Answer
from retint.layers.lab import srgb
from retint.train.tasks import Term, Truth


class Colourfulness(Term):
    """1 less the colourfulness of the guess, in sRGB of 0..1; the mean over the pictures."""

    def __init__(self, given: object) -> None:
        super().__init__()

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        guessed = answer.ab if answer.ab is not None else net.colour(answer)[0]
        L = F.interpolate(truth.L, size=guessed.shape[2:], mode="area")
        return 1 - colourfulness(srgb(L, guessed.float())).mean()


def colourfulness(rgb: Tensor) -> Tensor:
    """Of each of the pictures (n, 3, h, w), 0..1: (n,)."""
    red, green, blue = rgb.flatten(2).unbind(1)
    opponents = torch.stack((red - green, (red + green) / 2 - blue), 1).abs()
    spread = opponents.var(2).sum(1)
    level = opponents.mean(2).square().sum(1)
    return (spread + 1e-8).sqrt() + 0.3 * (level + 1e-8).sqrt()  # grey has a gradient too
