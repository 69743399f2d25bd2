"""A study's server: for everybody who has its address, and nothing but the study."""

import math
import secrets
import socket
from collections.abc import Sequence
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast

from retint import pages
from retint.errors import RetintError
from retint.pages import Handler, Refused, Reply
from retint.study.answers import Given
from retint.study.session import Session

COOKIE = "judge"
COOKIE_AGE = 90 * 24 * 3600
LONGEST_BODY = 1 << 12
MOST_EXPOSURES = 2
WAYS = ("keys", "touch", "mouse")


class Server(pages.Server):
    """Serves a study's page at `url`; port 0 takes a free one.

    host: the address to listen on; 0.0.0.0 is all of this machine's. names: host names by which
    judges reach it, beside this machine's own and any address in digits. The token of the address
    stays the study's. Raises OptionsError where it cannot listen there.
    """

    room = "retint.study"
    files = ("index.html", "style.css", "main.js", "stage.js", "ending.js", "server.js")
    images = "data:"
    schemes = ("http", "https")
    longest_body = LONGEST_BODY

    def __init__(
        self, session: Session, host: str = "127.0.0.1", port: int = 0, names: Sequence[str] = ()
    ) -> None:
        self.session = session
        token = session.answers.fact("token", secrets.token_urlsafe(9)) or ""
        super().__init__(token, host, port, [socket.gethostname(), *names])

    @property
    def url(self) -> str:
        """Where the page is, seen from this machine or, where all may come, from the others."""
        host = str(self.server_address[0])
        shown = _own_address() if host == "0.0.0.0" else host
        return f"http://{shown}:{self.server_port}/{self.token}/"

    def trouble(self, error: RetintError) -> str:
        """What a judge is told when an answer could not be kept: nothing of this machine."""
        return "answers cannot be kept now"

    def get(self, path: str, visitor: Handler) -> Reply:
        """Send the state of things, or a picture."""
        kind, _, rest = path.partition("/")
        if path == "state":
            judge = self.session.state(_judge(visitor))
            return Reply.of({"study": self.session.page(), "judge": judge})
        if kind == "picture":
            trial, _, side = rest.partition("/")
            picture = self.session.picture(_judge(visitor), trial, side)
            if picture is not None:
                return Reply("image/jpeg", picture.read_bytes())
        raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def post(self, path: str, wish: dict[str, Any], visitor: Handler) -> Reply:
        """Take a consent, a look, an answer, or a withdrawal."""
        session, judge = self.session, _judge(visitor)
        if path == "consent":
            return self._consent(judge, anew=wish.get("anew") is True)
        if path == "look":
            if not session.look(judge, str(wish.get("trial"))):
                raise Refused(HTTPStatus.NOT_FOUND, "not a trial of yours")
            return Reply.of({})
        if path == "answer":
            state = session.answer(judge, str(wish.get("trial")), _given(wish))
            if state is None:
                raise Refused(HTTPStatus.NOT_FOUND, "not a trial of yours")
            return Reply.of(state)
        if path == "withdraw":
            session.withdraw(judge)
            return Reply.of({}, self._cookie("", 0))
        raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _consent(self, judge: str, anew: bool) -> Reply:
        """A judge begins; one who has begun already goes on, unless it is somebody else now."""
        secret: str | None = judge
        state = None if anew else self.session.state(judge)
        if state is None:
            secret = self.session.enrol()
            state = self.session.state(secret) if secret else None
        return Reply.of({"judge": state}, self._cookie(secret, COOKIE_AGE) if secret else None)

    def _cookie(self, secret: str, age: int) -> dict[str, str]:
        where = f"Path=/{self.token}/; Max-Age={age}; HttpOnly; SameSite=Strict"
        return {"Set-Cookie": f"{COOKIE}={secret}; {where}"}


def _judge(visitor: Handler) -> str:
    """The secret id that the browser has, or nothing."""
    try:
        known = SimpleCookie(visitor.headers.get("Cookie", ""))
    except CookieError:
        return ""
    return known[COOKIE].value if COOKIE in known else ""


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
