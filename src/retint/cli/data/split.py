"""`retint data split`: training, validation and test pictures, for good."""

from collections import Counter
from pathlib import Path

import click

from retint.cli.data._corpus import FOLDER, manifest_of, share
from retint.errors import OptionsError

SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(name="split")
@click.argument("corpus", type=FOLDER)
@click.option("--validation", type=SHARE, default=0.02, show_default=True,
              help="Share of the pictures a training is judged by.")  # fmt: skip
@click.option("--test", type=SHARE, default=0.0, show_default=True,
              help="Share that no training sees.")  # fmt: skip
@click.option("--again", is_flag=True, help="Forget the sides that pictures have already.")
def command(corpus: Path, validation: float, test: float, again: bool) -> None:
    """Say in the manifest of CORPUS which pictures are for training, validation and test.

    By hash of each picture's name: a picture keeps its side when others are added. Near-duplicates
    (also mirrored) are on the same side, by the perceptual hashes that prepare and audit write.
    """
    if validation + test >= 1:
        raise OptionsError("--validation and --test leave nothing to train on")
    from retint.data.manifest import NAME
    from retint.data.split import split

    manifest = manifest_of(corpus)
    before = [entry.split for entry in manifest.entries]
    manifest.entries = split(manifest.entries, validation, test, again=again)
    manifest.write(corpus / NAME)
    sides = Counter(entry.split for entry in manifest.entries)
    total = len(manifest.entries)
    for side in ("train", "validation", "test"):
        click.echo(f"{side:10} {share(sides[side], total)}")
    moved = sum(a != b.split for a, b in zip(before, manifest.entries, strict=True))
    hashed = sum("dhash" in entry.more for entry in manifest.entries)
    click.echo(f"{moved} pictures were given a side")
    if hashed < total:
        click.echo(f"{total - hashed} pictures have no perceptual hash: duplicates of them may be "
                   "on both sides; retint data audit writes them")  # fmt: skip
