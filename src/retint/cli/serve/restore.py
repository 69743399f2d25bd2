"""`retint serve restore`: a backup brought back."""

from pathlib import Path

import click

from retint.cli.serve._extra import the_extra
from retint.cli.serve._place import with_place


@click.command(name="restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_place
def command(file: Path, data: Path, db: str) -> None:
    """Bring what `retint serve backup` wrote into FILE back, into an empty DATA.

    Then start the service: what was waiting or under way is done. --db may be of another kind than
    the backup's service had, so this also moves a service from SQLite to PostgreSQL.
    """
    with the_extra():
        from retint.serve.settings import Settings
        from retint.serve.store import backup

    restored = backup.restore(Settings(data=data, db=db), file)
    click.echo(f"{data}: {restored.jobs} jobs, {restored.files} files")
