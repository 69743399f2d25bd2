"""`retint models`: which models there are, what they are, whether they are whole."""

import json

import click

from retint.cli import Commands


@click.group(name="models", cls=Commands, package=__name__, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the whole cards as JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the models that are known here, their licences and where their weights are.

    Models lie in the package, and in the folders that RETINT_MODELS names, which come first.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from retint import hub

    releases = [hub.find(name) for name in hub.cards()]
    if as_json:
        click.echo(json.dumps([release.card.to_dict() for release in releases], indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "parameters", "sha256"):
        table.add_column(heading, no_wrap=True)
    table.add_column("weights", overflow="fold")
    table.add_column("licence of the weights")
    for release in releases:
        card = release.card
        table.add_row(
            card.name,
            card.version,
            f"{card.parameters / 1e6:.1f} M",
            card.sha256[:8],
            release.where(),
            card.weights_license,
        )
    # not a terminal: as wide as it takes, so that lines stay whole
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 400
    console.print(table)
