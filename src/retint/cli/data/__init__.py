"""`retint data`: corpora, from files that lie about to pictures a network is trained on."""

import click

from retint.cli import Commands


@click.group(name="data", cls=Commands, package=__name__)
def command() -> None:
    """Make, examine and divide the pictures that networks are trained on."""
