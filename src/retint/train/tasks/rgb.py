"""The whole picture in sRGB, for networks that make it anew instead of colouring it."""

import torch.nn.functional as F
from torch import Tensor

from retint.errors import OptionsError
from retint.layers.answer import Answer
from retint.layers.lab import from_linear
from retint.train.tasks import Term, Truth


class RGB(Term):
    """Mean squared error of sRGB in 0..1."""

    def __init__(self, given: object) -> None:
        super().__init__()

    def forward(self, net: object, answer: Answer, truth: Truth) -> Tensor:
        if answer.rgb is None:
            raise OptionsError("the network gives no RGB: choose another term of loss")
        scene = F.interpolate(truth.scene, size=answer.rgb.shape[2:], mode="area")
        return F.mse_loss(answer.rgb, from_linear(scene))
