"""The door: whose requests are answered at all. Nothing of a body is read before it is passed."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from retint.pages import is_named
from retint.serve.entrance.limits import Limits, household
from retint.serve.problems import EXAMPLES, NO_DATABASE, Problem
from retint.serve.settings import Settings
from retint.serve.store import keys
from retint.serve.store.tables import Key

SHIELD = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer that does not set its own: browsers keep it from other sites' pages."""


class Door:
    """Refuses names that are not the service's, pages of other sites, and, for what only those who
    were let in may do, requests without a key where one is asked for, or beyond the limits.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings, self.engine = settings, engine
        self.limits = Limits()
        self._names = {"localhost", *(name.lower() for name in settings.names)}

    def check(self, method: str, headers: Headers) -> None:
        """Raise Problem for a request that a foreign page sent, or that was led here from a foreign
        name.
        """
        if not is_named(headers.get("host", ""), self._names):
            raise Problem(421, EXAMPLES[421])
        if _is_foreign(method, headers):
            raise Problem(403, EXAMPLES[403])

    async def recognize(self, headers: Headers, client: str) -> Key | None:
        """The key a request comes with; None where none is asked for.

        Raises Problem without a valid one: 401, or 429 for who tries too often.
        """
        if not self.settings.keys:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        try:
            key = await run_in_threadpool(keys.check, self.engine, given.strip())
        except OperationalError:
            raise NO_DATABASE from None
        if key is None or scheme.lower() != "bearer":
            with self.within_limits(None, client):
                raise Problem(401, EXAMPLES[401], headers={"WWW-Authenticate": "Bearer"})
        return key

    @contextmanager
    def within_limits(self, key: Key | None, client: str) -> Generator[None]:
        """Inside `with`, one request of a key, or of who is at an address. Raises Problem, 429."""
        rate, concurrency = self.settings.rate, self.settings.concurrency
        caller = f"client {household(client)}"
        if key is not None:
            caller = f"key {key.id}"
            rate = rate if key.rate is None else key.rate
            concurrency = concurrency if key.concurrency is None else key.concurrency
        with self.limits.within(caller, rate, concurrency):
            yield


def _is_foreign(method: str, headers: Headers) -> bool:
    """Whether a page of another site sent it: Fetch Standard, the Origin header; Fetch Metadata.

    Links that lead here are no such thing.
    """
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return True
    is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return headers.get("sec-fetch-site") in ("cross-site", "same-site") and not is_link
