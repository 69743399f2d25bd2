"""`retint demo`: free photographs, grey and coloured, on a page with a slider."""

from pathlib import Path

import click


@click.command(name="demo")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("retint-demo"),
    show_default=True,
    help="Folder for the pictures and index.html.",
)
@click.option("--model", default="default", show_default=True, help="A model's name or .onnx file.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, ...")
def command(output: Path, model: str, device: str) -> None:
    """Colour the photographs inside scikit-image and show them on a page.

    Each is taken to grey, given colour by the model and put under a before/after slider, beside
    its true colours where they exist.
    """
    from retint import demo

    wall: list[demo.Hung] = []
    for exhibit in demo.EXHIBITS:
        wall.append(demo.hang(exhibit, output, model=model, device=device))
        click.echo(f"{output / wall[-1].colour}: {wall[-1].receipt.seconds:.1f} s")
    click.echo(f"Open {demo.write_page(output, wall)}")
