"""Around every request: its id, the door, a bound on its size, the logs, and the meters."""

import asyncio
import logging
import re
import secrets
import time
from contextlib import nullcontext
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retint.errors import OutputError
from retint.serve import problems
from retint.serve.entrance import audit
from retint.serve.entrance.door import SHIELD, Door
from retint.serve.problems import Problem
from retint.serve.service import Service, Visitor

HEADER = "X-Request-ID"
OURS = "An error of the service's own: please report it with the number of this request."
ENDING = Problem(
    503, "The service is about to end: try again later.", headers={"Retry-After": "30"}
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = logging.getLogger(__name__)


class Access:
    """ASGI middleware; what it refuses does not reach the application.

    All may ask how the service is and have its pages; /v1/ is for those whom the door lets in, who
    stand as `visitor` in the request's state.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service
        self.door = Door(service.settings, service.queue.engine)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["root_path"] = self.service.settings.root_path  # cut off by the proxy, or not
        passage = Passage(self.service, scope, receive, send)
        try:
            self.door.check(scope["method"], passage.headers)
            admission = nullcontext()
            if passage.path.startswith("/v1/"):
                key = await self.door.recognize(passage.headers, passage.client)
                admission = self.door.within_limits(key, passage.client)
                passage.visitor = Visitor(
                    key.id if key else "", key.name if key else "", passage.client
                )
            with admission:
                passage.check_size()
                await self.app(scope, passage.receive, passage.send)
        except Problem as refusal:
            await passage.refuse(refusal)
        except asyncio.CancelledError:  # the service ends, and waits no longer
            if not passage.status:
                await passage.refuse(ENDING)
        except Exception:
            log.exception("request %s", passage.id)
            if passage.status:  # too late for another answer: uvicorn cuts it off
                raise
            await passage.refuse(Problem(500, OURS))
        finally:
            passage.end()


class Passage:
    """A request on its way in, and its answer on its way out."""

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self.service, self._scope, self._receive, self._send = service, scope, receive, send
        self.headers = Headers(scope=scope)
        given = self.headers.get(HEADER, "")
        self.id = given if re.fullmatch(r"[\w.-]{1,64}", given) else secrets.token_urlsafe(8)
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["id"] = self.id
        self.path: str = scope["path"].removeprefix(service.settings.root_path)
        self.client: str = (scope.get("client") or ("",))[0]
        self.status = 0
        self._begin, self._received = time.monotonic(), 0

    @property
    def visitor(self) -> Visitor | None:
        """Who was let in."""
        return self._state.get("visitor")

    @visitor.setter
    def visitor(self, visitor: Visitor) -> None:
        self._state["visitor"] = visitor

    @property
    def route(self) -> str:
        """Path of the operation that answers."""
        return getattr(self._scope.get("route"), "path", "none")

    def check_size(self) -> None:
        """Raise Problem for a body that is said to be too large."""
        declared = self.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self.service.settings.max_bytes:
            raise self._too_large()

    async def receive(self) -> Message:
        """What comes in. Raises Problem where that is too much."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self.service.settings.max_bytes:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer; first it stands in the audit log."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self.id
            for name, text in SHIELD.items():
                headers.setdefault(name, text)
            if self.visitor is not None and self._is_audited():
                await run_in_threadpool(self._audit, self.visitor, headers.get("location", ""))
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem. A body that nobody read ends the connection."""
        headers = dict(problem.headers or {})
        if self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers:
            headers["Connection"] = "close"
        answer = problems.answer(problem.status_code, problem.detail, self.id, headers)
        await answer(self._scope, self.receive, self.send)

    def end(self) -> None:
        """Write the log's line, and count."""
        seconds, method = time.monotonic() - self._begin, self._scope["method"]
        counted = method if method in METHODS else "other"
        self.service.meters.answered(counted, self.route, self.status, seconds)
        about = {
            "request": self.id, "method": method, "path": self._scope["path"],
            "status": self.status, "seconds": round(seconds, 4), "bytes": self._received,
            "key": self.visitor.key if self.visitor else "", "client": self.client,
        }  # fmt: skip
        log.info("%(method)s %(path)s %(status)s", about, extra={"about": about})

    def _is_audited(self) -> bool:
        """Whether something was to be changed, or results handed out; not what was one too many."""
        is_more_than_a_look = (
            self._scope["method"] not in ("GET", "HEAD") or "/results" in self.route
        )
        return is_more_than_a_look and self.status != 429

    def _audit(self, visitor: Visitor, made: str) -> None:
        try:
            audit.record(
                self.service.settings.data,
                did=f"{self._scope['method']} {self.route}",
                to=made.removeprefix(self.service.settings.root_path) or self.path,
                status=self.status, request=self.id,
                key=visitor.key, name=visitor.name, client=visitor.client,
            )  # fmt: skip
        except OutputError as error:
            log.error("request %s: the audit log cannot be written: %s", self.id, error)

    def _too_large(self) -> Problem:
        allowed = self.service.settings.max_bytes
        return Problem(
            413,
            f"The request is larger than the {allowed} bytes allowed: send fewer or smaller files.",
        )
