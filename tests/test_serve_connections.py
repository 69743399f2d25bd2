"""Clients that hold a connection and send nothing, trickle, or do not read."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

from retint.serve import Settings
from served import Served, served

SILENCE = 0.4


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    with served(Settings(data=data, workers=0, silence=SILENCE)) as here:
        yield here


def connect(here: Served, small: bool = False) -> socket.socket:
    host, port = here.url.removeprefix("http://").split(":")
    connection = socket.socket()
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect((host, int(port)))
    return connection


def told(connection: socket.socket) -> bytes:
    """All that comes until the connection is cut."""
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionError:
        pass
    return found


def sent_until_cut(connection: socket.socket, piece: bytes, pause: float) -> None:
    """Send again and again; raises OSError when the connection is cut."""
    for _ in range(2000):
        connection.sendall(piece)
        time.sleep(pause)


HEAD = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
)
PART = b'--b\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", HEAD])
def test_a_head_that_does_not_come_is_not_waited_for(here: Served, sent: bytes):
    begin = time.monotonic()
    with connect(here) as connection:
        connection.sendall(sent)
        assert told(connection) == b""
    assert SILENCE <= time.monotonic() - begin < 20


def test_a_head_that_trickles_is_cut_off(here: Served):
    with connect(here) as connection, pytest.raises(OSError, match=r"Broken|reset"):
        sent_until_cut(connection, b"G", SILENCE / 4)


def test_a_second_request_is_waited_for_no_longer(here: Served):
    with connect(here) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(SILENCE / 4)
        connection.sendall(b"GET /healthz")
        assert told(connection).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_stops_is_answered_408(here: Served):
    with connect(here) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n--b")
        assert told(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_trickles_is_answered_408(here: Served):
    """A byte now and then is never silent for long, and never at an end."""
    begin = time.monotonic()
    with connect(here) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + PART)
        connection.settimeout(SILENCE / 8)
        found = b""
        while not found and time.monotonic() - begin < 20:
            connection.sendall(b"-")
            try:
                found = connection.recv(100)
            except TimeoutError:
                continue
    assert found.startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_that_keeps_coming_is_taken(here: Served):
    """Longer than the silence in all, in steps that are short and large enough."""
    body = PART + b"x" * 8000 + b"\r\n--b--\r\n"
    with connect(here) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 1000):
            connection.sendall(body[at : at + 1000])
            time.sleep(SILENCE / 4)
        assert connection.recv(100).startswith(b"HTTP/1.1 202 ")


def test_who_does_not_read_is_cut_off(here: Served):
    """Answers to one request after the other, none of them read: memory does not hold them."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(here, small=True) as connection, pytest.raises(OSError, match=r"Broken|reset"):
        sent_until_cut(connection, request * 10, SILENCE / 20)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_more_files_than_can_be_open_are_refused_politely(here: Served):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = [("images", f"{n}.tif", bytes(100_000)) for n in range(60)]  # too large for memory
    few = len(list(Path("/proc/self/fd").iterdir())) + 30
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        answer = here.ask("/v1/jobs", {}, files)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer.status == 503
    assert "Too many files" in answer.json()["detail"]
    assert here.ask("/v1/jobs", {}, files).status == 202


def test_uploads_without_a_key_are_refused_before_they_are_read(tmp_path: Path):
    from retint.serve.store import keys
    from retint.serve.store.database import open_database

    settings = Settings(data=tmp_path, workers=0, keys=True, silence=SILENCE)
    keys.add(open_database(settings.url), "somebody")
    with served(settings) as here, connect(here) as connection:
        connection.sendall(HEAD + b"Content-Length: 900000000\r\n\r\n")
        found = told(connection)
    assert found.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in found.lower()
