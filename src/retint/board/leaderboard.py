"""The leaderboard at work: networks taught in spells, made into models, judged, and listed.

All of it lies in one folder, `runs`: a training in NAME/, its model in NAME.onnx, what was measured
in judged/. Each step goes on with what it finds there, and leaves alone what has not changed.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from retint.apart import apart
from retint.bench.circumstances import circumstances
from retint.bench.evaluate import Progress
from retint.bench.sets import PictureSet
from retint.board import judging, standings, trained
from retint.board.claims import Tested, weigh
from retint.board.plan import Network, Plan
from retint.board.standings import Line
from retint.data import select
from retint.data.corpus import Corpus
from retint.watch import curves
from retint.watch.runs import read

WARM = 0.1
"""Share of its pictures after which a network is worth judging: the rate's warm-up."""


@dataclass(frozen=True)
class Lessons:
    """How networks are taught: pictures, pretrained encoders, and for each spell processor minutes
    and threads."""

    data: Path
    backbones: Path
    cpu_minutes: float
    threads: int


class Leaderboard:
    """The networks of a plan, and those that only its claims need, below one folder.

    tell: where lines about trainings go, also those of other processes (it is pickled). progress:
    as for `evaluate`.
    """

    def __init__(
        self,
        plan: Plan,
        claimed: Plan,
        runs: Path,
        *,
        tell: Callable[[str], None],
        progress: Progress = lambda what, done, of: None,
    ) -> None:
        self.plan, self.claimed, self.runs = plan, claimed, runs
        self.networks = {**plan.networks, **claimed.networks}
        self.tell, self.progress = tell, progress

    def train(self, lessons: Lessons, only: Sequence[str] = ()) -> None:
        """Go on with every training that has not ended, one after the other, each in a process of
        its own, so that nothing of one burdens the next. What goes wrong is told and kept."""
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        for name, network in self.networks.items():
            state = trained.read(self.runs, network)
            if state.ended or network.average or (only and name not in only):
                continue
            self.tell(f"{name}: {state.pictures} of {network.pictures} pictures seen")
            self._apart(name, _go_on, network, lessons, self.runs, self.tell)

    def export(self) -> None:
        """Make models of trainings that have come further, and averages of their models."""
        for name, network in self.networks.items():
            sources = [trained.model(self.runs, part) for part in network.average]
            sources = sources or [self.runs / name / "last.pt"]
            made = trained.model(self.runs, name)
            if not all(source.exists() for source in sources):
                continue
            if not made.exists() or any(_is_newer(source, made) for source in sources):
                self._apart(name, _write_model, sources, self.runs, name)

    def judge(self, sets: Mapping[str, PictureSet], data: Path) -> dict[str, Any]:
        """Everything that a page needs (`standings.board`), judged on `sets`.

        On the set `validation` the plan's networks that are past their warm-up; on others the
        finished ones alone, and released models. data: of which claims about classes hold pictures
        apart.
        """
        judgements: dict[str, dict[str, Any]] = {}
        for name, pictures in sets.items():
            if models := self._models(finished=name != "validation"):
                judgements[name] = self._judged(models, pictures)
        busy = {"load": round(os.getloadavg()[0], 1)} if hasattr(os, "getloadavg") else {}
        return standings.board(
            [self._line(network, judgements) for network in self.plan.networks.values()],
            judgements,
            self._tests(sets.get("validation"), data),
            pictures=self.plan.pictures,
            beside=(*standings.BASELINES, *self.plan.references),
            circumstances=circumstances() | busy,  # times depend on how busy the machine is
            remarks=self.plan.remarks,
        )

    def draw(self, target: Path) -> bool:
        """Draw what was measured during the trainings past their warm-up; whether there is any.

        Raises OptionsError without matplotlib.
        """
        folders = [
            self.runs / name
            for name, network in self.plan.networks.items()
            if (self.runs / name / "log.csv").exists() and self._is_warm(network)
        ]
        if folders:
            measures = ["val_ab", "val_chroma"]
            curves.draw(read(folders), target, measures=measures, axis="pictures")
        return bool(folders)

    def _apart(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        failed = apart(work, *arguments)
        trained.note(self.runs / name, failed)
        if failed:
            self.tell(f"{name}: {failed}")

    def _is_warm(self, network: Network) -> bool:
        return trained.read(self.runs, network).pictures >= WARM * network.pictures

    def _models(self, finished: bool) -> dict[str, Path | str]:
        """Of the plan, by name: the finished ones and released models, or those past warm-up."""
        found: dict[str, Path | str] = {}
        if finished:
            found.update({name: name for name in self.plan.references})
        for name, network in self.plan.networks.items():
            model = trained.model(self.runs, name)
            ready = trained.read(self.runs, network).ended if finished else self._is_warm(network)
            if model.exists() and ready:
                found[name] = model
        return found

    def _judged(self, models: Mapping[str, Path | str], pictures: PictureSet) -> dict[str, Any]:
        return judging.judge(models, pictures, self.runs / "judged", progress=self.progress)

    def _line(self, network: Network, judgements: Mapping[str, Mapping[str, Any]]) -> Line:
        rows = {name: standings.rows_of(judgement) for name, judgement in judgements.items()}
        return Line(
            network,
            trained.read(self.runs, network),
            trained.parameters(self.runs, network.name),
            {name: of[network.name] for name, of in rows.items() if network.name in of},
        )

    def _tests(self, validation: PictureSet | None, data: Path) -> list[Tested]:
        """Each claim put to the test by networks whose training has ended."""
        everyone = self.networks.items()
        ended = {name for name, network in everyone if trained.read(self.runs, network).ended}
        rows: dict[tuple[str, ...], Mapping[str, Mapping[str, Any]]] = {}
        for classes in dict.fromkeys(claim.classes for claim in self.claimed.claims):
            about = [claim for claim in self.claimed.claims if claim.classes == classes]
            names = {name for claim in about for name in (*claim.of, *claim.against)}
            models = {name: trained.model(self.runs, name) for name in sorted(names & ended)}
            models = {name: model for name, model in models.items() if model.exists()}
            shown = judging.held_out(data, classes) if classes else validation
            if models and shown:
                rows[classes] = standings.rows_of(self._judged(models, shown))
        return [weigh(claim, rows.get(claim.classes, {})) for claim in self.claimed.claims]


def _is_newer(path: Path, other: Path) -> bool:
    return path.stat().st_mtime_ns > other.stat().st_mtime_ns


# In processes of their own, where alone torch is imported


def _go_on(network: Network, lessons: Lessons, runs: Path, tell: Callable[[str], None]) -> None:
    """One spell of one training, and what came of it as a model."""
    from retint.train.machine import keep_memory
    from retint.train.short import short_of
    from retint.train.spell import spell

    keep_memory()
    cut = short_of(network.recipe, network.changes, pictures=network.pictures, seed=network.seed)
    data = lessons.data
    if network.classes:
        data = runs / "data" / network.name
        if not data.exists():
            chosen = select.select(Corpus(lessons.data).entries, classes=network.classes)
            select.write(chosen, lessons.data, data)
    spell(
        replace(cut, name=network.name),
        data,
        runs / network.name,
        backbones=lessons.backbones,
        cpu_minutes=lessons.cpu_minutes,
        threads=lessons.threads,
        tell=tell,
    )


def _write_model(sources: list[Path], runs: Path, name: str) -> None:
    """What a training came to, its best where it was to be stopped early; or an average."""
    from retint import export
    from retint.train import checkpoint

    (first, *others) = sources
    if first.name == "last.pt" and checkpoint.load(first)["recipe"]["validation"]["stop"]:
        first = first.with_name("best.pt")
    export.export([first, *others], runs, name=name, version="board")
