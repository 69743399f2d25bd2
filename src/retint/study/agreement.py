"""How far judges who were asked the same agree."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable


def alpha(answers: Iterable[tuple[Hashable, Hashable]]) -> float | None:
    """Krippendorff's alpha for nominal data, of (question, answer) pairs by different judges.

    1: they agree always; 0: as often as by chance; below: less often. Questions that one judge
    alone answered say nothing. None where nothing can be said: no question was answered twice, or
    there was one answer to all of them. After Krippendorff, "Computing Krippendorff's
    alpha-reliability", 2011.
    """
    units: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for question, answer in answers:
        units[question][answer] += 1
    together = [unit for unit in units.values() if unit.total() > 1]
    everything = sum(together, Counter[Hashable]())
    n = everything.total()
    expected = n**2 - sum(count**2 for count in everything.values())
    if not expected:
        return None
    observed = sum(
        (unit.total() ** 2 - sum(count**2 for count in unit.values())) / (unit.total() - 1)
        for unit in together
    )
    return 1 - (n - 1) * observed / expected
