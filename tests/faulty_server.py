"""A real HTTP server on this machine that has the faults of real ones, and a clock for those who
wait for it."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from retint.data.fetch.web import Web
from served import at_work


@dataclass
class Reply:
    """One answer that differs from a good server's: another status, or a body that is cut."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = -1  # bytes sent before the connection is closed


@dataclass
class Server:
    """Files by path; faults are answered first; requests are written down."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Reply] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    etag: str = '"1"'
    ranges: bool = True
    slowly: float = 0.0
    answer: Callable[[str], bytes | None] = lambda path: None
    url: str = ""

    def asked(self, header: str) -> list[str]:
        return [headers.get(header, "") for _, headers in self.seen]


@contextmanager
def serving() -> Generator[Server]:
    """A server on this machine, as long as it is wanted."""
    about = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            about.seen.append((self.path, dict(self.headers)))
            fault = about.faults.pop(0) if about.faults else Reply()
            body = about.files.get(urlsplit(self.path).path) or about.answer(self.path)
            if fault.status or body is None:
                self.send_response(fault.status or 404)
                for key, value in fault.headers.items():
                    self.send_header(key, value)
                self.end_headers()
                return
            start, whole = 0, len(body)
            asked = self.headers.get("Range")
            fresh = self.headers.get("If-Range", about.etag) == about.etag
            if asked and about.ranges and fresh:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= whole:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{whole}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            else:
                self.send_response(200)
            if about.etag:
                self.send_header("ETag", about.etag)
            for key, value in fault.headers.items():
                self.send_header(key, value)
            if "Content-Length" not in fault.headers:
                self.send_header("Content-Length", str(whole - start))
            self.end_headers()
            end = whole if fault.cut < 0 else min(whole, start + fault.cut)
            for at in range(start, end, 50_000):
                time.sleep(about.slowly)
                self.wfile.write(body[at : min(end, at + 50_000)])

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the other side may close first

    with Quiet(("127.0.0.1", 0), Handler) as http, at_work(http):
        about.url = f"http://127.0.0.1:{http.server_port}"
        yield about


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def web(self, **options: float) -> Web:
        return Web(sleep=self.sleep, clock=lambda: self.now, **options)  # pyright: ignore[reportArgumentType]
