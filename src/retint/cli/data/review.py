"""`retint data review`: a corpus looked through by eye."""

import getpass
from pathlib import Path

import click

from retint.cli._serving import serve_until_stopped
from retint.cli.data._corpus import FOLDER
from retint.errors import OptionsError


@click.command(name="review")
@click.argument("corpus", type=FOLDER)
@click.option("--as", "who", metavar="NAME", help="Who decides. [default: the login name]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=0,
    help="Port of the page on 127.0.0.1. [default: any free one]",
)
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write who decided what so far as CSV, and open no page.",
)
def command(corpus: Path, who: str | None, port: int, opened: bool, export: Path | None) -> None:
    """Look a corpus through in the browser: keep, drop or relabel its pictures.

    The page is for this machine alone. Each decision is in the corpus' decisions.jsonl at once,
    and in its manifest when the review ends with Ctrl-C.
    """
    from retint.data.review.decisions import write_decisions

    if export:
        written = write_decisions(corpus, export)
        click.echo(f"{export}: {written} decisions")
        return
    _review(corpus, who or _login(), port, opened)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise OptionsError("nobody is logged in by name; say who decides: --as NAME") from None


def _review(corpus: Path, who: str, port: int, opened: bool) -> None:
    from retint.data.review.server import Server
    from retint.data.review.session import Review

    with Review(corpus, who) as review, Server(review, port) as server:
        click.echo(f"{len(review.entries)} pictures, {who} decides: {server.url}")
        click.echo("Ctrl-C ends the review.")
        if opened:
            click.launch(server.url)
        serve_until_stopped(server)
        changed = len(review.changes())
    pictures = "1 picture" if changed == 1 else f"{changed} pictures"
    click.echo(f"{pictures} decided; the manifest knows of all of them.")
