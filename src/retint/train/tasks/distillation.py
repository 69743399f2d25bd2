"""What a pretrained encoder sees in the picture in colour, learned from the grey one.

Papers: Gupta, Hoffman, Malik 2016, arXiv:1507.00448 (a teacher of another modality); Romero et al.
2015, arXiv:1412.6550 (features as what is taught).
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from retint.errors import OptionsError
from retint.layers.answer import Answer
from retint.layers.lab import from_linear
from retint.layers.mobilenet_v2 import MobileNetV2
from retint.train.tasks import Circumstances, Term, Truth


class Distillation(Term):
    """One less the cosine between the encoder's deepest features and those of a teacher, who is not
    trained and sees the picture in colour: 0..2, the mean of that place by place and of that of
    the picture as a whole. It keeps what the encoder knew of things that the corpus does not show.
    """

    def __init__(self, given: Circumstances) -> None:
        super().__init__()
        how = given.recipe.distillation
        path = given.backbones / how.weights if given.backbones else Path(how.weights)
        if not path.is_file():
            raise OptionsError(
                f"distillation.weights: {how.weights} is not there: give its folder with "
                "--backbones, or drop the term `distillation` from the recipe's loss"
            )
        teacher: Any = MobileNetV2()
        teacher.load(path)
        self.scale = how.scale
        teacher.to(given.device, memory_format=torch.channels_last)
        # in a list: its weights are no part of the training's state
        self._teacher = [teacher.eval().requires_grad_(False)]

    @torch.no_grad()
    def wanted(self, truth: Truth) -> Tensor:
        """The teacher's features (n, 1280, h/32, w/32)."""
        rgb = from_linear(truth.scene) * 2 - 1
        if self.scale != 1:
            size = [max(32, round(side * self.scale / 32) * 32) for side in rgb.shape[2:]]
            rgb = F.interpolate(rgb, size=size, mode="bilinear", antialias=True)
        rgb = rgb.to(memory_format=torch.channels_last)
        return self._teacher[0].seen(rgb)[-1].float()

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        if answer.features is None:
            raise OptionsError("the network shows no features: drop the term `distillation`")
        said, wanted = answer.features.float(), self.wanted(truth)
        if said.shape[1] != wanted.shape[1]:
            raise OptionsError(
                f"distillation: the encoder has {said.shape[1]} features, the teacher "
                f"{wanted.shape[1]}"
            )
        if said.shape[2:] != wanted.shape[2:]:
            wanted = F.interpolate(wanted, size=said.shape[2:], mode="area")
        there = F.cosine_similarity(said, wanted, dim=1).mean()
        whole = F.cosine_similarity(said.mean((2, 3)), wanted.mean((2, 3)), dim=1).mean()
        return 1 - (there + whole) / 2
