"""What a network is trained for: terms that a recipe sums to a loss.

A term is a module called with the network, its answer and the truth, and returns one number. What
it must remember (a critic, say) is in its state dict, and so in the checkpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.lab import lab
from retint.train import film
from retint.train.recipe import Film, Recipe


@dataclass
class Truth:
    """What was photographed: L* (n, 1, h, w) as the network sees it, the scene in linear light
    (n, 3, h, w), its subjects (n,), -1 where unknown."""

    L: Tensor
    scene: Tensor
    subjects: Tensor
    _ab: dict[torch.Size, Tensor] = field(default_factory=dict[torch.Size, Tensor])

    @classmethod
    def developed(
        cls, pixels: Tensor, subjects: Tensor, how: Film, random: torch.Generator
    ) -> "Truth":
        """Of crops, uint8 (n, 3, h, w), turned grey as `film.develop` does it."""
        with torch.no_grad():
            L, scene = film.develop(pixels, how, random)
        return cls(L, scene, subjects)

    def ab(self, like: Tensor | None = None) -> Tensor:
        """True ab in Lab units, at the size of `like` (averaged in linear light) or in full."""
        size = (self.scene if like is None else like).shape[2:]
        if size not in self._ab:
            scene = self.scene
            if scene.shape[2:] != size:
                scene = F.interpolate(scene, size=size, mode="area")
            self._ab[size] = lab(scene)[:, 1:]
        return self._ab[size]


class Term(nn.Module):
    """One part of a loss. `learn`, called before, is for terms that learn something themselves."""

    def learn(self, net: Any, answer: Answer, truth: Truth) -> None:
        """Take a step of one's own, on an answer that is not to be changed by it."""

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        """The loss, a scalar: smaller is better."""
        raise NotImplementedError


@dataclass
class Circumstances:
    """What a term may need when it is made: the recipe, the network, where files of weights lie,
    the names of the subjects, how to spread a module over several processes."""

    recipe: Recipe
    net: Any
    backbones: Path | None
    classes: list[str]
    device: Any
    spread: Callable[[nn.Module], nn.Module]


def terms(weights: Mapping[Any, float], given: Circumstances) -> nn.ModuleDict:
    """The terms named by a recipe's `loss`, on the network's device; OptionsError where the
    network does not say what a term learns from."""
    from retint.train.tasks import (
        adversarial,
        bins,
        colourfulness,
        distillation,
        perceptual,
        regression,
        rgb,
        subject,
    )

    makers: dict[str, Callable[[Circumstances], Term]] = {
        "mse": regression.MSE,
        "l1": regression.L1,
        "huber": regression.Huber,
        "rgb": rgb.RGB,
        "bins": bins.BinsTerm,
        "adversarial": adversarial.Adversarial,
        "wgan": adversarial.Wasserstein,
        "perceptual": perceptual.Perceptual,
        "distillation": distillation.Distillation,
        "colourfulness": colourfulness.Colourfulness,
        "subject": subject.Subject,
        "distribution": subject.Distribution,
    }
    return nn.ModuleDict({name: makers[name](given) for name in weights}).to(given.device)
