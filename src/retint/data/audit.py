"""What is wrong with the pictures of a corpus: no colour, no photograph, the same again."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retint.data.corpus import Corpus
from retint.data.hashes import clusters, distance, mirrored, near_pairs
from retint.data.manifest import Entry
from retint.data.measure import Seen, measure
from retint.data.picture import decode
from retint.pool import work_off

SHORTER = 192
"""Larger pictures are measured at this length of their shorter side."""

ALIKE = 0.92
"""Correlation of lightness at 16 x 16 pixels from which two pictures with near hashes are one."""

REASONS = {
    "broken": "cannot be decoded",
    "grey": "mean chroma below {chroma:g}",
    "toned": "a monochrome with a tone: chroma beside what lightness tells below {own_chroma:g}",
    "flat": "a graphic: eight colours cover more than {flat:.0%}",
    "white": "cut out on white: more than {white:.0%} of the rim is white",
    "small": "shorter side below {side:g} pixels",
    "contrast": "L* spans less than {contrast:g}",
    "duplicate": "the same bytes as another picture",
    "near": "nearly the same as another picture, or its mirror image",
    "evaluation": "nearly the same as a picture to judge by, or its mirror image",
}
"""Why a picture can be flagged."""


@dataclass(frozen=True)
class Limits:
    """Where a picture is flagged: chroma and contrast in Lab units, side in pixels, shares 0..1."""

    chroma: float = 4.0
    own_chroma: float = 2.0
    flat: float = 0.8
    white: float = 0.8
    side: float = 64
    contrast: float = 15.0


class Flag(NamedTuple):
    """A picture (its place in the corpus), a reason, the figure behind it, the other picture."""

    place: int
    reason: str
    figure: str
    other: str = ""


@dataclass
class Audit:
    """What was measured of the pictures by their places, the flags, ab histograms by data set."""

    entries: list[Entry]
    measured: dict[int, "Measured"]
    flags: list[Flag] = field(default_factory=list[Flag])
    histograms: dict[str, NDArray[np.int64]] = field(default_factory=dict[str, NDArray[np.int64]])

    def flagged(self, reason: str) -> list[Flag]:
        """The flags of one reason, in the corpus' order."""
        return [flag for flag in self.flags if flag.reason == reason]


class Measured(NamedTuple):
    """One picture as a process has seen it; `error` says why it could not."""

    seen: Seen | None
    sha256: str
    error: str = ""


def audit(
    corpus: Corpus,
    against: Sequence[Corpus] = (),
    limits: Limits | None = None,
    *,
    jobs: int = 1,
    progress: Callable[[int], object] = lambda count: None,
) -> Audit:
    """Measure every picture of a corpus that was not dropped, and flag what is wrong.

    against: pictures to judge by, which must not be among them. progress: is told how many more
    pictures are done. The entries come back with their a, b, dhash and sha256 where these were
    empty. Of pictures that are the same the largest stays without a flag, or the first of those.
    """
    limits = limits or Limits()
    entries = corpus.entries
    wanted = [k for k, entry in enumerate(entries) if entry.decision != "drop"]
    measured, histograms = _measure_all(corpus, wanted, jobs, progress)
    found = Audit(list(entries), measured, histograms=histograms)
    for k in wanted:
        found.entries[k] = entries[k].having(_columns(entries[k], measured[k]))
    for k in wanted:
        found.flags += _own_flags(k, entries[k], measured[k], limits)
    judged: list[tuple[str, Seen]] = []
    for other in against:
        results, _ = _measure_all(other, range(len(other.entries)), jobs, progress)
        for k, result in results.items():
            if result.seen:
                judged.append((str(other.folder / other.entries[k].name), result.seen))
    found.flags += _same_flags(entries, measured, judged)
    order = list(REASONS)
    found.flags.sort(key=lambda flag: (flag.place, order.index(flag.reason)))
    return found


def dropped(found: Audit, reasons: Iterable[str], by: str, at: str) -> tuple[list[Entry], int]:
    """The entries with decision=drop where they have one of these flags, and how many were.

    What somebody has decided stays.
    """
    reasons = set(reasons)
    places = {flag.place for flag in found.flags if flag.reason in reasons}
    entries = list(found.entries)
    places = {k for k in places if not entries[k].decision}
    for k in places:
        entries[k] = entries[k].having({"decision": "drop", "decided_by": by, "decided_at": at})
    return entries, len(places)


def _own_flags(k: int, entry: Entry, measured: Measured, limits: Limits) -> list[Flag]:
    """What is wrong with a picture by itself."""
    if measured.seen is None:
        return [Flag(k, "broken", measured.error)]
    m = measured.seen.measures
    is_grey = m.chroma < limits.chroma
    tests: list[tuple[str, bool, str]] = [
        ("grey", is_grey, f"{m.chroma:.2f}"),
        ("toned", m.own_chroma < limits.own_chroma and not is_grey, f"{m.own_chroma:.2f}"),
        ("flat", m.flat > limits.flat, f"{m.flat:.2f}"),
        ("white", m.white > limits.white, f"{m.white:.2f}"),
        ("small", entry.shorter < limits.side, str(entry.shorter)),
        ("contrast", m.contrast < limits.contrast, f"{m.contrast:.1f}"),
    ]
    return [Flag(k, reason, figure) for reason, wrong, figure in tests if wrong]


