"""A service for tests: in this process, at a port of its own; and requests made by hand."""

import contextlib
import json
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """Where a service is, and its parts."""

    def __init__(self, url: str, service: Any) -> None:
        self.url, self.service = url, service

    def ask(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        files: Sequence[tuple[str, str, bytes]] = (),
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> Answer:
        """Send a request; `files` are (field, file name, content)."""
        body, sent = None, dict(headers or {})
        if form is not None or files:
            body, sent["Content-Type"] = multipart(form or {}, files)
        request = urllib.request.Request(self.url + path, body, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def ended(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """The job, when it has ended."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            told = self.ask(job).json()
            if told["state"] == "ended":
                return told
            time.sleep(0.05)
        raise AssertionError(f"not ended: {told}")


@contextlib.contextmanager
def at_work(server: socketserver.BaseServer) -> Iterator[None]:
    """Let a server answer, in a thread, until the end of the block, however that comes."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def multipart(
    form: Mapping[str, str], files: Sequence[tuple[str, str, bytes]]
) -> tuple[bytes, str]:
    parts = [(f'name="{name}"', value.encode()) for name, value in form.items()]
    parts += [(f'name="{field}"; filename="{name}"', content) for field, name, content in files]
    body = b"".join(
        f"--limit\r\nContent-Disposition: form-data; {about}\r\n\r\n".encode() + content + b"\r\n"
        for about, content in parts
    )
    return body + b"--limit--\r\n", "multipart/form-data; boundary=limit"


def logged(caplog: pytest.LogCaptureFixture, request: str) -> dict[str, Any]:
    """What the log says of the request of this number, when it does: after the answer."""
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        for about in [record.__dict__.get("about", {}) for record in caplog.records]:
            if about.get("request") == request:
                return about
        time.sleep(0.01)
    raise AssertionError(f"no line about {request}")


@contextlib.contextmanager
def served(settings: Any) -> Iterator[Served]:
    """Run a service in a thread until the end of the block."""
    import uvicorn

    from retint.serve import create_app
    from retint.serve.entrance.connections import configured

    app = create_app(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configured(app, settings))
    app.state.service.closing = lambda: server.should_exit
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    here = Served(f"http://127.0.0.1:{listening.getsockname()[1]}", app.state.service)
    try:
        while here.ask("/readyz").status != 200:
            assert thread.is_alive()
            time.sleep(0.05)
        yield here
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()
    assert not thread.is_alive(), "the service did not end"


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of our own, as a URL, in a folder that is removed afterwards."""
    pytest.importorskip("psycopg", exc_type=ImportError)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(installed[-1]) if installed else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    user = None
    if os.geteuid() == 0:  # which PostgreSQL refuses to be
        import pwd

        user = next((u.pw_name for u in pwd.getpwall() if u.pw_name == "postgres"), None)
        if user is None:
            pytest.skip("there is no user postgres, and PostgreSQL does not run as root")
    folder = Path(tempfile.mkdtemp(prefix="retint-pg-", dir="/tmp"))
    if user is not None:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        done = subprocess.run(
            command, user=user, cwd=folder, stdin=subprocess.DEVNULL, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    data, control = str(folder / "data"), str(Path(initdb).with_name("pg_ctl"))
    about = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
    try:
        run(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(control, "-D", data, "-o", about, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run(control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
