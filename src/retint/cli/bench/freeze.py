"""`retint bench freeze`: make a benchmark of a folder, or of pictures of a corpus."""

from pathlib import Path

import click


@click.command(name="freeze")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="The manifest to write, .json.",
)  # fmt: skip
@click.option("--name", help="What to call the set  [the folder's name].")
@click.option("--about", default="", help="A sentence about it, for its readers.")
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Of a corpus: take pictures that trainings with this validation.share leave out.",
)
@click.option("--source", "sources", multiple=True, metavar="NAME",
              help="Of a corpus: take pictures of this data set; again for more.")  # fmt: skip
@click.option("--pictures", "count", type=click.IntRange(1), default=300, show_default=True,
              help="Of a corpus: so many, evenly from its data sets.")  # fmt: skip
@click.option("--shorter", type=click.IntRange(1), default=192, show_default=True,
              help="Of a corpus: least length of their shorter side, in pixels.")  # fmt: skip
def command(
    folder: Path,
    output: Path,
    name: str | None,
    about: str,
    validation: float | None,
    sources: tuple[str, ...],
    count: int,
    shorter: int,
) -> None:
    """Write the manifest of a set: every picture of FOLDER with its hash.

    `retint bench --set MANIFEST --pictures FOLDER` then judges by these pictures and no others: one
    that was changed, added or taken away is an error.
    """
    from retint.bench import frozen
    from retint.bench.sets import PictureSet
    from retint.cli.bench._progress import progress_bars

    with progress_bars() as progress:
        if validation is None and not sources:
            manifest = frozen.freeze(PictureSet.of_folder(folder), progress)
        else:
            manifest = frozen.freeze_corpus(
                folder, progress, share=validation, sources=sources, count=count, shorter=shorter
            )
    manifest["name"] = name or manifest["name"]
    manifest["about"] = about or manifest["about"]
    frozen.write(manifest, output)
    left_out = manifest["left_out"]
    for reason in left_out.values():
        click.echo(f"retint: left out: {reason}", err=True)
    click.echo(f"{output}: {manifest['total']} pictures, {len(left_out)} left out")
