"""`retint export`: turn a checkpoint into a model that runs here or elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retint.errors import OptionsError

if TYPE_CHECKING:
    from retint.export.network import Network

FORMATS = ("onnx", "onnx-fp32", "onnx-int8", "torchscript", "torch-export", "safetensors")


@click.command(name="export")
@click.argument(
    "sources",
    metavar="MODEL...",
    type=click.Path(dir_okay=False, path_type=Path),
    nargs=-1,
    required=True,
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder  [default: here]",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("onnx",),
    show_default="onnx",
    help="What to write; again for more.",
)
@click.option("--name", default="default", show_default=True, help="Of the model and its files.")
@click.option("--version", default="1", show_default=True, help="Of the model.")
@click.option(
    "--card", type=click.Path(path_type=Path), help="TOML with more for the card: figures, say."
)
@click.option(
    "--working-size",
    type=click.IntRange(32),
    default=256,
    show_default=True,
    help="Longest side at use.",
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the network: gain=1.2"
)
@click.option(
    "--calibration",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder of pictures from which onnx-int8 learns its ranges.",
)
@click.option(
    "--cascade", is_flag=True, help="Several MODELs in a row, each told the colours before it."
)
@click.option(
    "--soup", is_flag=True, help="Average the weights of MODELs trained on from each other, in one."
)
@click.option(
    "--router",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Model that names subjects; it leaves to MODEL what no expert is for.",
)
@click.option(
    "--expert",
    "experts",
    type=(str, click.Path(dir_okay=False, path_type=Path)),
    multiple=True,
    metavar="SUBJECT MODEL",
    help="Model for pictures of SUBJECT; again for more.",
)
@click.option(
    "--below",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Confidence of the router below which no expert is asked.",
)
def command(
    sources: tuple[Path, ...],
    output: Path,
    formats: tuple[str, ...],
    name: str,
    version: str,
    card: Path | None,
    working_size: int,
    changes: tuple[str, ...],
    calibration: Path | None,
    cascade: bool,
    soup: bool,
    router: Path | None,
    experts: tuple[tuple[str, Path], ...],
    below: float,
) -> None:
    """Write a model from MODEL, checked against the original.

    MODEL is a training's checkpoint, or an .onnx or .safetensors that was exported before; several
    become one model that averages their colours, with --soup one that has the mean of their
    weights, with --cascade a row of them; with --router one that leaves each picture to the expert
    on what it shows. Each file carries the card in itself. An .onnx gets a .toml beside it, and
    runs by `retint colorize --model NAME.onnx`.
    """
    if bool(router) != bool(experts):
        raise click.UsageError("--router and --expert go together")
    if soup and cascade:
        raise click.UsageError("--soup or --cascade, not both")
    try:
        from retint import export
    except ModuleNotFoundError as error:
        raise OptionsError(f"export needs {error.name}: pip install 'retint[train]'") from None

    def join(networks: Sequence["Network"]) -> "Network":
        how = "cascade" if cascade else "mean"
        network = export.soup(networks) if soup else export.mixed(networks, how)
        if router is None:
            return network
        known = {subject: export.read(path) for subject, path in experts}
        return export.routed(network, export.read(router), known, below)

    written = export.export(
        sources,
        output,
        name=name,
        version=version,
        formats=tuple(dict.fromkeys(formats)),
        about=export.about(card) if card else None,
        working_size=working_size,
        changes=changes,
        calibration=calibration,
        join=join,
    )
    for file in written:
        size = f"{file.path}: {file.path.stat().st_size / 1e6:.1f} MB"
        if file.coarseness is None:
            click.echo(f"{size}, within {file.difference:.4f} Lab units of the original")
            continue
        cost = file.coarseness
        before, after = cost.milliseconds
        click.echo(
            f"{size}, {cost.mean:.2f} Lab units from the original on average and"
            f" {cost.worst:.1f} at most, on {cost.pictures} pictures;"
            f" {after:.0f} ms a picture, where single precision takes {before:.0f}"
        )
