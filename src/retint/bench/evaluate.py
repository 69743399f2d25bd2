"""Contestants on a set of colour pictures: each is shown the lightness and judged by the colour."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import metrics
from retint.bench import measures
from retint.bench.contestants import (
    SHUFFLED,
    Colouring,
    Contestant,
    Folder,
    Grey,
    Kind,
    MeanColour,
    Model,
    Shuffled,
)
from retint.bench.measures import Counts, Judge, Record
from retint.bench.records import Records, key_of
from retint.bench.sets import PictureSet, Truth
from retint.bench.survey import Column, Survey, survey
from retint.bench.work import Progress, work_off
from retint.colorizer import Colorizer
from retint.errors import InputError, ModelError, OptionsError
from retint.metrics.confidence import BINS

SEED = 0
"""Of the order in which pictures hand their colours on for the shuffled rows."""


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


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    `contestants`: in the order of the rows. `failed`: models that could not go on, and why; they
    have no row. `notes`: of the extra judges.
    """

    pictures: PictureSet
    survey: Survey
    rows: list[Row]
    contestants: list[Contestant]
    failed: dict[str, str]
    mean_ab: tuple[float, float]
    mean_ab_of: str
    notes: list[str]


def evaluate(
    models: Mapping[str, Colorizer],
    pictures: PictureSet,
    *,
    folders: Mapping[str, Path] | None = None,
    judges: Sequence[Judge] = (),
    mean_ab: tuple[float, float] | None = None,
    mean_ab_of: str = "",
    resume: Path | None = None,
    jobs: int = 1,
    progress: Progress = lambda what, done, of: None,
) -> Evaluation:
    """Judge models and folders of colourings, by the names given, at the pictures' own size.

    Beside each stands its own chroma shuffled between the pictures, and beside all of them grey
    and a mean colour everywhere: mean_ab, said to be that `mean_ab_of` something, or the mean of
    the set itself. Pictures that cannot be read are left out and named; so is, for one contestant,
    a picture of which it has no usable colouring, and a model that fails, wholly.

    resume: a folder that keeps what was measured, so that a run that was stopped goes on, and one
    with a further model measures that one alone. jobs: processes; no figure but the milliseconds
    depends on it. Raises InputError where the set has no colour picture that can be read or a
    folder holds none, OptionsError for two contestants of one name, OutputError where `resume`
    cannot be written to.
    """
    folders = folders or {}
    _check_names([*models, *folders])
    with Records(resume) as records:
        about = survey(pictures, records, jobs, progress)
        pictures = replace(pictures, hashes=about.hashes)
        if mean_ab is None:
            mean_ab, mean_ab_of = about.mean_ab, "the set itself"
        lots: list[int] = np.random.default_rng(SEED).permutation(len(about.files)).tolist()
        order = [about.files[i] for i in lots]
        sources: list[Model | Folder] = [Model(name, model) for name, model in models.items()]
        sources += [
            Folder(name, path, [*pictures.files, *pictures.others])
            for name, path in folders.items()
        ]
        contestants = _contestants(sources, MeanColour(mean_ab), order, pictures)
        tallies = [_Tally(about) for _ in contestants]
        work = _Work(pictures, contestants, [_Figures(), *judges])
        failed, speechless = _fill(tallies, work, order, records, jobs, progress)
    heard = {i: judge for i, judge in enumerate(judges, 1) if i not in speechless}
    kept = [i for i, contestant in enumerate(contestants) if contestant.model not in failed]
    return Evaluation(
        pictures=pictures,
        survey=about,
        rows=[tallies[i].row(contestants[i], heard) for i in kept],
        contestants=[contestants[i] for i in kept],
        failed=failed,
        mean_ab=mean_ab,
        mean_ab_of=mean_ab_of,
        notes=[
            f"Without {judge.name}: {speechless[i]}." if i in speechless else judge.note
            for i, judge in enumerate(judges, 1)
        ],
    )


def _check_names(names: Sequence[str]) -> None:
    own = {Grey.name, MeanColour.name}
    for name in names:
        if name in own or names.count(name) > 1:
            raise OptionsError(f"two contestants are named {name}: give one another name")
        if name.endswith(SHUFFLED):
            raise OptionsError(f"a contestant is named {name}: that is a baseline's name")


def _contestants(
    sources: Sequence[Model | Folder], mean: MeanColour, order: Sequence[str], pictures: PictureSet
) -> list[Contestant]:
    found: list[Contestant] = [Grey(), mean]
    for source in sources:
        if len(order) > 1:
            found.append(Shuffled(source, order, pictures))
        found.append(source)
    return found


