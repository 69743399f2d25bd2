"""A critic that learns to tell true colours from guessed ones while the network learns to fool it.

Papers: Isola et al. 2017, arXiv:1611.07004 (conditional PatchGAN); Gulrajani et al. 2017,
arXiv:1704.00028 (Wasserstein distance with gradient penalty).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.patch_critic import PatchCritic
from retint.train.tasks import Circumstances, Term, Truth


class _Critic(Term):
    def __init__(self, given: Circumstances, *, norm: bool) -> None:
        super().__init__()
        how = given.recipe.critic
        self.turns, self.penalty = how.turns, how.penalty
        self.critic = PatchCritic(how.channels, how.depth, norm=norm).to(given.device)
        # under a name of its own, so that the critic's weights are in the state dict once
        self._spread = [given.spread(self.critic)]
        self.optimiser = torch.optim.Adam(
            self.critic.parameters(), how.rate, betas=(how.beta1, 0.999)
        )

    def get_extra_state(self) -> dict[str, Any]:
        """The optimiser's."""
        return self.optimiser.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the optimiser's back."""
        self.optimiser.load_state_dict(state)

    def judge(self, L: Tensor, ab: Tensor) -> Tensor:
        """How true the colours of each patch look."""
        return self._spread[0](torch.cat((L / 50 - 1, ab / 110), 1))

    def pairs(self, net: Any, answer: Answer, truth: Truth) -> tuple[Tensor, Tensor, Tensor]:
        """L*, guessed ab and true ab at the size of the network's answer."""
        guessed = answer.ab if answer.ab is not None else net.colour(answer)[0]
        L = truth.L
        if L.shape[2:] != guessed.shape[2:]:
            L = F.interpolate(L, size=guessed.shape[2:], mode="area")
        return L, guessed.float(), truth.ab(guessed)

    def learn(self, net: Any, answer: Answer, truth: Truth) -> None:
        """Let the critic take its turns."""
        L, guessed, true = self.pairs(net, answer, truth)
        for turn in range(self.turns):
            loss = self.difference(L, guessed.detach(), true, turn)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()

    def difference(self, L: Tensor, guessed: Tensor, true: Tensor, turn: int) -> Tensor:
        """The critic's own loss."""
        raise NotImplementedError


class Adversarial(_Critic):
    """Binary cross-entropy over patches."""

    def __init__(self, given: Circumstances) -> None:
        super().__init__(given, norm=True)

    def difference(self, L: Tensor, guessed: Tensor, true: Tensor, turn: int) -> Tensor:
        """Half the cross-entropy over both kinds (section 3.3 of Isola et al.)."""
        yes, no = self.judge(L, true), self.judge(L, guessed)
        ones, zeros = torch.ones_like(yes), torch.zeros_like(no)
        entropy = F.binary_cross_entropy_with_logits
        return (entropy(yes, ones) + entropy(no, zeros)) / 2

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        with _fixed(self.critic):
            said = self.judge(*self.pairs(net, answer, truth)[:2])
        return F.binary_cross_entropy_with_logits(said, torch.ones_like(said))


class Wasserstein(_Critic):
    """Wasserstein distance, the critic kept near Lipschitz 1 by a penalty on its gradient."""

    def __init__(self, given: Circumstances) -> None:
        super().__init__(given, norm=False)  # the penalty is on single pictures

    def difference(self, L: Tensor, guessed: Tensor, true: Tensor, turn: int) -> Tensor:
        """Equation 3 of Gulrajani et al."""
        share = torch.rand(len(L), 1, 1, 1, device=L.device)
        between = (share * true + (1 - share) * guessed).requires_grad_()
        said = self.judge(L, between)
        (slope,) = torch.autograd.grad(said.mean((1, 2, 3)).sum(), between, create_graph=True)
        norm = slope.flatten(1).norm(dim=1) * 110  # by the critic's own units
        distance = self.judge(L, guessed).mean() - self.judge(L, true).mean()
        return distance + self.penalty * ((norm - 1) ** 2).mean()

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        with _fixed(self.critic):
            return -self.judge(*self.pairs(net, answer, truth)[:2]).mean()


class _fixed:
    """The critic's weights get no gradient inside."""

    def __init__(self, critic: nn.Module) -> None:
        self.critic = critic

    def __enter__(self) -> None:
        self.critic.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        self.critic.requires_grad_(True)
