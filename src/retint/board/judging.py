"""Networks of the board before the judge: one evaluation of each set, of which only what is new is
measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retint import hub
from retint.bench import report
from retint.bench.evaluate import Progress, evaluate
from retint.bench.sets import PictureSet
from retint.colorizer import Colorizer
from retint.data import select
from retint.data.corpus import Corpus, lot
from retint.predict import load

HELD_OUT = 0.2
"""Share of a class' pictures, by hash, that nobody learned from; see `validation.share`."""


def held_out(data: Path, classes: Sequence[str]) -> PictureSet:
    """The pictures of some classes of a corpus that networks of these classes were not shown."""
    entries = select.select(Corpus(data).entries, classes=classes)
    apart = [entry.name for entry in entries if lot(entry) < HELD_OUT]
    return PictureSet(" and ".join(classes), data, apart)


def judge(
    models: Mapping[str, Any],
    pictures: PictureSet,
    kept: Path,
    *,
    jobs: int = 1,
    progress: Progress = lambda what, done, of: None,
) -> dict[str, Any]:
    """The judgement (`bench --json`) of models, given as paths or released models' names, on a set.

    kept: the folder in which what was measured is found again. The mean colour is that of the
    released model's corpus. Errors as for `evaluate` and `load`.
    """
    colorizers = {name: Colorizer(load(str(model))) for name, model in models.items()}
    a, b = hub.card("default").figures["mean_ab"]
    found = evaluate(
        colorizers,
        pictures,
        mean_ab=(a, b),
        mean_ab_of="the released model's corpus",
        resume=kept,
        jobs=jobs,
        progress=progress,
    )
    return report.summary(found)
