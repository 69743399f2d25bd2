"""`retint data prepare`: a corpus from folders, ZIP files and tars."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retint.cli.data._corpus import threads

if TYPE_CHECKING:
    from retint.data.fetch.fetched import Fetched
    from retint.data.prepare import Outcome
    from retint.data.sources import Original, Sidecar


@click.command(name="prepare")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...",
                type=click.Path(exists=True, path_type=Path))  # fmt: skip
@click.option("-o", "--output", required=True, metavar="OUT", help="Folder of the corpus.",
              type=click.Path(file_okay=False, path_type=Path))  # fmt: skip
@click.option("--shorter-side", type=click.IntRange(16), default=192, show_default=True,
              metavar="N", help="Shrink to so many pixels on the shorter side.")  # fmt: skip
@click.option("--quality", type=click.IntRange(1, 100), default=75, show_default=True,
              metavar="N", help="Quality of the WebP files.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Store the files as they are, byte by byte.")
@click.option("--shard-mb", type=click.FloatRange(0, min_open=True), default=26, show_default=True,
              metavar="N", help="Size of a shard, MiB.")  # fmt: skip
@click.option("--labels", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="CSV or JSON lines: file, and labels, license, author, url or "
              "any other column.")  # fmt: skip
@click.option("--no-folder-labels", is_flag=True, help="The folder around a picture is no label.")
@click.option("--dataset", metavar="TEXT", help="Name of the source [that of each SOURCE].")
@click.option("--license", metavar="TEXT", help="Licence of all these pictures.")
@click.option("--author", metavar="TEXT", help="Author of all these pictures.")
@click.option("--max-pixels", type=click.IntRange(1), default=500_000_000, show_default=True,
              metavar="N", help="Largest picture that is decoded, in pixels.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Processes at work [as many as there are threads].")  # fmt: skip
def command(
    sources: tuple[Path, ...],
    output: Path,
    shorter_side: int,
    quality: int,
    keep: bool,
    shard_mb: float,
    labels: Path | None,
    no_folder_labels: bool,
    dataset: str | None,
    license: str | None,
    author: str | None,
    max_pixels: int,
    jobs: int | None,
) -> None:
    """Make a corpus of all pictures in folders, ZIP files and tars, or add them to one.

    Pictures are turned upright, brought to sRGB, shrunk and stored as WebP in ZIP shards, with a
    manifest. The same command goes on where an earlier one was stopped or killed. What is broken,
    or the same picture again, is listed in OUT/rejected.csv with the reason. Of a folder that
    retint data fetch made, the pictures in its list are taken, with all that it says of them.

    Exit code 1 only where not one picture could be used.
    """
    from retint.data.fetch.fetched import Fetched
    from retint.data.prepare import Form, prepare
    from retint.data.sources import Sidecar, weight

    columns = {"dataset": dataset, "license": license, "author": author}
    given = {name: text for name, text in columns.items() if text}
    sidecar = Sidecar(labels) if labels else None
    fetched = {source: Fetched(source) for source in sources if Fetched.made(source)}
    form = Form(shorter_side, quality, keep, max_pixels)
    outcomes = prepare(
        _originals(sources, fetched, given, sidecar, folder_labels=not no_folder_labels),
        output,
        form,
        shard_mb=shard_mb,
        jobs=jobs or threads(),
        columns=[name for list_ in (*fetched.values(), sidecar) if list_ for name in list_.columns],
    )
    total = None
    if sys.stderr.isatty() and None not in (weights := [weight(source) for source in sources]):
        total = sum(size or 0 for size in weights)
    fates: Counter[str] = Counter()
    try:
        for outcome in _shown(outcomes, total):
            fates[outcome.fate] += 1
    except KeyboardInterrupt:
        click.echo("retint: the same command goes on from the last whole shard", err=True)
        raise
    finally:
        outcomes.close()
    click.echo(f"{fates['taken']} pictures taken into {output}")
    for fate in ("done", "duplicate", "broken", "too large"):
        if fates[fate]:
            click.echo(f"{fates[fate]} {_TOLD[fate]}")
    if sidecar and not sidecar.used:
        click.echo(f"retint: {labels} names none of these pictures", err=True)
    if not fates["taken"] + fates["done"]:
        click.echo(f"retint: nothing usable in {', '.join(map(str, sources))}", err=True)
        click.get_current_context().exit(1)


_TOLD = {
    "done": "were done by an earlier run",
    "duplicate": "are the same as another, byte by byte, and were left out (rejected.csv)",
    "broken": "are broken (rejected.csv)",
    "too large": "are too large (rejected.csv)",
}


def _originals(
    sources: Sequence[Path],
    fetched: "Mapping[Path, Fetched]",
    columns: dict[str, str],
    sidecar: "Sidecar | None",
    *,
    folder_labels: bool,
) -> Iterator["Original"]:
    """The originals of all sources, with what the options and the sidecar say of them."""
    from retint.data.sources import originals

    for source in sources:
        if source in fetched:
            found = fetched[source].originals(columns)
        else:
            found = originals(source, columns, folder_labels=folder_labels)
        for original in found:
            if sidecar and (about := sidecar.about(source, original)):
                original = replace(original, columns={**original.columns, **about})
            yield original


def _shown(outcomes: Iterator["Outcome"], total: int | None) -> Iterator["Outcome"]:
    """The outcomes, while a bar on a terminal shows how far they are and names what is broken."""
    if not sys.stderr.isatty():
        yield from outcomes
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    text = TextColumn("{task.fields[count]} pictures, {task.fields[speed]:.0f} a second")
    with Progress(BarColumn(), text, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=total, count=0, speed=0.0)
        for count, outcome in enumerate(outcomes, 1):
            elapsed = bar.tasks[0].elapsed or 1
            bar.update(task, advance=outcome.original.size, count=count, speed=count / elapsed)
            if outcome.fate in ("broken", "too large"):
                line = f"{outcome.fate}: {outcome.original.origin}: {outcome.reason}"
                console.print(line, markup=False, soft_wrap=True)
            yield outcome
