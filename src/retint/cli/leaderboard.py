"""`retint leaderboard`: networks taught alike, judged alike, in one table; and claims tested."""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retint.cli.train import shared
from retint.errors import OptionsError, OutputError

if TYPE_CHECKING:
    from retint.bench.sets import PictureSet
    from retint.board.leaderboard import Leaderboard

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


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
    "--before",
    type=_FILE,
    help="JSON of an earlier page: what it has of networks without a training in --runs stays.",
)
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
    before: Path | None,
    output: Path,
) -> None:
    """Teach the networks of PLAN alike, judge them alike, and write one table.

    A training that has not seen all its pictures goes on where it stopped, for --cpu-minutes; one
    that has is left alone, and so are judgements of the same weights. A call may be ended at any
    time, and resumed over days.
    """
    from retint.bench.frozen import open_set
    from retint.board import before as earlier
    from retint.board import plan as plans
    from retint.board.leaderboard import Leaderboard, Lessons

    chosen = plans.load(plan)
    there = earlier.load(before) if before else None
    claimed = plans.load(claims, chosen.networks) if claims else plans.Plan({})
    board = Leaderboard(chosen, claimed, runs, tell=partial(click.echo, err=True), progress=_told)
    for name in only:
        if name not in board.networks:
            raise OptionsError(f"--only {name}: the plan has {', '.join(board.networks)}")
    corpus = data or shared("photos", "--data")
    if cpu_minutes:
        encoders = backbones or shared("backbones", "--backbones")
        board.train(Lessons(corpus, encoders, cpu_minutes, threads), only)
    board.export()
    sets: dict[str, PictureSet] = {}
    if validation:
        sets["validation"] = open_set(validation, _root(validation, corpus), limit)
    if final:
        root = final_pictures or shared("eval", "--eval-pictures")
        sets["eval"] = open_set(final, _root(final, root), limit)
    found = board.judge(sets, corpus)
    if there:
        found = earlier.taken_over(found, there)
    given = {"--claims": claims, "--validation": validation, "--eval": final, "--limit": limit}
    said = " ".join(f"{option} {value}" for option, value in given.items() if value)
    _write(found, f"retint leaderboard {plan} {said}", output, _curves(board, output, there))
    click.echo(f"Look at {output}")


def _root(chosen: Path, pictures: Path) -> Path | None:
    """Where the pictures of a set are: of a manifest, in this folder."""
    return pictures if chosen.suffix.lower() == ".json" else None


def _curves(board: "Leaderboard", output: Path, before: Mapping[str, Any] | None) -> list[str]:
    """Names of the pictures of the curves: of the trainings that there are, and beside a page that
    was taken over the one that it had."""
    target = output.with_suffix(".svg")
    older = [target.name] if before and target.exists() else []
    if older:
        target = target.with_stem(f"{target.stem}-later")
    try:
        return [*older, target.name] if board.draw(target) else older
    except OptionsError as error:  # without matplotlib
        click.echo(f"no curves: {error}", err=True)
        return older


def _write(found: Mapping[str, Any], words: str, output: Path, curves: Sequence[str]) -> None:
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
