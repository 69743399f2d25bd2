"""A study's server: for everybody who has its address, and nothing but the study."""

import hmac
import ipaddress
import json
import math
import re
import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, cast

from retint.errors import OptionsError, RetintError
from retint.study.answers import Given
from retint.study.session import Session

PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    **{
        name: (name, "text/javascript; charset=utf-8")
        for name in ("main.js", "stage.js", "ending.js", "server.js")
    },
}
COOKIE = "judge"
COOKIE_AGE = 90 * 24 * 3600
LONGEST_BODY = 1 << 12
PATIENCE = 60  # seconds: a connection that says nothing longer than that is closed
MOST_EXPOSURES = 2
WAYS = ("keys", "touch", "mouse")
ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
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
    """Serves a study's page at `url`; port 0 takes a free one.

    host: the address to listen on; 0.0.0.0 is all of this machine's. names: host names by which
    judges reach it, beside this machine's own and any address in digits: requests under other names
    are refused, as are those from other sites. The address holds a random token that stays the
    study's. Raises OptionsError where it cannot listen there.
    """

    daemon_threads = True  # browsers keep connections open: none must hold up the end
    request_queue_size = 64

    def __init__(
        self, session: Session, host: str = "127.0.0.1", port: int = 0, names: Sequence[str] = ()
    ) -> None:
        self.session = session
        self.names = {"localhost", socket.gethostname().lower(), *(n.lower() for n in names)}
        self.token = session.answers.fact("token", secrets.token_urlsafe(9)) or ""
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise OptionsError(f"{host}, port {port}: {error.strerror}") from error

    @property
    def url(self) -> str:
        """Where the page is, seen from this machine or, where all may come, from the others."""
        host = str(self.server_address[0])
        shown = _own_address() if host == "0.0.0.0" else host
        return f"http://{shown}:{self.server_port}/{self.token}/"

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
        """Send the page, its parts, the state of things, or a picture."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Take a consent, a look, an answer, or a withdrawal."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: who came from where is nobody's business."""

    def version_string(self) -> str:
        """What answers here, and no more."""
        return "retint"

    def _answer(self, method: Callable[[str], None]) -> None:
        try:
            method(self._asked_for())
        except Refused as refused:
            self._refuse(refused.status, str(refused))
        except OptionsError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except RetintError:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, "answers cannot be kept now")

    def _asked_for(self) -> str:
        """The path behind the token, for requests that are meant for us."""
        host = self.headers.get("Host", "")
        if not self._is_ours(host):  # a foreign name that leads here: DNS rebinding
            raise Refused(HTTPStatus.FORBIDDEN, "not a name of this study")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise Refused(HTTPStatus.FORBIDDEN, "asked by another site")
        token, slash, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.NOT_FOUND, "this is not the whole address of the study")
        return path

    def _is_ours(self, host: str) -> bool:
        name = re.sub(r":\d+$", "", host).strip("[]").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.server.names
        return True  # no name leads to an address in digits

    @property
    def _judge(self) -> str:
        """The secret id that the browser has, or nothing."""
        try:
            known = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return ""
        return known[COOKIE].value if COOKIE in known else ""

    def _get(self, path: str) -> None:
        session = self.server.session
        kind, _, rest = path.partition("/")
        if path in PAGE:
            name, media_type = PAGE[path]
            self._send(media_type, (resources.files("retint.study") / "page" / name).read_bytes())
        elif path == "state":
            self._send_json({"study": session.page(), "judge": session.state(self._judge)})
        elif kind == "picture":
            trial, _, side = rest.partition("/")
            picture = session.picture(self._judge, trial, side)
            if picture is None:
                raise Refused(HTTPStatus.NOT_FOUND, "nothing here")
            self._send("image/jpeg", picture.read_bytes())
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _post(self, path: str) -> None:
        session, wish = self.server.session, self._body()
        if path == "consent":
            self._consent(anew=wish.get("anew") is True)
        elif path == "look":
            if not session.look(self._judge, str(wish.get("trial"))):
                raise Refused(HTTPStatus.NOT_FOUND, "not a trial of yours")
            self._send_json({})
        elif path == "answer":
            state = session.answer(self._judge, str(wish.get("trial")), _given(wish))
            if state is None:
                raise Refused(HTTPStatus.NOT_FOUND, "not a trial of yours")
            self._send_json(state)
        elif path == "withdraw":
            session.withdraw(self._judge)
            self._send_json({}, cookie=("", 0))
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _consent(self, anew: bool) -> None:
        """A judge begins; one who has begun already goes on, unless it is somebody else now."""
        session = self.server.session
        secret: str | None = self._judge
        state = None if anew else session.state(self._judge)
        if state is None:
            secret = session.enrol()
            state = session.state(secret) if secret else None
        self._send_json({"judge": state}, cookie=(secret, COOKIE_AGE) if secret else None)

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not JSON")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or len(length) > 9:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "no length")
        if int(length) > LONGEST_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too much at once")
        try:
            wish = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            wish = None
        if not isinstance(wish, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "not JSON")
        return cast(dict[str, Any], wish)

    def _send_json(
        self,
        value: Any,
        status: HTTPStatus = HTTPStatus.OK,
        cookie: tuple[str, int] | None = None,
    ) -> None:
        body = json.dumps(value, separators=(",", ":")).encode("ascii")
        self._send("application/json", body, status, cookie)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what was sent along is not read
        self._send_json({"error": why}, status)

    def _send(
        self,
        media_type: str,
        body: bytes,
        status: HTTPStatus = HTTPStatus.OK,
        cookie: tuple[str, int] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        if cookie:
            secret, age = cookie
            where = f"Path=/{self.server.token}/; Max-Age={age}; HttpOnly; SameSite=Strict"
            self.send_header("Set-Cookie", f"{COOKIE}={secret}; {where}")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _given(wish: dict[str, Any]) -> Given:
    """An answer from a request; Refused for anything else."""
    answer, by = wish.get("answer"), wish.get("by")
    exposures = wish.get("exposures_ms")
    if not (
        isinstance(answer, str)
        and by in WAYS
        and isinstance(exposures, list)
        and len(cast(list[object], exposures)) <= MOST_EXPOSURES
    ):
        raise Refused(HTTPStatus.BAD_REQUEST, "not an answer")
    shown = tuple(_milliseconds(each) for each in cast(list[object], exposures))
    return Given(answer, shown, _milliseconds(wish.get("reaction_ms")), by)


def _milliseconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(HTTPStatus.BAD_REQUEST, "not a time")
    return min(max(0.0, round(float(value), 1)), 1e9)


def _own_address() -> str:
    """This machine's address in its network, as far as it can be known without asking anybody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses a way out
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
