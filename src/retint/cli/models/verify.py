"""`retint models verify`: are the files what their cards say, and do they run?"""

from pathlib import Path

import click

from retint.errors import ModelError


@click.command(name="verify")
@click.argument("models", metavar="[NAME|FILE]...", nargs=-1)
def command(models: tuple[str, ...]) -> None:
    """Hash weights anew, compare them with their cards, and run each network once.

    Without arguments: every model whose weights are on this machine. A FILE is compared with the
    .toml beside it, where there is one. Exit code 1 if something is wrong.
    """
    from retint import hub

    here = [name for name in hub.cards() if hub.where(name) != "to be downloaded"]
    failed = False
    for model in models or here:
        try:
            click.echo(f"{model}: {_verified(model)}")
        except ModelError as error:
            failed = True
            click.echo(f"{model}: {error}")
    if failed:
        raise click.exceptions.Exit(1)


def _verified(model: str) -> str:
    """What was found right, in words; ModelError for the first thing that is wrong."""
    import numpy as np

    from retint import hub
    from retint.predict import OnnxPredictor

    if hub.is_name(model):
        path, listed = hub.weights(model), True
    else:
        path = Path(model)
        listed = path.with_suffix(".toml").exists()
        if listed:
            hub.Release(
                hub.read_card(path.with_suffix(".toml")), path.with_suffix(".toml")
            ).weights()
    predictor = OnnxPredictor(path)
    L = np.linspace(0, 100, 61 * 83, dtype=np.float32).reshape(1, 1, 61, 83)
    reach = float(np.abs(predictor(L).ab).max())
    hashed = "its sha256 is the card's" if listed else "no .toml beside it to compare its sha256"
    digest = predictor.weights_sha256[:8]
    return (
        f"{predictor.name} {predictor.version} ({digest}): {hashed}; it runs"
        f" (|ab| up to {reach:.0f} on a ramp)"
    )
