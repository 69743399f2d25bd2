"""`retint features`: what the layers of a network make of a photograph."""

from pathlib import Path

import click

from retint.errors import OptionsError


@click.command(name="features")
@click.argument("model")
@click.argument("photo", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--list", "listing", is_flag=True, help="Name the layers, with shapes, and stop.")
@click.option("--layer", metavar="NAME", help="Layer whose maps are drawn.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("maps.png"),
    show_default=True,
    help="Sheet to write: .png or .jpg.",
)
@click.option(
    "--sort",
    type=click.Choice(["activation", "index"]),
    default="activation",
    show_default=True,
    help="The most active maps first, or by number.",
)
@click.option(
    "--channels",
    type=click.IntRange(1),
    default=48,
    show_default=True,
    help="Maps to draw, at most.",
)
@click.option(
    "--longest",
    type=click.IntRange(16, 4096),
    default=256,
    show_default=True,
    help="Longest side at which the network sees the photograph, in pixels.",
)
def command(
    model: str,
    photo: Path,
    listing: bool,
    layer: str | None,
    output: Path,
    sort: str,
    channels: int,
    longest: int,
) -> None:
    """Draw the feature maps that a layer of MODEL gives for PHOTO.

    MODEL is a training's checkpoint, any .onnx file that takes a picture, or the name of a released
    model. Each map has its own scale, drawn beneath it.
    """
    if not listing and layer is None:
        raise click.UsageError("name a --layer; --list names them all")
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise OptionsError(f"{output}: a sheet is .png or .jpg")
    try:
        from retint.train import features
    except ModuleNotFoundError as error:
        raise OptionsError(f"features need {error.name}: pip install 'retint[train]'") from None
    from retint import hub

    named = not Path(model).suffix and not Path(model).exists() and Path(model).name == model
    network = features.Network(hub.weights(model) if named else Path(model))
    picture = features.read(photo, longest)
    if listing or layer is None:
        layers = network.layers(picture)
        width = max((len(known.name) for known in layers), default=0)
        for known in layers:
            shape = " × ".join(map(str, known.shape))
            click.echo(f"{known.name:{width}}  {shape:>16}  {known.kind}")
        return
    maps = network.maps(picture, layer)
    click.echo(f"Look at {features.write_sheet(maps, output, sort=sort, most=channels)}")
