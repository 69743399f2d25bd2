"""A server or its workers killed at any moment: every job ends, each result is there exactly once.

A client hands in small jobs all the while, under tokens of its own, and again after every broken
connection. Then everything that was accepted is looked through.
"""

import contextlib
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

import retint
from retint.errors import RetintError
from retint.journal import NAME, Receipt

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds a server's processes in /proc"
)

Photographs = dict[str, Path]


class House:
    """A server as `retint serve` runs it, that is killed and run again at the same port."""

    def __init__(self, data: Path, model: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.data = data
        self.command = [
            sys.executable, "-m", "retint", "serve", "--data", str(data), "--port", str(self.port),
            "--model", str(model), "--workers", "2", "--device", "cpu",
        ]  # fmt: skip
        self.client = retint.Client(f"http://127.0.0.1:{self.port}", timeout=30)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.data.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log)
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            with contextlib.suppress(RetintError):
                self.client.models()
                return
            assert self.process.poll() is None, (self.data.parent / "log").read_text()
            time.sleep(0.02)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def workers(self) -> list[int]:
        """Ids of the processes that colour: those that Python spawned, but for its tracker."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        ids = [int(id) for path in children for id in path.read_text().split()]
        return [id for id in ids if b"spawn_main" in _command_line(id)]


def _command_line(id: int) -> bytes:
    try:
        return Path(f"/proc/{id}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def house(tmp_path: Path, fake_onnx: Path) -> Iterator[House]:
    house = House(tmp_path / "data", fake_onnx)
    house.start()
    yield house
    house.kill()


@pytest.mark.parametrize(
    "kills", [4, pytest.param(24, marks=pytest.mark.full)], ids=["a few", "many"]
)
@pytest.mark.timeout(900)
def test_killed_at_any_moment_every_job_ends_once(
    house: House, photographs: Photographs, tmp_path: Path, kills: int
):
    sources = [photographs[name] for name in ("grey.jpg", "grey16.tif", "toned.jpg")]
    accepted: dict[str, str] = {}
    enough = threading.Event()

    def hand_in() -> None:
        number = 0
        while not enough.is_set():
            try:
                accepted[f"{number}"] = house.client.submit(sources, token=f"{number}")
                number += 1
                enough.wait(1)  # then there is work at every moment, and not too much at the end
            except RetintError:
                time.sleep(0.05)

    client = threading.Thread(target=hand_in, daemon=True)
    client.start()
    moments = random.Random(kills)
    killed: Counter[str] = Counter()
    while sum(killed.values()) < kills:
        time.sleep(moments.uniform(0, 1.0))
        if killed["server"] <= killed["worker"]:
            house.kill()
            killed["server"] += 1
            house.start()
        elif workers := house.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(moments.choice(workers), signal.SIGKILL)
                killed["worker"] += 1
    enough.set()
    client.join()
    assert len(accepted) == len(set(accepted.values())) >= kills / 2
    outputs = {source.name: set[str]() for source in sources}
    for job in accepted.values():
        receipts = list(house.client.receipts(job))
        assert sorted(r.source for r in receipts) == sorted(outputs)
        assert {r.status for r in receipts} == {"done"}, [r.reason for r in receipts]
        house.client.results(job, tmp_path / "results.zip")
        with zipfile.ZipFile(tmp_path / "results.zip") as archive:
            assert sorted(archive.namelist()) == sorted([*outputs, NAME])
            for line in archive.read(NAME).decode().splitlines():
                receipt = Receipt.from_json(line)
                written = hashlib.sha256(archive.read(receipt.target)).hexdigest()
                assert written == receipt.output_sha256
                outputs[receipt.source].add(written)
        folder = house.data / "jobs" / job
        attempts = Counter(path.name.partition("-")[0] for path in folder.glob("*-*"))
        assert attempts == {"1": 1, "2": 1, "3": 1}
    assert all(len(found) == 1 for found in outputs.values())


def test_a_terminated_server_finishes_what_it_began(house: House, photographs: Photographs):
    assert house.process is not None
    job = house.client.submit([photographs["grey16.tif"]] * 8)
    while house.client.job(job)["state"] == "waiting":
        time.sleep(0.01)
    told: list[Receipt] = []

    def follow() -> None:
        with contextlib.suppress(RetintError):
            told.extend(house.client.receipts(job))

    events = threading.Thread(target=follow, daemon=True)
    events.start()
    time.sleep(0.1)
    house.process.send_signal(signal.SIGTERM)
    assert house.process.wait(30) == 0
    events.join()
    house.start()
    assert len(list(house.client.receipts(job))) == 8
    folder = house.data / "jobs" / job
    begun = Counter(path.name.partition("-")[2] for path in folder.glob("*-*"))
    assert begun == {"1": 8}  # none was begun twice
