"""A server run from the command line."""

import asyncio
import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import click
import uvicorn
from fastapi import FastAPI

from retint.errors import OptionsError
from retint.serve import Settings, create_app
from retint.serve.entrance.connections import allow_many_files, configured
from retint.serve.logs import Lines
from retint.serve.service import Service

GRACE = 120  # seconds that answers still have when the service is to end
MOMENT = 5.0  # seconds in which those that had longer are cut off


def serve(settings: Settings, host: str, port: int) -> None:
    """Answer until Ctrl-C or SIGTERM, and finish what was begun; a second one ends it at once."""
    _log_lines()
    allow_many_files()
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


class Server(uvicorn.Server):
    """uvicorn's server; what a signal means is decided here, from the first moment to the last."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let answers end; those that were cut off have a moment to say so."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=MOMENT)

    def end(self, number: int, _: object) -> None:
        """Finish what was begun; the second time, end at once."""
        if self.should_exit:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.should_exit = True


async def _serve(app: FastAPI, listening: socket.socket) -> None:
    service: Service = app.state.service
    about = {"lifespan": "off", "timeout_graceful_shutdown": GRACE}
    server = Server(configured(app, service.settings, **about))
    service.closing = lambda: server.should_exit
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.end)
    async with app.router.lifespan_context(app):
        await server.serve([listening])


def _log_lines() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
