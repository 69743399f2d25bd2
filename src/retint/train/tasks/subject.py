"""What a picture shows, learned beside its colour.

Papers: Iizuka et al. 2016, doi:10.1145/2897824.2925974 (labels); Vitoria et al. 2020,
arXiv:1907.09837 (distribution of a classifier).
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from retint.errors import OptionsError
from retint.layers.answer import Answer
from retint.models import family
from retint.train import checkpoint
from retint.train.tasks import Circumstances, Term, Truth


def _said(answer: Answer) -> Tensor:
    if answer.subject is None:
        raise OptionsError("the network names no subjects: set model.subjects, or drop the term")
    return answer.subject.float()


class Subject(Term):
    """Cross-entropy against the corpus' labels; pictures without one do not count."""

    def __init__(self, given: Circumstances) -> None:
        super().__init__()
        if not given.classes:
            raise OptionsError(
                f"no label is carried by {given.recipe.subject.fewest} pictures: "
                "the corpus has no subjects to learn"
            )

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        said = _said(answer)
        total = F.cross_entropy(said, truth.subjects, ignore_index=-1, reduction="sum")
        return total / max(1, len(said))


class Distribution(Term):
    """Kullback-Leibler divergence from a teacher's distribution over the subjects."""

    def __init__(self, given: Circumstances) -> None:
        super().__init__()
        path = given.recipe.subject.teacher
        if path is None:
            raise OptionsError("the term `distribution` wants subject.teacher, a checkpoint")
        state = checkpoint.load(Path(path))
        architecture = family(state["recipe"]["family"])
        teacher = architecture.Net(architecture.Config(**state["config"]))
        teacher.load_state_dict(state["ema"])
        if state.get("classes") != given.classes:
            raise OptionsError(f"{path}: names other subjects than this corpus has")
        self._teacher = [teacher.to(given.device).eval().requires_grad_(False)]

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        with torch.no_grad():
            wanted = F.log_softmax(_said(self._teacher[0](truth.L)), 1)
        said = F.log_softmax(_said(answer), 1)
        return F.kl_div(said, wanted, reduction="batchmean", log_target=True)
