"""The page's server: for this machine and the one who knows its address, nobody else."""

import hmac
import json
import secrets
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, cast

from retint.data.review.session import Review
from retint.errors import InputError, OptionsError, RetintError

LOCAL = ("127.0.0.1", "localhost")
PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    **{
        name: (name, "text/javascript; charset=utf-8")
        for name in ("main.js", "pictures.js", "grid.js", "single.js", "labels.js", "server.js")
    },
}
LONGEST_BODY = 1 << 24
ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Server(ThreadingHTTPServer):
    """Serves a review's page at `url` on 127.0.0.1; port 0 takes a free one.

    The address carries a random token, and requests must be meant for this machine and come from
    this page: another web site can neither read nor decide. Raises OptionsError where the port is
    taken.
    """

    daemon_threads = True  # browsers keep connections open: none must hold up the end

    def __init__(self, review: Review, port: int = 0) -> None:
        self.review = review
        self.token = secrets.token_urlsafe(16)
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except OSError as error:
            raise OptionsError(f"port {port}: {error.strerror}") from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over browsers that leave in the middle; tell everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers for one connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: apart, the second waits 40 ms for the first
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        """Send the page, its parts, or pictures."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Take a decision, or take one back."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what matters."""

    def _answer(self, method: Callable[[str], None]) -> None:
        try:
            method(self._asked_for())
        except Refused as refused:
            self._refuse(refused.status, str(refused))
        except OptionsError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except InputError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except RetintError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(error))

    def _asked_for(self) -> str:
        """The path behind the token, for requests that are meant for us."""
        host = self.headers.get("Host", "")
        if host.partition(":")[0] not in LOCAL:  # a foreign name that leads here: DNS rebinding
            raise Refused(HTTPStatus.FORBIDDEN, "not a name of this machine")
        if self.headers.get("Origin", f"http://{host}") != f"http://{host}":
            raise Refused(HTTPStatus.FORBIDDEN, "asked by another site")
        token, slash, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.NOT_FOUND, "open the address that the terminal shows")
        return path

    def _get(self, path: str) -> None:
        review = self.server.review
        kind, _, number = path.partition("/")
        if path in PAGE:
            name, media_type = PAGE[path]
            self._send(
                media_type, (resources.files("retint.data.review") / "page" / name).read_bytes()
            )
        elif path == "pictures.json":
            self._send_json(review.table())
        elif kind == "changes":
            self._send_changes(_natural(number))
        elif kind == "about":
            known = self._known(number)
            self._send_json({"known": review.about(known), "resembled": review.resembled(known)})
        elif kind in ("thumbnail", "picture"):
            show = review.thumbnail if kind == "thumbnail" else review.picture
            self._send(*show(self._known(number)), forever=True)
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _post(self, path: str) -> None:
        wish = self._body()
        since = _natural(wish.get("since"))
        if path == "decide":
            decision, labels = wish.get("decision"), wish.get("labels")
            numbers = wish.get("pictures")
            if not (
                isinstance(numbers, list)
                and all(type(n) is int for n in cast(list[object], numbers))
                and isinstance(decision, str | None)
                and isinstance(labels, str | None)
            ):
                raise Refused(HTTPStatus.BAD_REQUEST, "not a decision")
            self.server.review.decide(cast(list[int], numbers), decision=decision, labels=labels)
            self._send_changes(since)
        elif path == "undo":
            self._send_changes(since, undone=self.server.review.undo())
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not JSON")
        length = _natural(self.headers.get("Content-Length"))
        if length > LONGEST_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too much at once")
        try:
            wish = json.loads(self.rfile.read(length))
        except ValueError:
            wish = None
        if not isinstance(wish, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "not JSON")
        return cast(dict[str, Any], wish)

    def _known(self, number: str) -> int:
        if _natural(number) >= len(self.server.review.entries):
            raise Refused(HTTPStatus.NOT_FOUND, "no such picture")
        return int(number)

    def _send_changes(self, since: int, undone: list[int] | None = None) -> None:
        review = self.server.review
        version = review.version  # before the changes: one that comes between is told twice
        self._send_json({"version": version, "changes": review.changes(since), "undone": undone})

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        body = json.dumps(value, separators=(",", ":")).encode("ascii")
        self._send("application/json", body, status)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what was sent along is not read
        self._send_json({"error": why}, status)

    def _send(
        self,
        media_type: str,
        body: bytes,
        status: HTTPStatus = HTTPStatus.OK,
        *,
        forever: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(
            "Cache-Control", "private, max-age=86400, immutable" if forever else "no-store"
        )
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _natural(value: object) -> int:
    """A number from a request: 0 or more; Refused for anything else."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise Refused(HTTPStatus.BAD_REQUEST, "not a number")
    return int(text)
