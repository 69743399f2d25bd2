"""Who is let in, how often, and what is written down of it: real requests to a real server."""

import http.client
import json
import multiprocessing
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("fastapi", exc_type=ImportError)

from sqlalchemy import update

from retint.cli import main
from retint.errors import OptionsError, OutputError
from retint.lines import Lines
from retint.serve import Settings
from retint.serve.entrance import audit
from retint.serve.entrance.limits import Limits, household
from retint.serve.problems import Problem
from retint.serve.store import keys
from retint.serve.store.database import open_database
from retint.serve.store.tables import Job
from served import Answer, Served, served

Photographs = dict[str, Path]


def made(settings: Settings, *arguments: Any) -> dict[str, str]:
    """A new key, as headers."""
    engine = open_database(settings.url)
    key = keys.add(engine, *arguments)
    engine.dispose()
    return {"Authorization": f"Bearer {key}"}


def refused(limits: Limits, caller: str, rate: float, concurrency: int = 0) -> str | None:
    """After how many seconds to come again; None where one is let in."""
    try:
        with limits.within(caller, rate, concurrency):
            return None
    except Problem as problem:
        return (problem.headers or {}).get("Retry-After", "never")


# Limits, by a clock of their own


def test_a_bucket_holds_a_minutes_requests_and_fills_as_time_goes():
    now = 100.0
    limits = Limits(lambda: now)
    assert [refused(limits, "me", 30) for _ in range(31)] == [None] * 30 + ["2"]
    assert refused(limits, "other", 30) is None
    now += 2
    assert [refused(limits, "me", 30) for _ in range(2)] == [None, "2"]
    now += 1
    assert refused(limits, "me", 30) == "1"
    now += 3600
    assert [refused(limits, "me", 30) for _ in range(31)] == [None] * 30 + ["2"]


def test_rates_below_one_a_minute_and_none_at_all():
    now = 0.0
    limits = Limits(lambda: now)
    assert [refused(limits, "me", 0.5) for _ in range(2)] == [None, "120"]
    now += 120
    assert [refused(limits, "me", 0.5) for _ in range(2)] == [None, "120"]
    assert [refused(limits, "me", 0) for _ in range(1000)] == [None] * 1000


def test_at_once_are_those_that_have_not_ended():
    limits = Limits()
    with ExitStack() as inside:
        for _ in range(2):
            inside.enter_context(limits.within("me", 0, 2))
        assert refused(limits, "me", 0, 2) == "1"
        assert refused(limits, "other", 0, 2) is None
    assert refused(limits, "me", 0, 2) is None
    with pytest.raises(ZeroDivisionError), limits.within("me", 0, 1):
        raise ZeroDivisionError
    assert refused(limits, "me", 0, 1) is None


def test_what_was_refused_costs_nothing():
    now = 0.0
    limits = Limits(lambda: now)
    with limits.within("me", 60, 1):
        assert [refused(limits, "me", 60, 1) for _ in range(100)] == ["1"] * 100
    assert [refused(limits, "me", 60, 1) for _ in range(60)] == [None] * 59 + ["1"]


def test_who_has_not_come_for_a_while_is_forgotten():
    now = 0.0
    limits = Limits(lambda: now)
    for caller in range(10_000):
        refused(limits, str(caller), 60, 4)
    now += 61
    refused(limits, "me", 60, 4)
    assert len(limits._full) == 1
    assert not limits._inside


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_whom_an_address_counts_for(client: str, counted: str):
    assert household(client) == counted


# Limits of a service


@pytest.fixture
def idle(tmp_path: Path) -> Settings:
    """A service that only takes work on: no process is started."""
    return Settings(data=tmp_path / "data", workers=0)


