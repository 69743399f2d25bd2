"""`retint leaderboard`: networks taught alike, judged alike, in one table; and claims tested."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retint.cli._apart import apart
from retint.cli.train import keep_memory, shared
from retint.errors import OptionsError, OutputError

if TYPE_CHECKING:
    from retint.bench.sets import PictureSet
    from retint.board.claims import Tested
    from retint.board.plan import Network, Plan
    from retint.board.standings import Line

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)

WARM = 0.1
"""Share of its pictures after which a network is worth judging: the rate's warm-up."""


@click.command(name="leaderboard")
@click.argument("plan", type=_FILE, default=Path("benchmarks/leaderboard.toml"))
@click.option("--claims", type=_FILE, help="Claims to test too, with networks of their own.")
@click.option("--data", type=_FOLDER, help="Pictures to learn from  [RETINT_SHARED/photos].")
@click.option(
    "--backbones", type=_FOLDER, help="Folder of pretrained encoders  [RETINT_SHARED/backbones]."
)
@click.option(
    "--runs",
    type=_FOLDER,
    default=Path("runs/board"),
    show_default=True,
    help="Where trainings, models and judgements are kept, to go on from.",
)
@click.option(
    "--validation",
    type=click.Path(path_type=Path),
    help="Pictures to rank by: a folder, or a manifest of pictures in --data.",
)
@click.option(
    "--eval",
    "final",
    type=click.Path(path_type=Path),
    help="Pictures for those that are finished, likewise.",
)
@click.option(
    "--eval-pictures",
    "final_pictures",
    type=_FOLDER,
    help="Where those of its manifest are  [RETINT_SHARED/eval].",
)
@click.option("--limit", type=click.IntRange(1), help="Pictures of each set, evenly spread.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Train this network alone; again for more."
)
@click.option(
    "--cpu-minutes",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Processor time of each training in this call; 0: train nothing.",
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True,
              help="Of a training.")  # fmt: skip
@click.option(
    "-o",
    "--output",
    type=_FILE,
    default=Path("leaderboard.md"),
    show_default=True,
    help="Page to write; JSON and curves lie beside it.",
)
def command(
    plan: Path,
    claims: Path | None,
    data: Path | None,
    backbones: Path | None,
    runs: Path,
    validation: Path | None,
    final: Path | None,
    final_pictures: Path | None,
    limit: int | None,
    only: tuple[str, ...],
    cpu_minutes: float,
    threads: int,
    output: Path,
) -> None:
    """Teach the networks of PLAN alike, judge them alike, and write one table.

    A training that has not seen all its pictures goes on where it stopped, for --cpu-minutes; one
    that has is left alone, and so are judgements of the same weights. A call may be ended at any
    time, and resumed over days.
    """
    from retint.bench.circumstances import circumstances
    from retint.bench.frozen import open_set
    from retint.bench.sets import PictureSet
    from retint.board import plan as plans
    from retint.board import standings

    chosen = plans.load(plan)
    claimed = plans.load(claims, chosen.networks) if claims else plans.Plan({})
    networks = {**chosen.networks, **claimed.networks}
    for name in only:
        if name not in networks:
            raise OptionsError(f"--only {name}: the plan has {', '.join(networks)}")
    corpus = data or shared("photos", "--data")
    if cpu_minutes:
        encoders = backbones or shared("backbones", "--backbones")
        _train(networks, only, (corpus, encoders, runs, cpu_minutes, threads))
    _export(networks, runs)
    sets: dict[str, PictureSet] = {}
    if validation:
        sets["validation"] = open_set(validation, _root(validation, corpus), limit)
    if final:
        root = final_pictures or shared("eval", "--eval-pictures")
        sets["eval"] = open_set(final, _root(final, root), limit)
    judgements = _judgements(chosen, runs, sets)
    found = standings.board(
        [_line(network, runs, judgements) for network in chosen.networks.values()],
        judgements,
        _tests(claimed, networks, sets, corpus, runs),
        beside=(*standings.BASELINES, *chosen.references),
        circumstances=circumstances() | _load(),
        remarks=chosen.remarks,
    )
    given = {"--claims": claims, "--validation": validation, "--eval": final, "--limit": limit}
    said = " ".join(f"{option} {value}" for option, value in given.items() if value)
    _write(found, f"retint leaderboard {plan} {said}", output, _curves(chosen, runs, output))
    click.echo(f"Look at {output}")


def _train(
    networks: "Mapping[str, Network]",
    only: tuple[str, ...],
    how: tuple[Path, Path, Path, float, int],
) -> None:
    """Go on with every training that has not ended, one after the other, each in a process of its
    own, so that nothing of one burdens the next. how: what `_go_on` takes."""
    from retint.board import trained

    runs = how[2]
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name, network in networks.items():
        state = trained.read(runs, network)
        if state.ended or network.average or (only and name not in only):
            continue
        click.echo(f"{name}: {state.pictures} of {network.pictures} pictures seen", err=True)
        failed = apart(_go_on, network, *how)
        trained.note(runs / name, failed)
        if failed:
            click.echo(f"{name}: {failed}", err=True)


def _go_on(
    network: "Network",
    data: Path,
    backbones: Path,
    runs: Path,
    cpu_minutes: float,
    threads: int,
) -> None:
    """One spell of one training, and what came of it as a model."""
    from dataclasses import replace

    from retint.data import select
    from retint.data.corpus import Corpus
    from retint.train.short import short_of
    from retint.train.spell import spell

    keep_memory()
    cut = short_of(network.recipe, network.changes, pictures=network.pictures, seed=network.seed)
    if network.classes:
        data, whole = runs / "data" / network.name, data
        if not data.exists():
            chosen = select.select(Corpus(whole).entries, classes=network.classes)
            select.write(chosen, whole, data)
    spell(
        replace(cut, name=network.name),
        data,
        runs / network.name,
        backbones=backbones,
        cpu_minutes=cpu_minutes,
        threads=threads,
        tell=lambda line: click.echo(line, err=True),
    )


