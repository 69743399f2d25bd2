"""Small servers of a page: for those who know its address, and nobody else's web site.

The address holds a token. A request is answered if it is meant for this server (its Host is a name
of it, or an address in digits: anything else may be DNS rebinding), comes from no other site (its
Origin), and begins with the token. The page may load nothing from elsewhere.
"""

import hmac
import ipaddress
import json
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, cast

from retint.errors import InputError, OptionsError, RetintError

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PATIENCE = 60  # seconds: a connection that says nothing longer than that is closed
FOREVER = "private, max-age=86400, immutable"


class Refused(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """What is sent back; `headers` beside those that every answer has."""

    media_type: str
    body: bytes
    headers: Mapping[str, str] | None = None

    @classmethod
    def of(cls, value: Any, headers: Mapping[str, str] | None = None) -> "Reply":
        """A value as JSON."""
        body = json.dumps(value, separators=(",", ":")).encode("ascii")
        return cls("application/json", body, headers)


def is_named(host: str, names: Collection[str]) -> bool:
    """Whether a Host header says one of these names, or an address in digits.

    A foreign name that was led here (DNS rebinding) is neither.
    """
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


class Server(ThreadingHTTPServer, ABC):
    """Serves one page at `url`; port 0 takes a free one.

    room: the package whose folder `page` holds `files`, an index.html among them. names: host names
    by which it is reached, beside localhost and any address in digits. images: where the page's
    pictures may come from, in the words of a Content-Security-Policy. schemes: https too where a
    proxy may stand before it. Subclasses answer: `get` and `post`. Raises OptionsError where it
    cannot listen there.
    """

    room: str
    files: Sequence[str]
    images = "'self' data:"
    schemes = ("http",)
    longest_body = 1 << 24
    daemon_threads = True  # browsers keep connections open: none must hold up the end
    request_queue_size = 64

    def __init__(self, token: str, host: str, port: int, names: Collection[str] = ()) -> None:
        self.token = token
        self.names = {"localhost", *(name.lower() for name in names)}
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise OptionsError(f"{host}, port {port}: {error.strerror}") from error

    @abstractmethod
    def get(self, path: str, visitor: "Handler") -> Reply:
        """Answer a GET of a path that is none of the page's files; Refused, or any RetintError."""

    @abstractmethod
    def post(self, path: str, wish: dict[str, Any], visitor: "Handler") -> Reply:
        """Answer a POST of a JSON object; Refused, or any RetintError."""

    def trouble(self, error: RetintError) -> str:
        """What a visitor is told when something could not be kept."""
        return str(error)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.server_address[0]}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over browsers that leave in the middle; tell everything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers for one connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: apart, the second waits 40 ms for the first
    timeout = PATIENCE
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        """Send one of the page's files, or what the server has."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Take a wish."""
        self._answer(lambda path: self.server.post(path, self._body(), self))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what matters, and who came is nobody's business."""

    def version_string(self) -> str:
        """What answers here, and no more."""
        return "retint"

    def _answer(self, method: Callable[[str], Reply]) -> None:
        try:
            self._send(method(self._asked_for()))
        except Refused as refused:
            self._refuse(refused.status, str(refused))
        except OptionsError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except InputError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, self.server.trouble(error))
        except RetintError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, self.server.trouble(error))

    def _asked_for(self) -> str:
        """The path behind the token, for requests that are meant for us."""
        host = self.headers.get("Host", "")
        if not is_named(host, self.server.names):
            raise Refused(HTTPStatus.FORBIDDEN, "not a name of this server")
        origin = self.headers.get("Origin")
        ours = [f"{scheme}://{host}" for scheme in self.server.schemes]
        if origin is not None and origin not in ours:
            raise Refused(HTTPStatus.FORBIDDEN, "asked by another site")
        token, slash, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.NOT_FOUND, "this is not the whole address of the page")
        return path

    def _get(self, path: str) -> Reply:
        name = path or "index.html"
        if name not in self.server.files:
            return self.server.get(path, self)
        media_type = MEDIA_TYPES["." + name.rpartition(".")[2]]
        body = (resources.files(self.server.room) / "page" / name).read_bytes()
        return Reply(f"{media_type}; charset=utf-8", body)

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not JSON")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or len(length) > 9:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "no length")
        if int(length) > self.server.longest_body:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too much at once")
        try:
            wish = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            wish = None
        if not isinstance(wish, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "not JSON")
        return cast(dict[str, Any], wish)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what was sent along is not read
        self._send(Reply.of({"error": why}), status)

    def _send(self, reply: Reply, status: HTTPStatus = HTTPStatus.OK) -> None:
        headers = {
            "Content-Type": reply.media_type,
            "Content-Length": str(len(reply.body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
            f"img-src {self.server.images}; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **(reply.headers or {}),
        }
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)
