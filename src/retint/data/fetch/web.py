"""Requests over HTTP by a patient and polite client: one at a time, waiting when asked to."""

import email.utils
import importlib.metadata
import time
import urllib.error
import urllib.request
import urllib.robotparser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

from retint.errors import InputError

TIMEOUT = 60.0  # seconds without a byte
ATTEMPTS = 7  # in a row without a byte: about a minute of waiting
LONGEST_BACKOFF = 60.0
LONGEST_WAIT = 3600.0  # what a server may ask for before we rather give up
PASSING = {408, 425, 429, 500, 502, 503, 504}


class Passing(Exception):
    """What may be gone at the next try; `wait` is what the server asks for, seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Refused(Exception):
    """An answer that another try will not change; `code` is its HTTP status."""

    def __init__(self, code: int, headers: Message) -> None:
        super().__init__(f"HTTP {code}")
        self.code = code
        self.headers = headers


def _silent(_: str) -> None:
    pass


@dataclass
class Web:
    """Asks servers, `pause` seconds at least between the beginnings of two requests.

    `tell` hears why something is tried again; `sleep` and `clock` are those of `time`.
    """

    pause: float = 0.0
    attempts: int = ATTEMPTS
    tell: Callable[[str], None] = _silent
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _next: float = field(default=0.0, init=False)

    def open(self, url: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
        """One request. Passing or Refused where there is no answer to read."""
        if self.pause:
            self.sleep(max(0.0, self._next - self.clock()))
            self._next = self.clock() + self.pause
        request = urllib.request.Request(url, headers={"User-Agent": agent(), **(headers or {})})
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in PASSING:
                wait = retry_after(error.headers, datetime.now(UTC))
                raise Passing(f"HTTP {error.code} {error.reason}", wait) from None
            raise Refused(error.code, error.headers) from None
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise Passing(f"{reason or type(error).__name__}") from None

    def get(self, url: str) -> bytes:
        """A whole body, asked for until it comes. Refused, or InputError after the last try."""
        patience = Patience(self, url)
        while True:
            try:
                with self.open(url) as reply:
                    body = reply.read()
                if len(body) == int(reply.headers.get("Content-Length", len(body))):
                    return body
                patience.wait(Passing("the answer was cut"))
            except Passing as trouble:
                patience.wait(trouble)
            except (OSError, HTTPException) as error:
                patience.wait(Passing(f"the answer was cut ({error})"))

    def rules(self, url: str) -> urllib.robotparser.RobotFileParser:
        """What the robots.txt of this address' server asks of programs."""
        rules = urllib.robotparser.RobotFileParser()
        scheme, host, *_ = urlsplit(url)
        try:
            text = self.get(f"{scheme}://{host}/robots.txt").decode("utf-8", "replace")
        except Refused:
            text = ""
        rules.parse(text.splitlines())
        return rules


@dataclass
class Patience:
    """Counts the vain tries for one address and waits between them, longer each time."""

    web: Web
    url: str
    vain: int = 0

    def wait(self, trouble: Passing) -> None:
        """Sleep until the next try; InputError where there is none left."""
        self.vain += 1
        if self.vain >= self.web.attempts:
            raise InputError(
                f"{self.url}: {trouble}; gave up after {self.vain} tries: "
                "the same command goes on from here later"
            )
        if trouble.wait > LONGEST_WAIT:
            raise InputError(
                f"{self.url}: {trouble}; the server asks to come back in "
                f"{trouble.wait / 3600:.1f} hours: the same command goes on from here then"
            )
        seconds = trouble.wait or min(LONGEST_BACKOFF, 2.0 ** (self.vain - 1))
        self.web.tell(f"{self.url}: {trouble}; again in {seconds:.0f} s")
        self.web.sleep(seconds)


def agent() -> str:
    """How we introduce ourselves: name and version."""
    return f"retint/{importlib.metadata.version('retint')}"


def retry_after(headers: Message, now: datetime) -> float:
    """Seconds that a Retry-After asks for, given as a number or a date (RFC 9110, 10.2.3)."""
    asked = (headers.get("Retry-After") or "").strip()
    if asked.isdigit():
        return float(asked)
    try:
        moment = email.utils.parsedate_to_datetime(asked)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