def _export(networks: "Mapping[str, Network]", runs: Path) -> None:
    """Make models of trainings that have come further, and averages of their models."""
    from retint.board import trained

    for name, network in networks.items():
        sources = [trained.model(runs, part) for part in network.average]
        sources = sources or [runs / name / "last.pt"]
        made = trained.model(runs, name)
        if not all(source.exists() for source in sources):
            continue
        if not made.exists() or any(_is_newer(source, made) for source in sources):
            failed = apart(_write_model, sources, runs, name)
            trained.note(runs / name, failed)
            if failed:
                click.echo(f"{name}: {failed}", err=True)


def _is_newer(path: Path, other: Path) -> bool:
    return path.stat().st_mtime_ns > other.stat().st_mtime_ns


def _write_model(sources: list[Path], runs: Path, name: str) -> None:
    """What a training came to, its best where it was to be stopped early; or an average."""
    from retint import export
    from retint.train import checkpoint

    (first, *others) = sources
    if first.name == "last.pt" and checkpoint.load(first)["recipe"]["validation"]["stop"]:
        first = first.with_name("best.pt")
    export.export([first, *others], runs, name=name, version="board")


def _judgements(
    plan: "Plan", runs: Path, sets: "Mapping[str, PictureSet]"
) -> dict[str, dict[str, Any]]:
    """The plan's networks that are past their warm-up on the validation set; on the other the
    finished ones alone, and released models."""
    from retint.board import judging, trained

    there: dict[str, Path | str] = {}
    finished: dict[str, Path | str] = {name: name for name in plan.references}
    for name, network in plan.networks.items():
        model = trained.model(runs, name)
        if model.exists() and _is_warm(network, runs):
            there[name] = model
        if model.exists() and trained.read(runs, network).ended:
            finished[name] = model
    asked = {"validation": there, "eval": finished}
    return {
        name: judging.judge(asked[name], pictures, runs / "judged", progress=_told)
        for name, pictures in sets.items()
        if asked[name]
    }


def _is_warm(network: "Network", runs: Path) -> bool:
    from retint.board import trained

    return trained.read(runs, network).pictures >= WARM * network.pictures


def _root(chosen: Path, pictures: Path) -> Path | None:
    """Where the pictures of a set are: of a manifest, in this folder."""
    return pictures if chosen.suffix.lower() == ".json" else None


def _line(network: "Network", runs: Path, judgements: Mapping[str, Mapping[str, Any]]) -> "Line":
    from retint.board import trained
    from retint.board.standings import Line, rows_of

    rows = {set_: rows_of(judgement) for set_, judgement in judgements.items()}
    return Line(
        network,
        trained.read(runs, network),
        trained.parameters(runs, network.name),
        {set_: of[network.name] for set_, of in rows.items() if network.name in of},
    )


def _tests(
    claimed: "Plan",
    networks: "Mapping[str, Network]",
    sets: "Mapping[str, PictureSet]",
    data: Path,
    runs: Path,
) -> "list[Tested]":
    """Each claim put to the test by networks whose training has ended."""
    from retint.board import judging, standings, trained
    from retint.board.claims import weigh

    ended = {name for name, network in networks.items() if trained.read(runs, network).ended}
    rows: dict[tuple[str, ...], Mapping[str, Mapping[str, Any]]] = {}
    for classes in dict.fromkeys(claim.classes for claim in claimed.claims):
        about = [claim for claim in claimed.claims if claim.classes == classes]
        names = {name for claim in about for name in (*claim.of, *claim.against)}
        models = {name: trained.model(runs, name) for name in sorted(names & ended)}
        models = {name: model for name, model in models.items() if model.exists()}
        shown = judging.held_out(data, classes) if classes else sets.get("validation")
        if models and shown:
            judged = judging.judge(models, shown, runs / "judged", progress=_told)
            rows[classes] = standings.rows_of(judged)
    return [weigh(claim, rows.get(claim.classes, {})) for claim in claimed.claims]


def _curves(plan: "Plan", runs: Path, output: Path) -> str | None:
    """The name of a picture of what was measured during the trainings past their warm-up; None
    without one."""
    from retint.watch import curves
    from retint.watch.runs import read

    folders = [
        runs / name
        for name, network in plan.networks.items()
        if (runs / name / "log.csv").exists() and _is_warm(network, runs)
    ]
    if not folders:
        return None
    target = output.with_suffix(".svg")
    try:
        curves.draw(read(folders), target, measures=["val_ab", "val_chroma"], axis="pictures")
    except OptionsError as error:  # without matplotlib
        click.echo(f"no curves: {error}", err=True)
        return None
    return target.name


def _write(found: Mapping[str, Any], words: str, output: Path, curves: str | None) -> None:
    from retint.board.page import page

    beside = output.with_suffix(".json")
    try:
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        beside.write_text(text, "utf-8")
        output.write_text(page(found, words, beside.name, curves), "utf-8")
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror}") from error


def _told(what: str, done: int, of: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{what}: {done} of {of}", nl=done == of, err=True)


def _load() -> dict[str, float]:
    """How busy the machine is, where it says so: times depend on that."""
    return {"load": round(os.getloadavg()[0], 1)} if hasattr(os, "getloadavg") else {}
