"""A distribution over ab bins, rare colours counting more (Zhang, Isola, Efros 2016)."""

from typing import Any

from torch import Tensor

from retint.errors import OptionsError
from retint.layers import bins
from retint.layers.answer import Answer
from retint.train.tasks import Circumstances, Term, Truth


class BinsTerm(Term):
    """Rebalanced cross-entropy against softly encoded colours."""

    weights: Tensor
    near: Tensor

    def __init__(self, given: Circumstances) -> None:
        super().__init__()
        if not hasattr(given.net, "centres"):
            raise OptionsError("the network has no bins: choose another term of loss")
        self.how = given.recipe.bins
        weights = bins.rebalancing(given.net.prior, self.how.mixing, self.how.strength)
        near = bins.neighbours(given.net.centres, self.how.neighbours)
        self.register_buffer("weights", weights, persistent=False)
        self.register_buffer("near", near, persistent=False)

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        assert answer.logits is not None
        how, ab = self.how, truth.ab(answer.logits)
        return bins.soft_cross_entropy(
            answer.logits, ab, net.centres, self.weights, self.near, how.sigma
        )
