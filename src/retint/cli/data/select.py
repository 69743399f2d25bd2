"""`retint data select`: part of a corpus as a corpus of its own."""

from pathlib import Path

import click

from retint.cli.data._corpus import FOLDER, manifest_of
from retint.errors import InputError


@click.command(name="select")
@click.argument("corpus", type=FOLDER)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), metavar="OUT",
              help="Folder of the new corpus.")  # fmt: skip
@click.option("--class", "classes", multiple=True, metavar="NAME",
              help="Part of a label, or a WordNet id; again for more.")  # fmt: skip
@click.option("--source", "sources", multiple=True, metavar="NAME",
              help="Part of a data set's name; again for more.")  # fmt: skip
@click.option("--min-side", type=click.IntRange(0), default=0, metavar="N",
              help="Shorter side of the pictures at least, pixels.")  # fmt: skip
@click.option("--where", multiple=True, metavar="CONDITION",
              help="COLUMN, = != < <= > >= or ~ (contains), a value; again for more, all have "
              "to hold.")  # fmt: skip
@click.option("--copy", is_flag=True, help="Copy the pictures too, into shards of their own.")
@click.option("--list", "only_list", is_flag=True,
              help="List the classes and sources of what is selected; write nothing.")  # fmt: skip
def command(
    corpus: Path,
    output: Path | None,
    classes: tuple[str, ...],
    sources: tuple[str, ...],
    min_side: int,
    where: tuple[str, ...],
    copy: bool,
    only_list: bool,
) -> None:
    """Make a new corpus of those pictures of CORPUS that match.

    The new manifest points to the pictures where they are, by relative paths; with --copy they
    move along. Pictures that were dropped are left out; all columns come with the others.
    """
    if output is None and not only_list:
        raise click.UsageError("give -o OUT, or --list to look")
    from retint.data.select import counted, select, write

    manifest = manifest_of(corpus)
    chosen = select(
        manifest.entries,
        classes=classes,
        sources=sources,
        min_side=min_side,
        where=where,
        columns=manifest.columns,
    )
    if only_list:
        for titles, column in (("sources", "dataset"), ("classes", "labels")):
            names = counted(chosen, column)
            click.echo(f"{len(names)} {titles}")
            for name, number in names:
                click.echo(f"{number:8} {name or '(none)'}")
        return
    if not chosen:
        raise InputError(f"{corpus}: no picture matches all of this")
    assert output
    write(chosen, corpus, output, copy=copy)
    click.echo(f"{len(chosen)} of {len(manifest.entries)} pictures in {output}")
    for name, number in counted(chosen, "labels")[:10]:
        click.echo(f"{number:8} {name or '(no label)'}")
