"""`retint overfit`: whether a network can learn one photograph by heart, then two."""

from pathlib import Path

import click

from retint.errors import OptionsError, RetintError


@click.command(name="overfit")
@click.argument("family", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every family there is.")
@click.option("--variant", default="default", show_default=True, help="Of the family.")
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A colour picture of your own; give two  [default: two in scikit-image]",
)
@click.option(
    "--size",
    type=click.IntRange(16, 2048),
    default=128,
    show_default=True,
    help="Longer side of the first picture, in pixels; the second gets three quarters of it.",
)
@click.option(
    "--steps",
    type=click.IntRange(2),
    default=1000,
    show_default=True,
    help="Steps of a rung; each sees every picture once.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Of a rung, at most.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Of Adam, at first.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE.json",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table to write, or to go on with, and a page of Markdown beside it.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N")
@click.option(
    "--threads", type=click.IntRange(1), help="CPU threads  [default: all this process may use]"
)
def command(
    family: tuple[str, ...],
    every: bool,
    variant: str,
    pictures: tuple[Path, ...],
    size: int,
    steps: int,
    minutes: float | None,
    rate: float,
    output: Path | None,
    device: str,
    threads: int | None,
) -> None:
    """Overfit a network of FAMILY on one picture, and on two of different sizes.

    A network that cannot learn one picture by heart will not learn thousands. The bar is a mean
    squared error of ab / 128 below 0.001 and below 5 % of the picture's variance; networks of bins
    learn their distribution, and their colours are held to the 5 %. One that stays above it is
    tried with twice the steps; where that takes the error no lower than four fifths, and it has few
    weights or does not see all of a picture, it is too small.
    """
    if not family and not every:
        raise click.UsageError("name a family, or --all")
    if pictures and len(pictures) != 2:
        raise click.UsageError("give two pictures, or none")
    if output is not None and output.suffix != ".json":
        raise OptionsError(f"{output}: a table is .json")
    try:
        import torch

        from retint.models import families
        from retint.predict import available_threads
        from retint.train import ladder, machine, overfit
    except ModuleNotFoundError as error:
        raise OptionsError(f"training needs {error.name}: pip install 'retint[train]'") from None

    device = machine.device(device)
    machine.keep_memory()
    torch.set_num_threads(threads or available_threads())
    shown = [overfit.read(path) for path in pictures] or overfit.default_pictures()
    table = ladder.read(output) if output else {}
    settings = {"size": size, "steps": steps, "minutes": minutes, "rate": rate}
    for name in families() if every else family:
        try:
            climbed = overfit.climb(
                name,
                shown,
                variant=variant,
                side=size,
                steps=steps,
                rate=rate,
                minutes=minutes,
                device=device,
                tell=click.echo,
            )
        except RetintError as error:
            if not every:
                raise
            table[name] = {"failed": str(error)}
            click.echo(f"{name}: {error}")
        else:
            height, width = climbed.field
            click.echo(f"{name}: {climbed.parameters:,} parameters, sees {width}x{height} pixels")
            key = name if variant == "default" else f"{name} {variant}"
            table[key] = ladder.row(climbed, settings)
        if output:
            ladder.write(table, output)
