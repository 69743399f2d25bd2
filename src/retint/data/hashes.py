"""Perceptual hashes: which pictures of a large corpus are nearly the same, also mirrored.

A hash is 64 bits: is each cell of an 8 x 9 grid of mean lightness lighter than its right neighbour?
(dhash). Two pictures are near where at most four bits differ.
"""

from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NEAR = 4
"""Largest Hamming distance of near-duplicates."""

PARTS = 6
"""Parts that a hash is cut into to find its neighbours; more than `NEAR`."""

CROWD = 32
"""Equal hashes that are all paired with each other."""

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]


def dhash(luma: NDArray[np.float32]) -> int:
    """Hash a grey picture (h, w) of any scale, each side at least nine."""
    cells = np.asarray(Image.fromarray(luma).resize((9, 8), Image.Resampling.BOX))
    return int.from_bytes(np.packbits(cells[:, :-1] > cells[:, 1:]).tobytes())


def mirrored(hashes: Hashes) -> Hashes:
    """The hashes (n,) of the pictures as a mirror shows them: rows turned round, answers too."""
    rows = hashes.astype(">u8").view(np.uint8).reshape(-1, 8)
    turned = np.packbits(np.unpackbits(rows, axis=1).reshape(-1, 8, 8)[..., ::-1], axis=-1)
    return ~turned.reshape(-1, 8).copy().view(">u8").reshape(-1).astype(np.uint64)


def distance(one: Hashes | np.uint64, other: Hashes | np.uint64) -> NDArray[np.uint8]:
    """Hamming distance of hashes, 0..64."""
    return np.bitwise_count(one ^ other)


def near_pairs(hashes: Hashes, most: int = NEAR) -> Pairs:
    """All pairs (m, 2) of places i < j whose hashes (n,) differ in at most `most` < PARTS bits.

    Not every hash is compared with every other. Four bits that differ lie in at most four of six
    parts, so two parts at least are equal (the pigeonhole principle): for each choice of parts it
    is enough to look among the hashes that share them. Where more than `CROWD` hashes are equal
    (pictures with nothing on them), each is paired with the next `CROWD` of them alone.
    """
    values, group = np.unique(hashes, return_inverse=True)
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(len(values) + 1))
    found = _equal(group[order], order)
    for one, other in _near_values(values, most).tolist():
        members = order[start[one] : start[one + 1]][:CROWD]
        others = order[start[other] : start[other + 1]][:CROWD]
        found.append(np.stack([np.repeat(members, len(others)), np.tile(others, len(members))], 1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _equal(group: Pairs, order: Pairs) -> list[Pairs]:
    """Pairs of places whose hashes are equal; `group` is sorted, `order` their places."""
    found = [np.zeros((0, 2), np.int64)]
    for step in range(1, CROWD + 1):
        same = np.flatnonzero(group[step:] == group[:-step])
        if not len(same):
            break
        found.append(np.stack([order[same], order[same + step]], axis=1))
    return found


def _near_values(values: Hashes, most: int) -> Pairs:
    """Pairs of different hashes, by their places among the sorted values."""
    found = [np.zeros((0, 2), np.int64)]
    edges = np.linspace(0, 64, PARTS + 1).round().astype(int)
    masks = [(1 << int(hi)) - (1 << int(lo)) for lo, hi in pairwise(edges)]
    for parts in combinations(masks, PARTS - most):
        keys = values & np.uint64(sum(parts))
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        step, place = 1, np.arange(len(keys))
        while len(place := place[place < len(keys) - step]):
            place = place[keys[place] == keys[place + step]]
            one, other = order[place], order[place + step]
            near = distance(values[one], values[other]) <= most
            found.append(np.stack([one[near], other[near]], axis=1))
            step += 1
    return np.unique(np.concatenate(found), axis=0)


def clusters(count: int, pairs: Pairs) -> NDArray[np.int64]:
    """The smallest place that each of `count` things is joined with by pairs, directly or not."""
    label = np.arange(count)
    while True:
        before = label
        label = label.copy()
        least = np.minimum(label[pairs[:, 0]], label[pairs[:, 1]])
        np.minimum.at(label, pairs[:, 0], least)
        np.minimum.at(label, pairs[:, 1], least)
        label = label[label]
        if np.array_equal(label, before):
            return label
