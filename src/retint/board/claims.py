"""Whether a claim holds: paired differences on held-out pictures, training seed by training seed.

An interval is over the pictures of the set, not over trainings: another seed is another network.
So a claim counts as confirmed or refuted only where all its seeds say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from retint.bench import statistics
from retint.bench.statistics import Difference
from retint.board.plan import Claim, Expectation

Verdict = Literal["confirmed", "refuted", "undecided", "not tested yet"]


@dataclass(frozen=True)
class Tested:
    """A claim and what was found: a paired difference for each seed (`of` less `against`)."""

    claim: Claim
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    left_out: tuple[str, ...] = ()


def weigh(claim: Claim, judged: Mapping[str, Mapping[str, Any]]) -> Tested:
    """The claim put to the test by rows of judgements (`bench --json`) on the same pictures, by the
    name of the network; baselines stand among them under their own name.

    Seeds of which a side was not judged are left out, by name; without any it is not tested yet.
    """
    count = max(len(claim.of), len(claim.against))
    pairs = zip(_spread(claim.of, count), _spread(claim.against, count), strict=True)
    found: list[Difference] = []
    missing: list[str] = []
    for one, other in pairs:
        absent = [name for name in (one, other) if name not in judged]
        if absent:
            missing += absent
            continue
        found.append(difference(judged[one], judged[other], claim.measure))
    return Tested(
        claim,
        together([decided(d, claim.expects, claim.margin) for d in found]),
        tuple(found),
        tuple(dict.fromkeys(missing)),
    )


def difference(
    one: Mapping[str, Any], other: Mapping[str, Any], measure: str
) -> statistics.Difference:
    """Mean of a measure of one row of a judgement less that of another, by the pictures that both
    have."""
    a, b = (
        [np.nan if value is None else value for value in row["per_picture"][measure]]
        for row in (one, other)
    )
    return statistics.difference(a, b)


def decided(found: Difference, expects: Expectation, margin: float = 0.0) -> Verdict:
    """What one difference says of an expectation.

    less, more: beyond doubt below, above 0. same: the interval lies within the margin to either
    side of 0; refuted where it lies wholly outside. Undecided for a handful of pictures.
    """
    if found.pictures < statistics.FEWEST:
        return "undecided"
    if expects == "same":
        if -margin < found.low and found.high < margin:
            return "confirmed"
        return "refuted" if found.low > margin or found.high < -margin else "undecided"
    right, wrong = (found.below, found.above) if expects == "less" else (found.above, found.below)
    return "confirmed" if right else "refuted" if wrong else "undecided"


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several seeds: what all of them say, else undecided."""
    if not verdicts:
        return "not tested yet"
    return verdicts[0] if len(set(verdicts)) == 1 else "undecided"


def _spread(names: Sequence[str], count: int) -> list[str]:
    """One for each seed; a single one stands against all."""
    return list(names) if len(names) == count else [names[0]] * count
