"""Which pictures are for training, which for validation and test: by hash, and for good."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from retint.data.corpus import lot
from retint.data.hashes import clusters, mirrored, near_pairs
from retint.data.manifest import Entry


def split(
    entries: Sequence[Entry], validation: float, test: float = 0.0, *, again: bool = False
) -> list[Entry]:
    """Fill the column `split`: train, validation or test, shares in 0..1 for the latter two.

    Each picture draws a lot by hash of its name, so that it stays where it is when pictures are
    added; one that has a side already keeps it, unless `again`. Near-duplicates, mirrored ones too,
    are on the same side where perceptual hashes are there: they share the lot of their smallest,
    or the side that one of them has.
    """
    lots = [lot(entry) for entry in entries]
    kept: dict[int, Counter[str]] = {}
    group = groups(entries)
    least: dict[int, float] = {}
    for entry, place, drawn in zip(entries, group, lots, strict=True):
        least[place] = min(drawn, least.get(place, 1.0))
        if entry.split and not again:
            kept.setdefault(place, Counter())[entry.split] += 1

    def side(entry: Entry, place: int) -> str:
        if entry.split and not again:
            return entry.split
        if place in kept:
            return kept[place].most_common(1)[0][0]
        if least[place] < validation:
            return "validation"
        return "test" if least[place] >= 1 - test else "train"

    return [
        entry.having({"split": side(entry, place)})
        for entry, place in zip(entries, group, strict=True)
    ]


def groups(entries: Sequence[Entry]) -> list[int]:
    """A number for each entry, the same for near-duplicates; its place where it has no hash."""
    hashed = [(k, value) for k, entry in enumerate(entries) if (value := entry.dhash) is not None]
    places = np.array([k for k, _ in hashed], np.int64)
    hashes = np.array([value for _, value in hashed], np.uint64)
    pairs = near_pairs(np.concatenate([hashes, mirrored(hashes)])) % max(1, len(hashes))
    found = np.arange(len(entries))
    found[places] = places[clusters(len(hashes), pairs)]
    return found.tolist()
