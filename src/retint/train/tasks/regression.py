"""Regression of ab: the network answers with one colour a place."""

import torch.nn.functional as F
from torch import Tensor

from retint.errors import OptionsError
from retint.layers.answer import Answer
from retint.train.tasks import Circumstances, Term, Truth


class _Regression(Term):
    def __init__(self, given: Circumstances) -> None:
        super().__init__()
        self.unit, self.delta = given.recipe.regression.unit, given.recipe.regression.delta

    def _pair(self, answer: Answer, truth: Truth) -> tuple[Tensor, Tensor]:
        """Guessed and true ab, in the recipe's units."""
        if answer.ab is None:
            raise OptionsError("the network gives no ab to regress: choose another term of loss")
        return answer.ab.float() / self.unit, truth.ab(answer.ab) / self.unit


class MSE(_Regression):
    """Mean squared error."""

    def forward(self, net: object, answer: Answer, truth: Truth) -> Tensor:
        return F.mse_loss(*self._pair(answer, truth))


class L1(_Regression):
    """Mean absolute error."""

    def forward(self, net: object, answer: Answer, truth: Truth) -> Tensor:
        return F.l1_loss(*self._pair(answer, truth))


class Huber(_Regression):
    """Squared near zero, absolute from `delta` on (Huber 1964)."""

    def forward(self, net: object, answer: Answer, truth: Truth) -> Tensor:
        return F.huber_loss(*self._pair(answer, truth), delta=self.delta)
