"""A server run from the command line."""

import asyncio
import logging
import signal
import socket

import click
import uvicorn
from fastapi import FastAPI

from retint.errors import OptionsError
from retint.serve import Settings, create_app
from retint.serve.connections import configured
from retint.serve.logs import Lines


def serve(settings: Settings, host: str, port: int) -> None:
    """Answer until Ctrl-C or SIGTERM, and finish what was begun; a second one ends it at once."""
    _log_lines()
    app = create_app(settings)
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256
        )
    except OSError as error:
        raise OptionsError(f"{host}, port {port}: {error.strerror}") from error
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"http://{shown}:{listening.getsockname()[1]}/", err=True)
    asyncio.run(_serve(app, listening))


async def _serve(app: FastAPI, listening: socket.socket) -> None:
    server = uvicorn.Server(configured(app, app.state.service.settings, lifespan="off"))
    app.state.service.closing = lambda: server.should_exit
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again when it is done
        signal.signal(number, _pass)
    async with app.router.lifespan_context(app):
        await server.serve([listening])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


def _pass(*_: object) -> None:
    """Let a signal pass that has been heeded."""


def _log_lines() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