def test_each_client_has_the_houses_limits(idle: Settings):
    with served(replace(idle, rate=3)) as here:
        answers = [here.ask("/v1/models") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[3].headers["Retry-After"] == "20"
        assert answers[3].headers["Content-Type"] == "application/problem+json"
        assert "3 requests a minute" in answers[3].json()["detail"]
        for path in ("/", "/docs", "/healthz", "/readyz", "/metrics"):  # are for everybody
            assert here.ask(path).status == 200
        if sys.platform == "linux":  # where the machine has all of 127.0.0.0/8
            other = http.client.HTTPConnection(here.url[7:], source_address=("127.0.0.2", 0))
            other.request("GET", "/v1/models")
            assert other.getresponse().status == 200
            other.close()


def test_each_key_has_its_own_limits_or_the_houses(idle: Settings):
    settings = replace(idle, keys=True, rate=2)
    many, few, houses = (made(idle, *given) for given in (("a", 5.0), ("b", 1.0), ("c",)))
    free = made(idle, "d", 0.0)
    with served(settings) as here:

        def let_in(headers: dict[str, str]) -> int:
            asked = [here.ask("/v1/models", headers=headers).status for _ in range(8)]
            assert asked == sorted(asked)
            assert set(asked) <= {200, 429}
            return asked.count(200)

        assert [let_in(key) for key in (many, few, houses, free)] == [5, 1, 2, 8]


def test_guesses_at_keys_are_limited_and_cost_the_guesser_only(idle: Settings):
    key = made(idle, "mine")
    with served(replace(idle, keys=True, rate=3)) as here:
        wrong = {"Authorization": "Bearer retint_00000000_wrong"}
        asked = [here.ask("/v1/models", headers=wrong).status for _ in range(5)]
        assert asked == [401, 401, 401, 429, 429]
        assert here.ask("/v1/models", headers=key).status == 200


def test_requests_at_once_are_counted_until_their_answers_end(
    idle: Settings, photographs: Photographs
):
    key = made(idle, "mine", None, 1)
    with served(replace(idle, keys=True)) as here:
        files = [("images", "a.jpg", photographs["grey.jpg"].read_bytes())]
        job = here.ask("/v1/jobs", {}, files, key).headers["Location"]
        events = http.client.HTTPConnection(here.url[7:])
        events.request("GET", f"{job}/events", headers=key)
        answer = events.getresponse()  # its head: the events follow until the job is removed
        assert answer.status == 200
        second = here.ask(job, headers=key)
        assert (second.status, second.headers["Retry-After"]) == (429, "1")
        here.service.queue.remove(job.rpartition("/")[2])
        assert answer.read() == b""
        events.close()
        assert eventually(lambda: here.ask("/v1/models", headers=key)).status == 200


def test_nothing_of_a_body_is_read_before_the_door(idle: Settings):
    """The answer comes while the client has sent no byte of the gigabyte it speaks of."""
    made(idle, "mine")
    for settings, status in (
        (replace(idle, keys=True), b"401"),
        (replace(idle, max_bytes=9), b"413"),
    ):
        with served(settings) as here, socket.create_connection(place(here), timeout=10) as sent:
            sent.sendall(
                b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
            )
            told = b"".join(iter(lambda: sent.recv(65536), b""))
            assert told.startswith(b"HTTP/1.1 " + status)
            assert b"connection: close" in told.lower()


# Browsers


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    names = ("Archive.example", "archive")
    with served(Settings(tmp_path_factory.mktemp("named"), workers=0, names=names)) as here:
        yield here


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9", 200), ("127.0.0.1", 200), ("192.0.2.1:80", 200), ("[::1]:80", 200),
        ("archive.example", 200), ("ARCHIVE:8791", 200),
        ("evil.example", 421), ("evil.example:8791", 421), ("archive.example.evil.example", 421),
        ("", 421), ("127.0.0.1.evil.example", 421), ("archive.example.", 421),
    ],
)  # fmt: skip
def test_only_names_of_its_own_lead_to_it(named: Served, host: str, status: int):
    for path in ("/healthz", "/v1/models", "/"):
        assert named.ask(path, headers={"Host": host}).status == status


FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "HERE", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),  # a link
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        (FETCH, 403),
        ({**FETCH, "Sec-Fetch-Mode": "no-cors"}, 403),  # an image in its page
        ({**FETCH, "Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
    ],
)
def test_pages_of_other_sites_are_refused(named: Served, headers: dict[str, str], status: int):
    sent = {name: text.replace("HERE", named.url) for name, text in headers.items()}
    assert named.ask("/v1/models", headers=sent).status == status


def test_a_form_of_another_sites_page_is_refused(named: Served, photographs: Photographs):
    """It is a navigation, and an old browser's has no Origin."""
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    files = [("images", "a.jpg", photographs["grey.jpg"].read_bytes())]
    assert named.ask("/v1/jobs", {}, files, sent).status == 403
    assert not list(named.service.settings.jobs.iterdir())


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/models", "/v1/jobs/none", "/nowhere", "/", "/docs"]
)
def test_every_answer_is_shielded(named: Served, path: str):
    answer = named.ask(path)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == ("no-cache" if path in ("/", "/docs") else "no-store")
    assert "Server" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_strange_methods_do_not_swell_the_meters(named: Served):
    for number in range(5):
        assert named.ask("/healthz", method=f"BREW{number}").status in (400, 405)
    assert "BREW" not in named.ask("/metrics").body.decode()


# The audit log


def lines(settings: Settings) -> list[dict[str, Any]]:
    text = (settings.data / audit.NAME).read_text(encoding="ascii")
    return [json.loads(line) for line in text.splitlines()]


