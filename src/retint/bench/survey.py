"""What a set of pictures is, before anyone colours them."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import metrics
from retint.bench import measures
from retint.bench.measures import Counts, Record
from retint.bench.records import Records, key_of
from retint.bench.sets import PictureSet
from retint.bench.work import Progress, work_off
from retint.errors import InputError

COLOURLESS = 1.0
"""Colourfulness below which a picture has none: that of rounding."""

Column: TypeAlias = NDArray[np.float64]
"""One value per picture, in the set's order; nan where there is none."""


@dataclass(frozen=True)
class Survey:
    """The pictures that can be judged by, and their true colours.

    `hashes`: sha256 of each file. `left_out`: files that cannot be read, and why. `sha256`: of all
    hashes and names. `figures`: of the true colours, by name. `pixels`: number of each picture's
    in the bins of its true colours, packed; `histogram`: of all. `weights`: of a pixel of each bin
    that let every colour count alike; `weight`: of each picture's pixels together.
    """

    files: list[str]
    hashes: dict[str, str]
    left_out: dict[str, str]
    sha256: str
    figures: dict[str, Column]
    pixels: list[measures.Packed]
    histogram: Counts
    weights: NDArray[np.float64]
    weight: Column

    @property
    def mean_ab(self) -> tuple[float, float]:
        """Mean of the pictures' mean a* and b*, Lab units."""
        return float(self.figures["mean_a"].mean()), float(self.figures["mean_b"].mean())


def survey(pictures: PictureSet, records: Records, jobs: int, progress: Progress) -> Survey:
    """Read every picture once. Raises InputError where none can be read, or none has colour."""
    left_out: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for file in pictures.files:
        try:
            hashes[file] = pictures.sha256(file)
        except InputError as error:
            left_out[file] = str(error)
    keys = {file: key_of("truth", measures.KEY, sha256) for file, sha256 in hashes.items()}
    found = {file: record for file, key in keys.items() if (record := records.find(key))}
    new = [file for file in keys if file not in found]
    progress("reading", len(found), len(keys))
    for done, (file, record) in enumerate(work_off(_Look(pictures), new, jobs), 1):
        if isinstance(record, str):
            left_out[file] = record
        else:
            records.append(keys[file], record, file=file)
            found[file] = record
        progress("reading", len(keys) - len(new) + done, len(keys))
    if not found:
        raise InputError(f"{pictures.root}: none of its {len(left_out)} pictures can be read")
    files = [file for file in pictures.files if file in found]
    left_out = {file: left_out[file] for file in pictures.files if file in left_out}
    return _surveyed(pictures, files, hashes, left_out, [found[file] for file in files])


@dataclass(frozen=True)
class _Look:
    """Describes a picture, or says why that cannot be done; it goes to other processes."""

    pictures: PictureSet

    def __call__(self, file: str) -> tuple[str, Record | str]:
        try:
            return file, measures.describe(self.pictures.open(file))
        except InputError as error:
            return file, str(error)


def _surveyed(
    pictures: PictureSet,
    files: list[str],
    hashes: dict[str, str],
    left_out: dict[str, str],
    found: list[Record],
) -> Survey:
    names = found[0]["figures"]
    figures = {name: np.array([r["figures"][name] for r in found], np.float64) for name in names}
    if figures["colourfulness"].max() < COLOURLESS:
        raise InputError(f"{pictures.root}: its pictures have no colour to judge by")
    pixels = [record["colours"] for record in found]
    histogram = measures.no_counts()
    for part in pixels:
        measures.add(histogram, part)
    weights = metrics.class_weights(histogram)
    return Survey(
        files=files,
        hashes=hashes,
        left_out=left_out,
        sha256=replace(pictures, files=files, hashes=hashes).digest,
        figures=figures,
        pixels=pixels,
        histogram=histogram,
        weights=weights,
        weight=np.array([measures.weighed(part, weights) for part in pixels]),
    )
