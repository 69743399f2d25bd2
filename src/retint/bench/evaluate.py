"""Contestants on a set of colour pictures: each is shown the lightness and judged by the colour."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from retint.bench import measures
from retint.bench.contestants import (
    SHUFFLED,
    Colouring,
    Contestant,
    Folder,
    Grey,
    MeanColour,
    Model,
    Shuffled,
)
from retint.bench.measures import Judge, Record
from retint.bench.records import Records, key_of
from retint.bench.sets import PictureSet, Truth
from retint.bench.survey import Survey, survey
from retint.bench.tally import Row, Tally
from retint.bench.work import Progress, work_off
from retint.colorizer import Colorizer
from retint.errors import InputError, ModelError, OptionsError

SEED = 0
"""Of the order in which pictures hand their colours on for the shuffled rows."""


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
        tallies = [Tally(about) for _ in contestants]
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
"""A picture; the numbers of contestants to judge, and of each the numbers of judges to ask."""

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


Missing: TypeAlias = dict[str, dict[int, dict[int, str]]]
"""Of each picture, each contestant and each judge that has no record of them: the record's key."""


def _known(
    tallies: Sequence[Tally], work: _Work, order: Sequence[str], records: Records
) -> Missing:
    """Fill the tallies from the records; what these lack, in the order given."""
    missing: Missing = {}
    for file in order:
        for number, contestant in enumerate(work.contestants):
            depends = contestant.fingerprint(file), work.pictures.sha256(file)
            for place, judge in enumerate(work.judges):
                key = key_of(judge.key, *depends)
                record = records.find(key)
                if record is None:
                    missing.setdefault(file, {}).setdefault(number, {})[place] = key
                else:
                    tallies[number].add(place, file, record)
    return missing


def _fill(
    tallies: Sequence[Tally],
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
    missing = _known(tallies, work, order, records)

    def tasks() -> Iterator[Task]:
        for file, wanted in missing.items():
            going = {n: w for n, w in wanted.items() if work.contestants[n].model not in failed}
            yield file, [(number, list(places)) for number, places in going.items()]

    before = len(order) - len(missing)
    progress("judging", before, len(order))
    for done, (file, answers) in enumerate(work_off(work, tasks(), jobs), before + 1):
        for number, answer in answers:
            name, model = work.contestants[number].name, work.contestants[number].model
            if isinstance(answer, ModelError):
                failed.setdefault(model, str(answer))
            elif isinstance(answer, InputError):
                tallies[number].left_out[file] = str(answer)
            else:
                for place, record in answer.items():
                    if isinstance(record, str):
                        speechless.setdefault(place, record)
                    else:
                        key = missing[file][number][place]
                        records.append(key, record, file=file, contestant=name)
                        tallies[number].add(place, file, record)
        progress("judging", done, len(order))
    return failed, speechless
