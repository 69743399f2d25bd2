"""Whether a model's other answers differ where it is unsure, and whether one of them is nearer."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from retint import metrics
from retint.bench.contestants import Colouring, adjusted
from retint.bench.measures import Record
from retint.bench.sets import Truth
from retint.chroma import Chroma
from retint.color import Floats

FIGURES = (
    "alternatives_apart",
    "alternatives_unsure",
    "alternatives_delta_e",
    "alternatives_delta_e_fall",
    "alternatives_even_fall",
)
"""What is found of a picture."""


class Alternatives:
    """The judge of models that give several colourings: `count` of them, the first one among them.

    See `retint.colorizer.Colorizer.alternatives`.
    """

    name = "alternatives"

    def __init__(self, count: int) -> None:
        self.count = count
        self.key = f"alternatives 2 {count}"
        self.note = (
            f"Alternatives: {count} colourings of each picture. apart: mean distance of two of"
            " them, Lab units; unsure: correlation of that distance with 1 - confidence over a"
            " picture's pixels; best dE: of the one that is nearest to the truth; even: how far dE"
            " falls where the first is moved as far as each other one, but everywhere alike."
        )

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        """Figures of a picture; of anyone but a model nothing."""
        model = colouring.by
        if model is None:
            return {}
        if "tilt" not in getattr(model.model, "takes", ()):
            return {"without": "gives no alternatives"}
        found = [
            adjusted(chroma, model.options)
            for chroma in model.alternatives(truth.photo, self.count)
        ]
        apart = _apart(found)
        L = truth.lab[..., 0]
        first = found[0].grow(L, 0, len(L))
        others = [chroma.grow(L, 0, len(L)) for chroma in found[1:]]
        even = [first + (chroma.ab - found[0].ab).mean(axis=(0, 1)) for chroma in found[1:]]
        delta_e = _delta_e(first, truth)
        best = min([delta_e, *(_delta_e(ab, truth) for ab in others)])
        best_even = min([delta_e, *(_delta_e(ab, truth) for ab in even)])
        return {
            "alternatives_apart": round(float(apart.mean(dtype=np.float64)), 5),
            "alternatives_unsure": _correlation(apart, 1 - found[0].confidence),
            "alternatives_delta_e": round(best, 5),
            "alternatives_delta_e_fall": round(delta_e - best, 5),
            "alternatives_even_fall": round(delta_e - best_even, 5),
        }

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        """How many there were."""
        if any("without" in record for record in found):
            return {"without": "gives no alternatives"}
        return {"count": self.count} if any(found) else {}


def _apart(found: Sequence[Chroma]) -> Floats:
    """Mean distance of two of the colourings at each small pixel: (h, w), Lab units."""
    pairs = [metrics.chroma(one.ab - other.ab) for one, other in combinations(found, 2)]
    return np.mean(pairs, axis=0)


def _delta_e(ab: Floats, truth: Truth) -> float:
    return metrics.delta_e2000_mean(Colouring.of(truth.lab[..., 0], ab).lab, truth.lab)


def _correlation(values: Floats, others: Floats) -> float | None:
    """Pearson's; None where either is the same everywhere."""
    if np.ptp(values) == 0 or np.ptp(others) == 0:
        return None
    return round(float(np.corrcoef(values.ravel(), others.ravel())[0, 1]), 5)
