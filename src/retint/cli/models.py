"""`retint models`: which models there are."""

import json

import click


@click.command(name="models")
@click.option("--json", "as_json", is_flag=True, help="Print the whole cards as JSON.")
def command(as_json: bool) -> None:
    """List the released models, their licences and where their weights are."""
    from rich.console import Console
    from rich.table import Table

    from retint import hub

    cards = [hub.card(name) for name in hub.cards()]
    if as_json:
        click.echo(json.dumps([card.to_dict() for card in cards], indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "parameters", "colour guessed at", "licence", "weights"):
        table.add_column(heading, overflow="fold")
    for card in cards:
        table.add_row(
            card.name,
            card.version,
            f"{card.parameters / 1e6:.1f} M",
            f"{card.working_size} px",
            f"{card.license}; weights: {card.weights_license}",
            hub.where(card.name),
        )
    # not a terminal: as wide as it takes, so that lines stay whole
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 400
    console.print(table)
    for card in cards:
        click.echo(f"\n{card.name}: {card.description}")
        click.echo(f"Not for: {card.not_for}")
