"""`retint export`: turn a checkpoint into a model that `retint colorize` runs."""

from pathlib import Path

import click

from retint.errors import OptionsError


@click.command(name="export")
@click.argument("checkpoint", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder  [default: here]",
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
def command(
    checkpoint: Path,
    output: Path,
    name: str,
    version: str,
    card: Path | None,
    working_size: int,
    changes: tuple[str, ...],
) -> None:
    """Write NAME.onnx and NAME.toml from CHECKPOINT, checked against the original.

    The file is self-contained: `retint colorize --model NAME.onnx` runs it.
    """
    try:
        from retint import export
    except ModuleNotFoundError as error:
        raise OptionsError(f"export needs {error.name}: pip install 'retint[train]'") from None
    target, difference = export.export(
        checkpoint,
        output,
        name=name,
        version=version,
        about=export.about(card) if card else None,
        working_size=working_size,
        changes=changes,
    )
    size = target.stat().st_size / 1e6
    click.echo(f"{target}: {size:.1f} MB, within {difference:.4f} Lab units of the checkpoint")
