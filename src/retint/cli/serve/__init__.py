"""`retint serve`: the service."""

import ipaddress
from pathlib import Path

import click

from retint.cli import Commands
from retint.cli.serve._extra import the_extra
from retint.cli.serve._place import with_place

RATE, CONCURRENCY = 600.0, 16  # of one key or client, where other machines are let in


@click.group(name="serve", cls=Commands, package=__name__, invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address to listen on; 0.0.0.0 lets other machines in.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", default=8791,
              show_default=True, help="Port; 0 takes any free one.")  # fmt: skip
@with_place
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder below which jobs may name photographs by path.")  # fmt: skip
@click.option("--model", "models", multiple=True, metavar="MODEL", default=("default",),
              show_default=True,
              help="A model's name or .onnx file that may be asked for; again for more. The first "
              "is used where none is asked for.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, ...")
@click.option("--workers", type=click.IntRange(0), metavar="N", default=1, show_default=True,
              help="Processes that colour; 0 leaves it to other servers of the --db.")  # fmt: skip
@click.option("--desks", type=click.IntRange(0), metavar="N", default=1, show_default=True,
              help="Processes for looking at photographs; 0 keeps none to look at.")  # fmt: skip
@click.option("--keys/--no-keys", default=None,
              help="Whether requests need an API key [if other machines are let in].")  # fmt: skip
@click.option("--name", "names", multiple=True, metavar="HOST",
              help="A host name by which it is reached; again for more.")  # fmt: skip
@click.option("--proxy", "proxies", multiple=True, metavar="ADDRESS",
              help="Address or network of a proxy in front, which says who asks; again for more. "
              "With one, other machines are let in.")  # fmt: skip
@click.option("--root-path", default="", metavar="PATH",
              help="Where it is below the proxy's address, as /retint.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(0), metavar="N",
              help="Most requests a minute of one key or client; 0 allows any number  [600 if "
              "other machines are let in].")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(0), metavar="N",
              help="Most requests at once of one key or client; 0 allows any number  [16 if other "
              "machines are let in].")  # fmt: skip
@click.option("--max-size", type=click.IntRange(1), metavar="MB", default=1024, show_default=True,
              help="Largest request.")  # fmt: skip
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", default=500_000_000,
              show_default=True, help="Largest photograph, in pixels.")  # fmt: skip
@click.option("--max-memory", type=click.IntRange(256), metavar="MB", default=4096,
              show_default=True, help="Most memory of one process that decodes.")  # fmt: skip
@click.option("--quota", type=click.FloatRange(0, min_open=True), metavar="GB", default=50,
              show_default=True, help="Most that uploads and results may take.")  # fmt: skip
@click.option("--keep", type=click.FloatRange(0), metavar="DAYS", default=7, show_default=True,
              help="How long results stay after a job has ended.")  # fmt: skip
@click.option("--keep-photographs", type=click.FloatRange(0, min_open=True), metavar="DAYS",
              default=1, show_default=True,
              help="How long photographs to look at stay after the last look.")  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    host: str,
    port: int,
    data: Path,
    db: str,
    root: Path | None,
    models: tuple[str, ...],
    device: str,
    workers: int,
    desks: int,
    keys: bool | None,
    names: tuple[str, ...],
    proxies: tuple[str, ...],
    root_path: str,
    rate: float | None,
    concurrency: int | None,
    max_size: int,
    max_pixels: int,
    max_memory: int,
    quota: float,
    keep: float,
    keep_photographs: float,
) -> None:
    """Run the service, until Ctrl-C.

    It finishes what it has begun; jobs that wait are taken up when it runs again. A server that was
    killed loses nothing either.
    """
    if context.invoked_subcommand is not None:
        return
    with the_extra():
        from retint.cli.serve import _server
        from retint.serve.settings import DAY, MB, Settings, models_by_name

    is_open = bool(proxies) or not _is_loopback(host)
    settings = Settings(
        data=data, db=db, root=root, models=models_by_name(models), device=device,
        workers=workers, desks=desks, keys=is_open if keys is None else keys,
        names=(*names, host), proxies=proxies, root_path=root_path.rstrip("/"),
        rate=RATE * is_open if rate is None else rate,
        concurrency=CONCURRENCY * is_open if concurrency is None else concurrency,
        max_bytes=max_size * MB, max_pixels=max_pixels, memory=max_memory * MB,
        quota=int(quota * 1e9), keep=keep * DAY, keep_photographs=keep_photographs * DAY,
    )  # fmt: skip
    _server.serve(settings, host, port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
