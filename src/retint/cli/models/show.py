"""`retint models show`: a model's card."""

from pathlib import Path
from typing import Any

import click

from retint.errors import ModelError


@click.command(name="show")
@click.argument("model", metavar="NAME|FILE")
def command(model: str) -> None:
    """Describe a model: what it is, what it may be used for, what was measured.

    NAME is one that `retint models` lists, or NAME@VERSION; FILE one that `retint export` wrote.
    """
    from retint import hub

    if hub.is_name(model):
        release = hub.find(model)
        card, digest, place = release.card, release.card.sha256, release.where()
        file = release.onnx if release.onnx.exists() else release.cached
    else:
        file = Path(model)
        card, digest = _card(file), _sha256(file)
        known = hub.recognise(digest)
        place = f"known here as {known.card.name} {known.card.version}" if known else "a file"
    click.echo(f"{card.name} {card.version}, {place}\nsha256 {digest}")
    if file.exists():
        click.echo(f"{file}, {file.stat().st_size / 1e6:.1f} MB")
    rows = [
        (key, _words(value))
        for key, value in card.to_dict().items()
        if value not in ("", [], {}) and key not in ("name", "version", "sha256", "figures")
    ]
    rows += [(f"figures.{key}", _words(value)) for key, value in card.figures.items()]
    formatter = click.HelpFormatter(max_width=100)
    formatter.write_dl(rows, col_max=32)
    click.echo("\n" + formatter.getvalue(), nl=False)


def _card(file: Path) -> Any:
    from retint import hub
    from retint.predict import OnnxPredictor

    if file.suffix == ".onnx":
        return OnnxPredictor(file).card
    return hub.enclosed(file)


def _sha256(file: Path) -> str:
    from retint import hub

    try:
        return hub.sha256(file)
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}") from error


def _words(value: Any) -> str:
    match value:
        case [*items]:
            comma = "; " if any(isinstance(item, str) for item in items) else ", "
            return comma.join(_words(item) for item in items)
        case {**pairs}:
            return ", ".join(f"{key} {_words(inner)}" for key, inner in pairs.items())
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