def _same_flags(
    entries: Sequence[Entry],
    measured: Mapping[int, Measured],
    judged: Sequence[tuple[str, Seen]],
) -> list[Flag]:
    """Which pictures are nearly another of the corpus, or one to judge by; also in a mirror."""
    places = [k for k, result in measured.items() if result.seen]
    places.sort(key=lambda k: (-entries[k].shorter, k))  # the best first: it is the one that stays
    seen = [result for k in places if (result := measured[k].seen)]
    own = np.array([one.measures.dhash for one in seen], np.uint64)
    others = np.array([one.measures.dhash for _, one in judged], np.uint64)
    count = len(own)
    every = np.concatenate([own, others, mirrored(own)])
    pairs: list[tuple[int, int]] = near_pairs(every).tolist()
    pictures = [*seen, *(one for _, one in judged)]

    judged_as: dict[int, Flag] = {}
    joined: list[tuple[int, int]] = []
    how: dict[int, str] = {}
    for i, j in pairs:
        turned = j >= len(pictures)
        one, other = sorted((j - len(pictures) if turned else j, i))
        if i >= len(pictures) or one == other or one >= count:
            continue  # two mirror images are as near as what they mirror
        if not _alike(pictures[one].small, pictures[other].small, turned=turned):
            continue
        figure = f"{distance(every[i], every[j])} bits" + (", mirrored" if turned else "")
        if other < count:
            joined.append((one, other))
            how.setdefault(other, figure)
        else:
            flag = Flag(places[one], "evaluation", figure, judged[other - count][0])
            judged_as.setdefault(one, flag)
    flags = list(judged_as.values())
    group: list[int] = clusters(count, np.array(joined, np.int64).reshape(-1, 2)).tolist()
    for k in (k for k in range(count) if group[k] != k):
        first = places[group[k]]
        if measured[first].sha256 == measured[places[k]].sha256:
            flags.append(Flag(places[k], "duplicate", "", entries[first].name))
        else:
            figure = how.get(k, "by way of a third")
            flags.append(Flag(places[k], "near", figure, entries[first].name))
    return flags


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8], *, turned: bool) -> bool:
    """Whether two small pictures are one: a hash alone takes one sunset for another."""
    u = one.astype(np.float64) - one.mean()
    v = (other[:, ::-1] if turned else other).astype(np.float64) - other.mean()
    return float((u * v).sum()) >= ALIKE * float(np.sqrt((u * u).sum() * (v * v).sum()) + 1e-9)


def _columns(entry: Entry, measured: Measured) -> dict[str, str]:
    """What the manifest does not know yet."""
    if measured.seen is None:
        return {}
    m, sha256 = measured.seen.measures, measured.sha256
    known = {"a": f"{m.a:.2f}", "b": f"{m.b:.2f}", "dhash": f"{m.dhash:016x}", "sha256": sha256}
    return {name: text for name, text in known.items() if name not in entry.more}


Histograms = dict[str, NDArray[np.int64]]
_Chunk = list[tuple[int, Entry]]
_Results = tuple[dict[int, Measured], Histograms]

CHUNK = 64
"""Pictures that a process measures at a time."""


def _measure_all(
    corpus: Corpus, places: Iterable[int], jobs: int, progress: Callable[[int], object]
) -> _Results:
    """Every picture of these places by its place, and the ab histograms of their data sets."""
    wanted = list(places)
    found: dict[int, Measured] = {}
    histograms: Histograms = {}
    for size in (CHUNK, 1):  # what was lost with a process is tried again, one by one
        left = [k for k in wanted if k not in found]
        parts = [left[start : start + size] for start in range(0, len(left), size)]
        chunks = [[(k, corpus.entries[k]) for k in part] for part in parts]
        for results, counts in work_off(partial(_measurer, corpus.folder), chunks, jobs, _lost):
            found |= results
            progress(len(results))
            for source, more in counts.items():
                histograms[source] = histograms.get(source, 0) + more
    return {k: found[k] for k in wanted}, histograms


def _measurer(folder: Path) -> Callable[[_Chunk], _Results]:
    return partial(_measure_chunk, Corpus(folder, []))


def _measure_chunk(corpus: Corpus, chunk: _Chunk) -> _Results:
    found: dict[int, Measured] = {}
    histograms: Histograms = {}
    for k, entry in chunk:
        try:
            data = corpus.data(entry)
            seen, counts = measure(decode(data, SHORTER))
        except Exception as error:  # decoders raise nearly anything for what is no picture
            found[k] = Measured(None, "", str(error))
            continue
        found[k] = Measured(seen, entry.more.get("sha256") or hashlib.sha256(data).hexdigest())
        histograms[entry.dataset] = histograms.get(entry.dataset, 0) + counts
    return found, histograms


def _lost(chunk: _Chunk, reason: str) -> _Results:
    """Nothing of several pictures; of one alone, that it is the one."""
    return ({} if len(chunk) > 1 else {chunk[0][0]: Measured(None, "", reason)}), {}
