"""Connections, bounded in number and patience: nobody holds one by sending or reading nothing."""

import asyncio
import sys
import time
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from retint.serve.problems import Problem
from retint.serve.settings import Settings

MOST = 500
"""Connections at once; more get 503, and twice as many are not answered at all."""

MOST_FILES = 65536

SLOWEST = 1024
"""Bytes per second of a body that are fast enough."""


def configured(app: Any, settings: Settings, **more: Any) -> uvicorn.Config:
    """How uvicorn is to run the application: `more` are arguments of its own."""
    protocol: Any = partial(Connection, silence=settings.silence)
    return uvicorn.Config(
        app, http=protocol, ws="none", log_config=None, access_log=False, server_header=False,
        limit_concurrency=MOST, proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies), **more,
    )  # fmt: skip


def allow_many_files() -> None:
    """Let this process have as many open files as the system allows; a job's uploads are many."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


class Connection(H11Protocol):
    """A connection that is cut where a request's head has not come within twice `silence` seconds,
    or an answer is not read for so long.
    """

    def __init__(self, *given: Any, silence: float, **named: Any) -> None:
        super().__init__(*given, **named)
        self._silence = silence
        self._looking: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._idle_after: object = self  # the request after which it waited when it was looked at

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at it from time to time."""
        super().connection_made(transport)
        if len(self.connections) > 2 * MOST:
            transport.abort()
        self._looking = self.loop.call_later(self._silence, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        for timer in (self._looking, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The reader is behind: it has `silence` seconds to take what is waiting for it."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._silence, self.transport.abort)

    def resume_writing(self) -> None:
        """The reader has caught up."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def _look(self) -> None:
        request: Any = self.cycle
        idle = request is None or request.response_complete
        if self.transport.is_closing() or (idle and self._idle_after is request):
            self.transport.abort()
            return
        self._idle_after = request if idle else self
        self._looking = self.loop.call_later(self._silence, self._look)


class Pace:
    """ASGI middleware: a body that stops for `silence` seconds, or trickles, is answered 408."""

    def __init__(self, app: ASGIApp, silence: float) -> None:
        self.app, self.silence = app, silence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        whole, received, waited = False, 0, 0.0

        async def paced() -> Message:
            nonlocal whole, received, waited
            if whole:  # what follows is only that the client has left
                return await receive()
            left = self.silence + received / SLOWEST - waited
            begin = time.monotonic()
            try:
                async with asyncio.timeout(min(self.silence, left)):
                    message = await receive()
            except TimeoutError:
                raise _TOO_SLOW from None
            waited += time.monotonic() - begin
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            return message

        await self.app(scope, paced if scope["type"] == "http" else receive, send)


_TOO_SLOW = Problem(
    408,
    "The request came too slowly: send it again over a better connection, or in smaller jobs.",
    headers={"Connection": "close"},
)
