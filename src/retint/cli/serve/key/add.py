"""`retint serve key add`: let someone in."""

from pathlib import Path

import click

from retint.cli.serve._extra import the_extra
from retint.cli.serve._place import with_place


@click.command(name="add")
@click.argument("name")
@click.option("--rate", type=click.FloatRange(0), metavar="N",
              help="Most requests a minute with it; 0: any number  [the service's].")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(0), metavar="N",
              help="Most requests at once with it; 0: any number  [the service's].")  # fmt: skip
@with_place
def command(name: str, rate: float | None, concurrency: int | None, data: Path, db: str) -> None:
    """Make an API key for NAME and print it.

    It is shown this once: the database holds a hash of it.
    """
    with the_extra():
        from retint.cli.serve.key._database import opened, record
        from retint.serve.store import keys

    key = keys.add(opened(data, db), name, rate, concurrency)
    record(data, "key add", f"{key.split('_')[1]} {name}")
    click.echo(key)
