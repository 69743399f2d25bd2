"""How many judges a study needs."""

from statistics import NormalDist

SPREAD = 0.1
"""Standard deviation between judges of their own rates that is assumed where none is known."""

LEVEL = 0.95
POWER = 0.8


def deviation(rate: float, judges: int, answers: int, spread: float = SPREAD) -> float:
    """Standard deviation of a pooled rate of so many judges with so many answers each.

    Judges have rates of their own, with this spread about the common one; given theirs, answers
    are independent.
    """
    within = (rate * (1 - rate) - spread**2) / answers
    return ((spread**2 + within) / judges) ** 0.5


def half_width(rate: float, judges: int, answers: int, spread: float = SPREAD) -> float:
    """Half of the 95 % interval of a rate to expect."""
    return NormalDist().inv_cdf((1 + LEVEL) / 2) * deviation(rate, judges, answers, spread)


def detectable(judges: int, answers: int, spread: float = SPREAD) -> float:
    """The smallest distance from one half that is found with a chance of 80 %: a preference."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2) + NormalDist().inv_cdf(POWER)
    return z * deviation(0.5, judges, answers, spread)


def judges_needed(rate: float, half: float, answers: int, spread: float = SPREAD) -> int:
    """How many judges make the 95 % interval of a rate no wider than +- half."""
    judges = 2
    while half_width(rate, judges, answers, spread) > half:
        judges += 1
    return judges
