"""What was found of one contestant on all pictures of a set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retint import metrics
from retint.bench import measures
from retint.bench.contestants import Contestant, Folder, Kind
from retint.bench.measures import Counts, Judge, Record
from retint.bench.survey import Column, Survey
from retint.metrics.confidence import BINS


@dataclass(frozen=True)
class Row:
    """One contestant, judged on every picture of the set.

    `figures`: by metric. `area`: what each picture adds to the rebalanced AuC, the survey's
    `weight` being what it would add without error. `by_bin`: of the set, see `metrics.auc_by_bin`.
    `colours`: ab histogram of all its colourings. `calibration`: of a model that says how sure it
    is. `left_out`: pictures without a usable colouring, and why. `judged`: what each extra judge
    says of the set, by its name. `extra`: files of a folder that belong to no picture.
    """

    kind: Kind
    name: str
    model: str
    figures: dict[str, Column]
    area: Column
    by_bin: NDArray[np.float64]
    colours: Counts
    calibration: metrics.ConfidenceCalibration | None
    left_out: dict[str, str]
    judged: dict[str, dict[str, Any]]
    extra: list[str]


class Tally:
    """What comes in of one contestant, in any order; `left_out`: why there is no colouring."""

    def __init__(self, about: Survey) -> None:
        self.about = about
        self.place = {file: i for i, file in enumerate(about.files)}
        self.figures: dict[str, Column] = {}
        self.area = self._column()
        self.right = measures.no_counts()
        self.pixels = measures.no_counts()
        self.colours = measures.no_counts()
        self.calibration = np.zeros((4, BINS), np.int64)
        self.left_out: dict[str, str] = {}
        self.found: dict[int, dict[str, Record]] = {}

    def add(self, judge: int, file: str, record: Record) -> None:
        """Add a judge's record of a picture. Judge 0 is `measures.measure`."""
        i = self.place[file]
        if judge == 0:
            self.area[i] = measures.weighed(record["right"], self.about.weights) / measures.PARTS
            measures.add(self.right, record["right"])
            measures.add(self.pixels, self.about.pixels[i])
            measures.add(self.colours, record["colours"])
            measures.add(self.calibration, record.get("calibration", [[], []]))
            self._note(i, record["figures"])
        else:
            self.found.setdefault(judge, {})[file] = record

    def row(self, contestant: Contestant, judges: Mapping[int, Judge]) -> Row:
        """What came in. judges: the further ones, by their numbers, that are to be heard."""
        files = self.about.files
        judged: dict[str, dict[str, Any]] = {}
        for number, judge in judges.items():
            found = self.found.get(number, {})
            for file, record in found.items():
                self._note(self.place[file], record)
            if found and (says := judge.compute([found[f] for f in files if f in found])):
                judged[judge.name] = says
        return Row(
            kind=contestant.kind,
            name=contestant.name,
            model=contestant.model,
            figures=self.figures,
            area=self.area,
            by_bin=np.array([self.right / measures.PARTS, self.pixels], np.float64),
            colours=self.colours,
            calibration=self._calibration(),
            left_out={file: self.left_out[file] for file in files if file in self.left_out},
            judged=judged,
            extra=contestant.extra if isinstance(contestant, Folder) else [],
        )

    def _note(self, i: int, figures: Record) -> None:
        for name, value in figures.items():
            if isinstance(value, int | float):
                self.figures.setdefault(name, self._column())[i] = value

    def _calibration(self) -> metrics.ConfidenceCalibration | None:
        if not self.calibration.any():
            return None
        return metrics.ConfidenceCalibration().add(self.calibration / measures.PARTS)

    def _column(self) -> Column:
        return np.full(len(self.about.files), np.nan)
