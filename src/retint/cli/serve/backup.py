"""`retint serve backup`: all that a service knows, in one file."""

from pathlib import Path

import click

from retint.cli.serve._extra import the_extra
from retint.cli.serve._place import with_place


@click.command(name="backup")
@click.argument("file", type=click.Path(path_type=Path))
@with_place
def command(file: Path, data: Path, db: str) -> None:
    """Write jobs, photographs and keys into FILE, a ZIP; the service may be at work.

    It is as of one moment, and whole or not there. Exits with 1, but writes it, where the disk has
    lost files that jobs name. Photographs below --root are not in it.
    """
    with the_extra():
        from retint.serve.settings import Settings
        from retint.serve.store import backup

    saved = backup.save(Settings(data=data, db=db), file)
    click.echo(f"{file}: {saved.jobs} jobs, {saved.files} files")
    for path in saved.missing:
        click.echo(f"retint: {path}: is not on the disk", err=True)
    if saved.missing:
        click.get_current_context().exit(1)
