"""`retint curves`: what was measured during one training or many, in one picture."""

from pathlib import Path

import click


@click.command(name="curves")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("curves.png"),
    show_default=True,
    help="Picture to write: .png, .svg or .pdf.",
)
@click.option(
    "--measures", metavar="NAME,...", help="Columns of the logs to draw  [all measures there are]."
)
@click.option(
    "--over",
    type=click.Choice(["step", "pictures", "minutes", "epoch"]),
    default="step",
    show_default=True,
    help="What the curves are drawn over.",
)
@click.option("--log", is_flag=True, help="Losses on a logarithmic scale.")
@click.option(
    "--smooth",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Weight of the moving average; the measured values stay behind it.",
)
def command(
    runs: tuple[Path, ...],
    output: Path,
    measures: str | None,
    over: str,
    log: bool,
    smooth: float,
) -> None:
    """Draw what was measured during trainings: RUNS are their folders or log.csv files.

    Loss, accuracy, distance to the true colours, chroma and cast, each training in its own colour
    and mark; lines where a stage ends. A training may still be running.
    """
    from retint.watch import curves
    from retint.watch.runs import read

    names = [name.strip() for name in (measures or "").split(",") if name.strip()]
    target = curves.draw(read(runs), output, measures=names, axis=over, log=log, smooth=smooth)
    click.echo(f"Look at {target}")
