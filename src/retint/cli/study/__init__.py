"""`retint study`: people judge colours, blind."""

import click

from retint.cli import Commands


@click.group(name="study", cls=Commands, package=__name__)
def command() -> None:
    """Ask people about colours, blind: real or made up, which is better, what is in it."""