def test_the_audit_log_says_who_did_what(idle: Settings, photographs: Photographs):
    key = made(idle, "reading room")
    with served(replace(idle, keys=True)) as here:
        files = [("images", "a.jpg", photographs["grey.jpg"].read_bytes())]
        job = here.ask("/v1/jobs", {}, files, {**key, "X-Request-ID": "r1"}).headers["Location"]
        here.ask(job, headers=key)  # a look changes nothing
        here.ask(f"{job}/results/1", headers=key)
        here.ask("/v1/jobs", {}, files)  # without a key: not let in
        here.ask(f"{job}", headers=key, method="DELETE")
    who = {"key": key["Authorization"].split("_")[1], "name": "reading room", "client": "127.0.0.1"}
    told = lines(idle)
    assert all(line.items() >= who.items() for line in told)
    assert [(line["did"], line["to"], line["status"]) for line in told] == [
        ("POST /v1/jobs", job, 202),
        ("GET /v1/jobs/{id}/results/{number}", f"{job}/results/1", 409),
        ("DELETE /v1/jobs/{id}", job, 204),
    ]
    assert told[0]["request"] == "r1"
    assert told == sorted(told, key=lambda line: line["time"])


def test_the_audit_log_does_not_grow_by_what_is_one_too_many(idle: Settings):
    with served(replace(idle, rate=2)) as here:
        asked = [here.ask("/v1/jobs/0", method="DELETE").status for _ in range(6)]
    assert asked == [404, 404, 429, 429, 429, 429]
    assert [line["status"] for line in lines(idle)] == [404, 404]


def test_what_was_done_to_keys_is_in_it_too(idle: Settings):
    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["serve", "key", *words, "--data", str(idle.data)])
        assert result.exit_code == 0, result.output
        return result.output

    id = run("add", "students", "--rate", "60", "--concurrency", "2").split("_")[1]
    assert run("list").endswith("  60 a minute  2 at once\n")
    run("revoke", id)
    told = lines(idle)
    assert [(line["did"], line["to"]) for line in told] == [
        ("key add", f"{id} students"), ("key revoke", id),
    ]  # fmt: skip
    assert all(line["user"] for line in told)


def test_what_expired_is_in_it(idle: Settings, photographs: Photographs):
    files = [("images", "a.jpg", photographs["grey.jpg"].read_bytes())]
    with served(idle) as here:
        job = here.ask("/v1/jobs", {}, files).headers["Location"]
        with here.service.queue.engine.begin() as connection:
            connection.execute(update(Job).values(expires=1.0))
    with served(idle):  # which sweeps when it starts
        limit = time.monotonic() + 20
        while (told := lines(idle)[-1])["did"] != "expired":
            assert time.monotonic() < limit
            time.sleep(0.05)
    assert told["to"] == job
    assert list(idle.jobs.iterdir()) == []


def _record_many(folder: Path, name: str) -> None:
    for number in range(20):
        audit.record(folder, name, str(number))


def test_several_processes_write_it_whole(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_record_many, args=(tmp_path, name)) for name in "ab"]
    for process in processes:
        process.start()
    threads = [threading.Thread(target=_record_many, args=(tmp_path, name)) for name in "cd"]
    for worker in threads:
        worker.start()
    for worker in (*threads, *processes):
        worker.join()
    told = lines(Settings(data=tmp_path))
    for name in "abcd":
        assert [line["to"] for line in told if line["did"] == name] == [str(n) for n in range(20)]


def test_an_audit_log_that_cannot_be_written_is_an_error_in_the_log(
    idle: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(audit, "PATIENCE", 0.05)
    path = idle.data / audit.NAME
    with served(idle) as here, Lines(path, "busy"):  # which another process holds on to
        with pytest.raises(OutputError, match="another process"):
            audit.record(idle.data, "nothing", "to nobody")
        assert here.ask("/v1/jobs/none", method="DELETE").status == 404
    assert "the audit log cannot be written" in caplog.text
    assert path.read_text() == ""


# Settings


@pytest.mark.parametrize("path", ["retint", "/", "/retint/", "//x", "/a b", "/retint?x"])
def test_a_root_path_begins_with_a_slash_and_ends_with_none(tmp_path: Path, path: str):
    with pytest.raises(OptionsError, match="not like /retint"):
        Settings(tmp_path, root_path=path)


def place(here: Served) -> tuple[str, int]:
    host, _, port = here.url[7:].partition(":")
    return host, int(port)


def eventually(ask: Any) -> Answer:
    """The answer of who is patient as long as it is told to be."""
    for _ in range(5):
        answer = ask()
        if answer.status != 429:
            break
        time.sleep(int(answer.headers["Retry-After"]))
    return answer
