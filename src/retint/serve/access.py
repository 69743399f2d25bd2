"""Around every request: its id, a bound on its size, a line in the log, and the meters."""

import logging
import re
import secrets
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retint.serve import problems
from retint.serve.meters import Meters
from retint.serve.problems import Problem

HEADER = "X-Request-ID"
FOREIGN = "Pages of other sites may not use this service: open it at its own address."
OURS = "An error of the service's own: please report it with the number of this request."

log = logging.getLogger(__name__)


class Access:
    """ASGI middleware; requests larger than `max_bytes` are refused, also while they come in, and
    those that a browser sends for another site's page.
    """

    def __init__(self, app: ASGIApp, meters: Meters, max_bytes: int) -> None:
        self.app, self.meters, self.max_bytes = app, meters, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(HEADER, "")
        id = given if re.fullmatch(r"[\w.-]{1,64}", given) else secrets.token_urlsafe(8)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["id"] = id
        begin, status, received = time.monotonic(), 0, 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise Problem(413, self._too_large())
            return message

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = id
            await send(message)

        try:
            declared = headers.get("content-length", "0")
            if _is_foreign(headers):
                await problems.answer(403, FOREIGN, id)(scope, receive, marked)
            elif declared.isdigit() and int(declared) > self.max_bytes:
                refusal = problems.answer(413, self._too_large(), id, {"Connection": "close"})
                await refusal(scope, receive, marked)
            else:
                await self.app(scope, counted, marked)
        except Exception:
            log.exception("request %s", id)
            if status:  # too late for another answer: uvicorn cuts it off
                raise
            await problems.answer(500, OURS, id)(scope, receive, marked)
        finally:
            seconds = time.monotonic() - begin
            route = getattr(scope.get("route"), "path", "none")
            self.meters.answered(scope["method"], route, status, seconds)
            about = {
                "request": id, "method": scope["method"], "path": scope["path"], "status": status,
                "seconds": round(seconds, 4), "bytes": received, "key": state.get("key", ""),
                "client": (scope.get("client") or ("",))[0],
            }  # fmt: skip
            log.info("%(method)s %(path)s %(status)s", about, extra={"about": about})

    def _too_large(self) -> str:
        return (
            f"The request is larger than the {self.max_bytes} bytes allowed: send fewer or"
            " smaller files."
        )


def _is_foreign(headers: Headers) -> bool:
    """Whether a page of another site sent it (Fetch Standard, the Origin header)."""
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")
