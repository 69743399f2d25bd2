"""`retint serve key`: who may use the service."""

import click

from retint.cli import Commands


@click.group(name="key", cls=Commands, package=__name__)
def command() -> None:
    """API keys of a service: made, listed, revoked, while it runs too."""
