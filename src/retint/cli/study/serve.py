"""`retint study serve`: a study's page, for judges."""

from pathlib import Path

import click

from retint.cli._serving import serve_until_stopped


@click.command(name="serve")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address to listen on; 0.0.0.0 lets other machines in.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", default=8790,
              show_default=True, help="Port; 0 takes any free one.")  # fmt: skip
@click.option("--name", "names", multiple=True, metavar="HOST",
              help="A host name by which judges reach it; again for more.")  # fmt: skip
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
def command(study: Path, host: str, port: int, names: tuple[str, ...], opened: bool) -> None:
    """Let judges take part in a study, until Ctrl-C.

    The address that is shown is all they need; it stays the same. Every answer is on the disk at
    once. Judges who left go on where they stopped, also after a new start.
    """
    from retint.study.design import Study
    from retint.study.server import Server
    from retint.study.session import Session

    with Session(Study.load(study)) as session, Server(session, host, port, names) as server:
        wanted = session.study.settings.judges
        click.echo(f"{session.answers.finished()} of {wanted} judges have finished: {server.url}")
        click.echo("Ctrl-C ends it; judges can go on when it is served again.")
        if opened:
            click.launch(server.url)
        serve_until_stopped(server)
        finished = session.answers.finished()
    click.echo(f"{finished} of {wanted} judges have finished. retint study report {study}")
