"""`retint models fetch`: download ahead of the first use."""

import click


@click.command(name="fetch")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def command(names: tuple[str, ...]) -> None:
    """Have a model's weights on this machine, checked by their sha256; print where they lie.

    From the address on the card, or from the mirror that RETINT_MIRROR names.
    """
    from retint import hub

    for name in names:
        release = hub.find(name)
        click.echo(f"{release.card.name} {release.card.version}: {release.weights()}")
