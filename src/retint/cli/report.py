"""`retint report`: pages that can be published."""

from pathlib import Path

import click


@click.command(name="report")
@click.option(
    "--training", is_flag=True, help="About trainings: RUNS are their folders or log.csv files."
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("page"),
    show_default=True,
    help="Folder for index.html and its pictures.",
)
@click.option(
    "--checkpoints",
    type=click.IntRange(1),
    default=24,
    show_default=True,
    help="Checkpoints of each training to show, evenly spread.",
)
def command(training: bool, runs: tuple[Path, ...], output: Path, checkpoints: int) -> None:
    """Write a page about trainings: the same photographs at every checkpoint, under a slider.

    Beneath them curves, figures, recipe and sources; several trainings stand side by side. The page
    loads nothing from elsewhere. It holds pictures of the validation set: publish it where they
    may be published.
    """
    if not training:
        raise click.UsageError("say what the page is about: --training")
    from retint.watch.page import write_page
    from retint.watch.runs import read

    path = write_page(read(runs), output, checkpoints=checkpoints)
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    click.echo(f"Open {path}: {size / 1e6:.1f} MB with its pictures")
