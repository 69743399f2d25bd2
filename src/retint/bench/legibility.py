"""Whether a colouring can be read: what a classifier sees in it, and in the true picture."""

import csv
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from retint.bench import statistics
from retint.bench.contestants import Colouring
from retint.bench.measures import Record
from retint.bench.sets import Truth
from retint.classify import Classifier, Shares
from retint.errors import InputError

NAMES = ("labels.csv", "manifest.csv", "index.csv")
"""Where a set says what its pictures show."""

WORDNET = re.compile(r"n\d{8}(?=_)")
"""At the head of a picture's first name, as ImageNet's pictures have it."""


class Legibility:
    """The judge that asks a classifier what a colouring shows.

    Per picture: `agreement`, 1.0 where its first answer is that on the true picture, else 0.0, and
    `agreement_top5`, where that is one of its first five; `named` and `named_top5` likewise
    against the set's label, where there is one that the classifier knows. labels: by a picture's
    file in the set. Raises ModelError for a file that is no classifier.
    """

    name = "legibility"

    def __init__(self, path: Path, labels: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._classifier: Classifier | None = Classifier(path)
        known = {file: self._classifier.number(label) for file, label in (labels or {}).items()}
        self.labels = {file: number for file, number in known.items() if number is not None}
        told = hashlib.sha256(json.dumps(self.labels, sort_keys=True).encode()).hexdigest()
        self.key = f"legibility 1 {self._classifier.sha256} {told}"
        self.note = (
            f"Legibility: agreement with what {path.name} (sha256 {self._classifier.sha256[:16]}) "
            f"sees in the true picture, among {len(self._classifier.labels)} labels."
        )
        self._last: tuple[str, Shares] | None = None

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        """What is seen in one colouring; `true`: the same of the true picture's label."""
        if self._last is None or self._last[0] != truth.file:
            self._last = truth.file, self._seen(truth.rgb)
        true, found = self._last[1], self._seen(colouring.rgb)
        record: Record = _placed("agreement", found, int(true.argmax()))
        if truth.file in self.labels:
            label = self.labels[truth.file]
            record |= _placed("named", found, label)
            record["true"] = _placed("named", true, label)
        return record

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        """Shares over the set with their intervals; those of the true pictures as `true_named`."""
        labelled = [record for record in found if "true" in record]
        figures = {key: _share(found, key) for key in ("agreement", "agreement_top5")}
        if labelled:
            figures |= {key: _share(labelled, key) for key in ("named", "named_top5")}
            true = [record["true"] for record in labelled]
            figures |= {f"true_{key}": _share(true, key) for key in ("named", "named_top5")}
        return {"pictures": len(found), "labelled": len(labelled), **figures}

    def __getstate__(self) -> dict[str, Any]:
        """Pickled without its network, which is opened again where it is used."""
        return {**vars(self), "_classifier": None, "_last": None}

    def _seen(self, rgb: Any) -> Shares:
        if self._classifier is None:  # in another process: one thread, processes share the rest
            self._classifier = Classifier(self.path, threads=1)
        return self._classifier(rgb)


def labels_of(folder: Path) -> dict[str, str]:
    """What the pictures of a set show, by their posix paths, as far as the set itself says.

    From the columns `file` and `labels` (or `label`) of labels.csv, manifest.csv (with `shard`) or
    index.csv; else from a WordNet id at the head of the column `original`. Empty where the set says
    nothing. Raises InputError for such a file that cannot be read.
    """
    for name in NAMES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            with path.open(newline="", encoding="utf-8-sig") as text:
                rows = list(csv.DictReader(text))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
        if found := {_file(row): label for row in rows if (label := _label(row))}:
            return found
    return {}


def _file(row: Mapping[str, str | None]) -> str:
    shard, file = row.get("shard") or "", row.get("file") or ""
    return f"{shard}/{file}" if shard else file


def _label(row: Mapping[str, str | None]) -> str:
    if label := row.get("labels") or row.get("label"):
        return label
    found = WORDNET.match(row.get("original") or "")
    return found[0] if found else ""


def _placed(name: str, shares: Shares, right: int) -> dict[str, float]:
    """Whether the right answer is the first, and one of the first five."""
    before = int(np.count_nonzero(shares > shares[right]))
    return {name: float(before < 1), f"{name}_top5": float(before < 5)}


def _share(found: Sequence[Record], key: str) -> dict[str, float]:
    return asdict(statistics.mean([record[key] for record in found]))
