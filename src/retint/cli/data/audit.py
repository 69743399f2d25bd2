"""`retint data audit`: what is wrong with the pictures of a corpus."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retint.cli.data._corpus import FOLDER, threads
from retint.errors import OptionsError

if TYPE_CHECKING:
    from retint.data.audit import Limits


@click.command(name="audit")
@click.argument("corpus", type=FOLDER)
@click.option("--against", type=FOLDER, multiple=True, metavar="DIR",
              help="Pictures to judge by, never to be trained on; again for more.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Folder of the report [CORPUS/audit].")  # fmt: skip
@click.option("--drop", metavar="REASON,...",
              help="Pictures flagged for these reasons are not to be trained on.")  # fmt: skip
@click.option("--limit", "changes", multiple=True, metavar="NAME=VALUE",
              help="Flag elsewhere: chroma=4, own_chroma=2, flat=0.8, white=0.8, side=64, "
              "contrast=15.")  # fmt: skip
@click.option("--leave-manifest", is_flag=True,
              help="Write no hashes and mean colours into the manifest.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Processes at work [as many as there are threads].")  # fmt: skip
def command(
    corpus: Path,
    against: tuple[Path, ...],
    output: Path | None,
    drop: str | None,
    changes: tuple[str, ...],
    leave_manifest: bool,
    jobs: int | None,
) -> None:
    """Find pictures of CORPUS that teach no colour, or the wrong one, or are there twice.

    Flagged are broken, grey and toned pictures, graphics, cut-outs on white, the small and the
    dull; exact and near-duplicates, mirrored ones too, within the corpus and of pictures to judge
    by. A table is printed; audit.csv, audit.json and audit.html have the rest, with the colour
    cast of each source. Nothing is left out unless --drop says so.
    """
    from retint.data.audit import REASONS, audit, dropped
    from retint.data.corpus import Corpus
    from retint.data.findings import summary, table, write
    from retint.data.manifest import NAME, Manifest

    reasons = [reason.strip() for reason in (drop or "").split(",") if reason.strip()]
    for reason in reasons:
        if reason not in REASONS:
            raise OptionsError(f"--drop {reason}: the reasons are {', '.join(REASONS)}")
    if reasons and leave_manifest:
        raise OptionsError("--drop writes into the manifest, --leave-manifest forbids it")
    limits = _limits(changes)
    pictures, others = Corpus(corpus), [Corpus(folder) for folder in against]
    total = sum(len(each.entries) for each in (pictures, *others))
    with _progress(total) as advance:
        found = audit(pictures, others, limits, jobs=jobs or threads(), progress=advance)
    told = summary(found, limits, tuple(map(str, against)))
    click.echo(table(told))
    paths = write(found, told, pictures, output or corpus / "audit", limits)
    click.echo(f"\nLook at {paths[-1]}")
    if leave_manifest:
        return
    path = corpus / NAME
    before = Manifest.read(path) if path.is_file() else Manifest([])
    at = datetime.now(UTC).isoformat(timespec="seconds")
    entries, number = dropped(found, reasons, "audit", at)
    # rows whose shards are not here were not looked at, and stay
    new = {entry.name: entry for entry in entries}
    rows = [new.pop(entry.name, entry) for entry in before.entries] + list(new.values())
    if rows != before.entries:
        Manifest(rows, before.columns).write(path)
    if reasons:
        click.echo(f"{number} pictures are dropped: {path} says so")


def _limits(changes: tuple[str, ...]) -> "Limits":
    """The limits with what --limit changes."""
    from retint.data.audit import Limits

    limits = Limits()
    for change in changes:
        name, _, value = change.partition("=")
        try:
            limits = replace(limits, **{name: float(value)})
        except (TypeError, ValueError):
            names = ", ".join(vars(limits))
            raise OptionsError(f"--limit {change!r}: give NAME=NUMBER, of {names}") from None
    return limits


@contextmanager
def _progress(total: int) -> Generator[Callable[[int], None]]:
    with click.progressbar(
        length=total, label="Looking", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield bar.update
