"""`retint classifier`: train what says, for `retint bench`, whether a colouring can be read."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from retint.errors import OptionsError


@click.command(name="classifier")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Corpus of colour pictures with labels.",
)
@click.option(
    "--backbones",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder with mobilenet_v2_imagenet.safetensors, the encoder.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("classifier.onnx"),
    show_default=True,
    help="File to write.",
)
@click.option(
    "--pictures",
    type=click.IntRange(1),
    default=15_000,
    show_default=True,
    help="Pictures to learn from, at most.",
)
@click.option(
    "--fewest",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Pictures that a label must have to count.",
)
@click.option(
    "--views",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Crops of each picture, mirrored or not.",
)
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True,
              help="Passes over what the encoder saw.")  # fmt: skip
@click.option(
    "--grey", is_flag=True, help="Learn from lightness alone, which is all a colorizer sees."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of every random choice.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def command(data: Path, backbones: Path, output: Path, device: str, **settings: Any) -> None:
    """Train a classifier on a corpus' labels, for `retint bench --classifier`.

    A published encoder looks at each picture once and stays as it is; what is trained is which
    label its features stand for. The accuracy on pictures that were held out is printed, in colour
    and in grey, and stands in the file.
    """
    try:
        from retint.train import classifier, machine
    except ModuleNotFoundError as error:
        raise OptionsError(f"training needs {error.name}: pip install 'retint[train]'") from None
    from retint.data.corpus import Corpus

    trained = classifier.train(
        Corpus(data),
        backbones,
        classifier.Settings(**settings),
        device=machine.device(device),
        progress=_progress,
    )
    classifier.write(trained, output)
    held: dict[str, Any] = trained.about["held_out"]
    click.echo(
        f"{output}: {len(trained.labels)} labels, learned from {trained.about['pictures']} pictures"
        f"; of {held['pictures']} held out, right at first / among five:"
    )
    for name in ("true", "grey"):
        click.echo(f"{name}: {held[name]['top1']:.1%} / {held[name]['top5']:.1%}")


def _progress(steps: Iterable[int], label: str) -> Iterable[int]:
    with click.progressbar(
        steps, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield from bar
