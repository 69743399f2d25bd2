"""`retint serve key list`: who was let in."""

from datetime import UTC, datetime
from pathlib import Path

import click

from retint.cli.serve._extra import the_extra
from retint.cli.serve._place import with_place


@click.command(name="list")
@with_place
def command(data: Path, db: str) -> None:
    """List the API keys: id, name, since when, until when, and limits of their own."""
    with the_extra():
        from retint.cli.serve.key._database import opened
        from retint.serve.store import keys

    for key in keys.every(opened(data, db)):
        ended = "" if key.revoked is None else f"  revoked {_day(key.revoked)}"
        rate = "" if key.rate is None else f"  {key.rate:g} a minute"
        concurrency = "" if key.concurrency is None else f"  {key.concurrency} at once"
        since = f"  since {_day(key.created)}"
        click.echo(f"{key.id}  {key.name}{since}{ended}{rate}{concurrency}")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
