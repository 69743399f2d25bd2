"""`retint import`: turn a checkpoint that others published into a model that runs here."""

from pathlib import Path

import click

from retint.cli.export import FORMATS
from retint.errors import OptionsError

WHOLE = tuple(name for name in FORMATS if name != "onnx-int8")  # which wants calibration


@click.command(name="import")
@click.argument("family")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--variant", metavar="NAME", help="Of the family  [default: the published one].")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder  [default: here]",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(WHOLE),
    multiple=True,
    default=("onnx",),
    show_default="onnx",
    help="What to write; again for more.",
)
@click.option("--name", metavar="NAME", help="Of the model and its files  [default: FAMILY].")
@click.option("--version", default="1", show_default=True, help="Of the model.")
@click.option(
    "--working-size", type=click.IntRange(32), help="Longest side at use  [default: the authors']."
)
@click.option("--license", "code", metavar="NAME", help="Licence of the code, where not MIT.")
@click.option(
    "--weights-license",
    "weights",
    metavar="NAME",
    help="Licence of the weights, where they are not those that the authors published.",
)
@click.option(
    "--allow-license",
    "allowed",
    metavar="NAME",
    multiple=True,
    help="Accept this licence, though it does not let everybody use the weights for anything.",
)
def command(
    family: str,
    file: Path,
    variant: str | None,
    output: Path,
    formats: tuple[str, ...],
    name: str | None,
    version: str,
    working_size: int | None,
    code: str | None,
    weights: str | None,
    allowed: tuple[str, ...],
) -> None:
    """Write a model from FILE, the checkpoint that the authors of FAMILY published.

    FILE is what torch.save wrote, or a .safetensors: of the former tensors and plain values are
    read, never code. Each weight must have its place and shape, or a report says which has not.
    """
    try:
        from retint import export
        from retint.export import foreign
    except ModuleNotFoundError as error:
        raise OptionsError(f"import needs {error.name}: pip install 'retint[train]'") from None
    given = {"license": code, "weights_license": weights, "working_size": working_size}
    card = {key: value for key, value in given.items() if value is not None}
    card |= {"name": name or family, "version": version}
    net, network = foreign.read(family, file, variant, card=card, allowed=allowed)
    for made in export.write(net, network, output, tuple(dict.fromkeys(formats))):
        click.echo(
            f"{made.path}: {made.path.stat().st_size / 1e6:.1f} MB,"
            f" within {made.difference:.4f} Lab units of the original"
        )
