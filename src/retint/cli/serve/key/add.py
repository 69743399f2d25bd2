"""`retint serve key add`: let someone in."""

from pathlib import Path

import click

from retint.cli.serve._extra import the_extra
from retint.cli.serve._place import with_place


@click.command(name="add")
@click.argument("name")
@with_place
def command(name: str, data: Path, db: str) -> None:
    """Make an API key for NAME and print it.

    It is shown this once: the database holds a hash of it.
    """
    with the_extra():
        from retint.cli.serve.key._database import opened
        from retint.serve import keys

    click.echo(keys.add(opened(data, db), name))
