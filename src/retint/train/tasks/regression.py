"""Regression of ab: the network answers with one colour a place."""

from math import comb

import torch
import torch.nn.functional as F
from torch import Tensor

from retint.errors import OptionsError
from retint.layers.answer import Answer
from retint.train.tasks import Circumstances, Term, Truth


class _Regression(Term):
    """The error of ab, or its mean over the colours as they are and behind each of the blurs."""

    def __init__(self, given: Circumstances) -> None:
        super().__init__()
        how = given.recipe.regression
        self.unit, self.delta, self.blur = how.unit, how.delta, how.blur

    def forward(self, net: object, answer: Answer, truth: Truth) -> Tensor:
        if answer.ab is None:
            raise OptionsError("the network gives no ab to regress: choose another term of loss")
        guessed, true = answer.ab.float() / self.unit, truth.ab(answer.ab) / self.unit
        off = [self.error(guessed, true)]
        off += [self.error(blurred(guessed, side), blurred(true, side)) for side in self.blur]
        return torch.stack(off).mean()

    def error(self, guessed: Tensor, true: Tensor) -> Tensor:
        """How far the guess is off, in the recipe's units: a scalar."""
        raise NotImplementedError


class MSE(_Regression):
    """Mean squared error."""

    def error(self, guessed: Tensor, true: Tensor) -> Tensor:
        return F.mse_loss(guessed, true)


class L1(_Regression):
    """Mean absolute error."""

    def error(self, guessed: Tensor, true: Tensor) -> Tensor:
        return F.l1_loss(guessed, true)


class Huber(_Regression):
    """Squared near zero, absolute from `delta` on (Huber 1964)."""

    def error(self, guessed: Tensor, true: Tensor) -> Tensor:
        return F.huber_loss(guessed, true, delta=self.delta)


def blurred(x: Tensor, side: int) -> Tensor:
    """x (n, c, h, w) behind a Gaussian of `side` pixels, an odd number: a row of Pascal's triangle,
    down and across. Beyond the edge is nothing."""
    row = torch.tensor([comb(side - 1, k) for k in range(side)], dtype=x.dtype, device=x.device)
    row = (row / row.sum()).expand(x.shape[1], 1, 1, side)
    x = F.conv2d(x, row, padding=(0, side // 2), groups=x.shape[1])
    return F.conv2d(x, row.mT, padding=(side // 2, 0), groups=x.shape[1])
