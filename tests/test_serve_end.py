"""How a service ends: what was begun is finished, what waits stays, a second signal is obeyed."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)
if sys.platform == "win32":
    pytest.skip("signals as Unix has them", allow_module_level=True)

import retint
from retint.errors import RetintError
from retint.serve import Settings
from retint.serve.store.bell import Bell
from retint.serve.store.database import open_database
from retint.serve.store.queue import Queue
from served import multipart

Photographs = dict[str, Path]
Running = Callable[..., "House"]

CALL = "import retint.cli.serve._server as server; server.GRACE = {grace}\n"
CALL += "from retint.cli import main; main()"


class House:
    """`retint serve` in a process of its own."""

    def __init__(self, data: Path, *words: str, grace: float = 60) -> None:
        command = [sys.executable, "-c", CALL.format(grace=grace), "serve", "--data", str(data)]
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--device", "cpu", *words], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", line)
        assert found, line + self.process.stderr.read()
        self.port = int(found[1])
        self.client = retint.Client(line[:-2], timeout=30)

    def answers(self) -> None:
        """Wait until it answers."""
        for _ in range(600):
            with contextlib.suppress(RetintError):
                self.client.models()
                return
            time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def ended(self, seconds: float = 30) -> int:
        """Its exit status."""
        _, told = self.process.communicate(timeout=seconds)
        assert "Traceback" not in told, told
        return self.process.returncode


@pytest.fixture
def running(tmp_path: Path, fake_onnx: Path) -> Iterator[Running]:
    houses: list[House] = []

    def run(*words: str, grace: float = 60) -> House:
        house = House(tmp_path / "data", "--model", str(fake_onnx), *words, grace=grace)
        houses.append(house)
        return house

    yield run
    for house in houses:
        if house.process.poll() is None:
            house.process.kill()
            house.process.communicate()


@contextlib.contextmanager
def half_sent(house: House, photograph: Path) -> Iterator[tuple[socket.socket, bytes]]:
    """A request of which half was sent, and the other half."""
    body, kind = multipart({}, [("image", "a.jpg", photograph.read_bytes())])
    head = (
        "POST /v1/colorize HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", house.port), timeout=30) as sent:
        sent.sendall(head.encode() + body[: len(body) // 2])
        time.sleep(0.3)
        yield sent, body[len(body) // 2 :]


def test_a_request_that_was_begun_is_answered(running: Running, photographs: Photographs):
    house = running()
    house.answers()
    with half_sent(house, photographs["grey.jpg"]) as (sent, rest):
        house.process.terminate()
        time.sleep(0.5)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", house.port))
        assert house.process.poll() is None
        sent.sendall(rest)
        told = b"".join(iter(lambda: sent.recv(65536), b""))
    assert told.startswith(b"HTTP/1.1 200 ")
    assert told.endswith(b"\xff\xd9")  # the JPEG is whole
    assert house.ended() == 0


@pytest.mark.parametrize(
    "numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)]
)
def test_a_second_signal_ends_it_at_once(
    running: Running, photographs: Photographs, numbers: tuple[signal.Signals, signal.Signals]
):
    house = running("--workers", "0")
    house.answers()
    with half_sent(house, photographs["grey.jpg"]):
        house.process.send_signal(numbers[0])
        time.sleep(0.5)
        assert house.process.poll() is None
        begin = time.monotonic()
        house.process.send_signal(numbers[1])
        assert house.ended() == -numbers[1]
        assert time.monotonic() - begin < 3


def test_who_never_ends_is_cut_off(running: Running, photographs: Photographs):
    house = running("--workers", "0", grace=1)
    house.answers()
    with half_sent(house, photographs["grey.jpg"]) as (sent, _):
        house.process.terminate()
        told = b"".join(iter(lambda: sent.recv(65536), b""))
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"about to end" in told
        assert house.ended() == 0


def test_events_end_with_the_service(running: Running, photographs: Photographs):
    house = running("--workers", "0")
    house.answers()
    job = house.client.submit([photographs["grey.jpg"]])
    with socket.create_connection(("127.0.0.1", house.port), timeout=30) as events:
        events.sendall(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert events.recv(65536).startswith(b"HTTP/1.1 200 ")
        house.process.terminate()
        assert house.ended(10) == 0


def test_photographs_that_were_begun_are_finished_and_the_others_wait(
    running: Running, photographs: Photographs, tmp_path: Path
):
    house = running()
    house.answers()
    job = house.client.submit([photographs["grey.jpg"]] * 20)
    while not house.client.job(job)["states"].get("done"):
        time.sleep(0.01)
    house.process.terminate()
    assert house.ended() == 0
    engine = open_database(Settings(data=tmp_path / "data").url)
    items = Queue(engine, Bell()).items(job)
    engine.dispose()
    assert {item.state for item in items} == {"done", "waiting"}
    assert all(item.lease is None and item.deaths == 0 for item in items)
    attempts = {item.attempts for item in items if item.state == "done"}
    assert attempts == {1}
    again = running()
    again.answers()
    assert [json.loads(receipt.to_json())["status"] for receipt in again.client.receipts(job)] == (
        ["done"] * 20
    )


@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_a_signal_is_heeded_while_it_starts(running: Running, delay: float):
    house = running()
    time.sleep(delay)
    house.process.terminate()
    assert house.ended() in (0, -signal.SIGTERM)
