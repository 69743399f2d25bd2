"""`retint serve key revoke`: let someone in no more."""

from pathlib import Path

import click

from retint.cli.serve._extra import the_extra
from retint.cli.serve._place import with_place
from retint.errors import OptionsError


@click.command(name="revoke")
@click.argument("id")
@with_place
def command(id: str, data: Path, db: str) -> None:
    """Make the API key of that ID invalid at once, and for ever.

    The ID stands in `retint serve key list`, and in the key itself: retint_ID_...
    """
    with the_extra():
        from retint.cli.serve.key._database import opened, record
        from retint.serve.store import keys

    if not keys.revoke(opened(data, db), id):
        raise OptionsError(f"there is no valid key {id}: retint serve key list shows all")
    record(data, "key revoke", id)
    click.echo(f"{id} is revoked")