Task: TypeAlias = tuple[str, list[tuple[int, list[int]]]]
"""A picture; the contestants to judge by their numbers, and of each the judges to ask, by theirs"""

Answer: TypeAlias = dict[int, Record | str] | InputError | ModelError
"""What each judge found of a colouring, or why it cannot judge; or why there is no colouring."""


@dataclass(frozen=True)
class _Work:
    """Colours a picture and asks the judges; it goes to other processes."""

    pictures: PictureSet
    contestants: list[Contestant]
    judges: list[Judge]

    def __call__(self, task: Task) -> tuple[str, list[tuple[int, Answer]]]:
        file, wanted = task
        truth = self.pictures.open(file)
        return file, [(number, self._judged(number, judges, truth)) for number, judges in wanted]

    def _judged(self, number: int, judges: list[int], truth: Truth) -> Answer:
        try:
            colouring = self.contestants[number].colour(truth)
        except (InputError, ModelError) as error:
            return error
        return {judge: self._asked(judge, truth, colouring) for judge in judges}

    def _asked(self, judge: int, truth: Truth, colouring: Colouring) -> Record | str:
        try:
            return self.judges[judge].measure(truth, colouring)
        except ModelError as error:
            return str(error)


class _Figures:
    """The judge that is always there."""

    name = "figures"
    key = measures.KEY
    note = ""

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        return measures.measure(truth, colouring)

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        return {}


def _fill(
    tallies: list["_Tally"],
    work: _Work,
    order: Sequence[str],
    records: Records,
    jobs: int,
    progress: Progress,
) -> tuple[dict[str, str], dict[int, str]]:
    """Fill the tallies from the records, and by working off what these lack.

    Returns the models that failed, and the judges that did, by their numbers, and why.
    """
    failed: dict[str, str] = {}
    speechless: dict[int, str] = {}
    todo: list[Task] = []
    keys: dict[tuple[str, int, int], str] = {}
    for file in order:
        wanted: list[tuple[int, list[int]]] = []
        for number, contestant in enumerate(work.contestants):
            depends = contestant.fingerprint(file), work.pictures.sha256(file)
            lacking: list[int] = []
            for place, judge in enumerate(work.judges):
                key = key_of(judge.key, *depends)
                if record := records.find(key):
                    tallies[number].add(place, file, record)
                else:
                    keys[file, number, place] = key
                    lacking.append(place)
            if lacking:
                wanted.append((number, lacking))
        if wanted:
            todo.append((file, wanted))

    def waiting() -> Iterator[Task]:
        for file, wanted in todo:
            yield file, [w for w in wanted if work.contestants[w[0]].model not in failed]

    before = len(order) - len(todo)
    progress("judging", before, len(order))
    for done, (file, answers) in enumerate(work_off(work, waiting(), jobs), before + 1):
        for number, answer in answers:
            contestant = work.contestants[number]
            if isinstance(answer, ModelError):
                failed.setdefault(contestant.model, str(answer))
            elif isinstance(answer, InputError):
                tallies[number].left_out[file] = str(answer)
            else:
                for place, record in answer.items():
                    if isinstance(record, str):
                        speechless.setdefault(place, record)
                        continue
                    key = keys[file, number, place]
                    records.append(key, record, file=file, contestant=contestant.name)
                    tallies[number].add(place, file, record)
        progress("judging", done, len(order))
    return failed, speechless


class _Tally:
    """What comes in of one contestant, in any order."""

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
        """One judge's record of one picture; the first judge's is ours."""
        i = self.place[file]
        if judge == 0:
            self.area[i] = measures.weighed(record["right"], self.about.weights) / measures.PARTS
            measures.add(self.right, record["right"])
            measures.add(self.pixels, self.about.pixels[i])
            measures.add(self.colours, record["colours"])
            measures.add(self.calibration, record.get("calibration", [[], []]))
        else:
            self.found.setdefault(judge, {})[file] = record
        for name, value in (record["figures"] if judge == 0 else record).items():
            if isinstance(value, int | float):
                self.figures.setdefault(name, self._column())[i] = value

    def row(self, contestant: Contestant, judges: Mapping[int, Judge]) -> Row:
        files = self.about.files
        judged = {
            judge.name: judge.compute([found[file] for file in files if file in found])
            for place, judge in judges.items()
            if (found := self.found.get(place))
        }
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

    def _calibration(self) -> metrics.ConfidenceCalibration | None:
        if not self.calibration.any():
            return None
        return metrics.ConfidenceCalibration().add(self.calibration / measures.PARTS)

    def _column(self) -> Column:
        return np.full(len(self.about.files), np.nan)
