"""Downloads, from a server that cuts, refuses, changes its mind and asks to come back later."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest

from faulty_server import Clock, Reply, Server, serving
from retint.data.fetch.download import Remote, download
from retint.data.fetch.lock import Lock
from retint.errors import InputError, OutputError

DATA = np.random.default_rng(0).integers(0, 256, 1_000_000, np.uint8).tobytes()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def md5(data: bytes) -> str:
    return f"md5:{hashlib.md5(data).hexdigest()}"


def silent(*_: object) -> None:
    pass


@pytest.fixture
def remote(server: Server) -> Remote:
    server.files["/big.tar"] = DATA
    return Remote("big.tar", f"{server.url}/big.tar", md5(DATA), "https://example.org/big")


def test_a_file_arrives_whole_and_is_not_asked_for_again(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    heard: list[tuple[str, int, int]] = []
    path = download(remote, tmp_path, clock.web(), lambda *told: heard.append(told))
    assert path.read_bytes() == DATA
    assert heard[-1] == ("big.tar", len(DATA), len(DATA))
    assert download(remote, tmp_path, clock.web(), silent) == path
    assert len(server.seen) == 1
    assert server.asked("User-Agent")[0].startswith("retint/")
    assert {p.name for p in tmp_path.iterdir()} == {"big.tar", "fetch-lock.json"}


def test_cuts_are_gone_on_from_where_they_were(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    server.faults = [Reply(cut=300_000), Reply(cut=200_000), Reply(cut=0), Reply(cut=0)]
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA
    ranges = server.asked("Range")
    assert ranges == ["", "bytes=300000-", "bytes=500000-", "bytes=500000-", "bytes=500000-"]
    assert server.asked("If-Range")[1:] == ['"1"'] * 4
    assert clock.naps == [1, 1, 2, 4]  # a cut after new bytes begins the count anew


def test_a_server_that_ignores_ranges_sends_it_all_again(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    server.ranges = False
    server.faults = [Reply(cut=300_000)]
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA


def test_a_file_that_changes_meanwhile_is_begun_again(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    server.files["/big.tar"] = DATA[::-1]
    server.faults = [Reply(cut=300_000), Reply(404)]
    with pytest.raises(InputError, match="404"):
        download(remote, tmp_path, clock.web(), silent)
    assert (tmp_path / "big.tar.part").stat().st_size == 300_000
    server.files["/big.tar"], server.etag = DATA, '"2"'
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA
    assert server.asked("If-Range")[-1] == '"1"'


def test_a_206_of_another_version_is_not_appended(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    """A server that knows ranges but not If-Range."""
    (tmp_path / "big.tar.part").write_bytes(b"old" * 1000)
    (tmp_path / "big.tar.part.version").write_text('"0"')
    server.faults = [Reply(206, {"Content-Range": "bytes 3000-3009/3010", "ETag": '"1"'})]
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA


def test_a_part_that_was_whole_already(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    (tmp_path / "big.tar.part").write_bytes(DATA)
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA
    (tmp_path / "big.tar").unlink()
    (tmp_path / "big.tar.part").write_bytes(DATA + b"more")
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA


def test_another_file_than_the_published_is_an_error_and_does_not_stay(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    server.files["/big.tar"] = b"something else"
    with pytest.raises(InputError, match=r"not the file .* was removed.*example\.org/big"):
        download(remote, tmp_path, clock.web(), silent)
    assert not list(tmp_path.glob("big*"))


def test_without_a_published_hash_the_first_file_is_held_to(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    remote = replace(remote, hash="")
    path = download(remote, tmp_path, clock.web(), silent)
    held = json.loads((tmp_path / "fetch-lock.json").read_text())["big.tar"]
    assert held["hash"] == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    assert held["url"] == remote.url
    path.unlink()
    server.files["/big.tar"] = b"another"
    with pytest.raises(InputError, match="was fetched first"):
        download(remote, tmp_path, clock.web(), silent)


def test_a_file_damaged_on_the_disk_is_noticed(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    path = download(remote, tmp_path, clock.web(), silent)
    path.write_bytes(DATA[:-1])
    with pytest.raises(InputError, match="remove it and get it anew"):
        download(remote, tmp_path, clock.web(), silent)


@pytest.mark.parametrize("code", [429, 503])
def test_the_server_may_ask_to_come_back_later(
    code: int, server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.faults = [Reply(code, {"Retry-After": "17"}), Reply(code, {"Retry-After": date})]
    server.faults += [Reply(code), Reply(500)]
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA
    assert clock.naps[0] == 17
    assert 95 <= clock.naps[1] <= 100
    assert clock.naps[2:] == [4, 8]


def test_patience_ends(server: Server, remote: Remote, tmp_path: Path, clock: Clock):
    server.faults = [Reply(503)] * 20
    with pytest.raises(InputError, match=r"HTTP 503.*gave up after 7 tries"):
        download(remote, tmp_path, clock.web(), silent)
    assert clock.naps == [1, 2, 4, 8, 16, 32]
    server.faults = [Reply(429, {"Retry-After": "86400"})]
    with pytest.raises(InputError, match=r"come back in 24\.0 hours"):
        download(remote, tmp_path, clock.web(), silent)


@pytest.mark.parametrize(
    ("code", "told"),
    [(404, "new address"), (410, "new address"), (401, "account"), (403, "--from")],
)
def test_refusals_say_what_to_do(
    code: int, told: str, server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    server.faults = [Reply(code)]
    with pytest.raises(InputError, match=told) as error:
        download(remote, tmp_path, clock.web(), silent)
    assert "\n" not in str(error.value)
    assert remote.page in str(error.value)
    assert not clock.naps


def test_a_server_that_is_not_there(tmp_path: Path, clock: Clock):
    with pytest.raises(InputError, match="refused"):
        download(Remote("a", "http://127.0.0.1:9/a"), tmp_path, clock.web(), silent)


def test_room_is_looked_for_before_and_missed_while_writing(
    server: Server, remote: Remote, tmp_path: Path, clock: Clock
):
    server.faults = [Reply(headers={"Content-Length": str(10**16)}, cut=0)]
    with pytest.raises(OutputError, match=r"needs 10000000\.0 GB more"):
        download(remote, tmp_path, clock.web(), silent)
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "big.tar.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        download(remote, tmp_path, clock.web(), silent)


def test_killed_and_called_again(server: Server, remote: Remote, tmp_path: Path, clock: Clock):
    server.slowly = 0.05
    code = (
        "import sys; from pathlib import Path\n"
        "from retint.data.fetch.download import *; from retint.data.fetch.web import Web\n"
        "download(Remote('big.tar', sys.argv[1]), Path(sys.argv[2]), Web(), lambda *_: None)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, remote.url, str(tmp_path)])
    part = tmp_path / "big.tar.part"
    while not (part.exists() and part.stat().st_size > 200_000):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = part.stat().st_size
    assert 0 < there < len(DATA)
    server.slowly = 0
    assert download(remote, tmp_path, clock.web(), silent).read_bytes() == DATA
    assert server.asked("Range")[-1] == f"bytes={there}-"


def test_a_lock_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "fetch-lock.json").write_text("[1]")
    with pytest.raises(InputError, match="delete it"):
        Lock(tmp_path)
