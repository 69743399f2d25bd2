"""The queue: rows that are leased to one at a time, published once, in SQLite and PostgreSQL."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

from sqlalchemy import create_engine, inspect, text

from retint.errors import OutputError
from retint.journal import Receipt
from retint.serve.settings import Settings
from retint.serve.store import database, keys
from retint.serve.store.album import Album
from retint.serve.store.bell import Bell
from retint.serve.store.database import MIGRATIONS, open_database
from retint.serve.store.queue import Queue
from retint.serve.store.tables import Item, Job, Photograph, Table
from served import postgresql, served

RECEIPT = Receipt("a.tif", "a.tif", "done")
OLD = Path(__file__).parent / "fixtures" / "serve-1.sql"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
def postgres(cluster: str) -> Iterator[str]:
    """An empty database of PostgreSQL."""
    import psycopg

    yield cluster
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'retint.db'}"
    return request.getfixturevalue("postgres")


@pytest.fixture
def queue(url: str) -> Iterator[Queue]:
    engine = open_database(url)
    yield Queue(engine, Bell())
    engine.dispose()


def add(queue: Queue, id: str, total: int = 1, **about: Any) -> Job:
    job = Job(id=id, options={"quality": 80}, hints=[], total=total, **{"key": "", **about})
    return queue.add(job, [
        Item(job=id, number=n, name=f"{n}.tif", source=b"\xff.tif", target="t", copy="c", size=10)
        for n in range(1, total + 1)
    ])  # fmt: skip


def test_every_photograph_goes_to_one_worker(queue: Queue):
    add(queue, "job", 40)

    def work(_: int) -> list[int]:
        taken: list[int] = []
        while task := queue.lease(60):
            taken.append(task.item.number)
            assert queue.finish(task.item, RECEIPT, "r", 5, keep=60)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [number for numbers in pool.map(work, range(4)) for number in numbers]
    assert sorted(taken) == list(range(1, 41))
    ended = queue.ended_after("job", 0)
    assert sorted(item.ended or 0 for item in ended) == list(range(1, 41))
    job = queue.job("job")
    assert job is not None
    assert job.ended == job.total
    assert job.expires == pytest.approx(time.time() + 60, abs=10)
    assert queue.usage() == 40 * 15


def test_a_lease_that_lapsed_is_nobodys(queue: Queue):
    add(queue, "job")
    first = queue.lease(0.05)
    assert first is not None
    assert first.item.source == b"\xff.tif"
    assert first.options == {"quality": 80}
    time.sleep(0.1)
    second = queue.lease(60)
    assert second is not None
    assert second.item.attempts == 2
    assert not queue.extend(first.item, 60)
    assert not queue.finish(first.item, RECEIPT, "first", 1, keep=60)
    assert queue.extend(second.item, 60)
    assert queue.lease(60) is None
    assert queue.finish(second.item, RECEIPT, "second", 1, keep=60)
    assert not queue.finish(second.item, RECEIPT, "again", 1, keep=60)
    (item,) = queue.items("job")
    assert (item.state, item.result, item.ended) == ("done", "second", 1)


def test_a_sign_of_life_keeps_the_lease(queue: Queue):
    add(queue, "job")
    task = queue.lease(0.3)
    assert task is not None
    for _ in range(4):
        time.sleep(0.15)
        assert queue.extend(task.item, 0.3)
        assert queue.lease(60) is None


def test_small_jobs_do_not_wait_for_large_ones_and_urgent_ones_for_none(queue: Queue):
    add(queue, "large", 3)
    add(queue, "small", 1)
    add(queue, "urgent", 1, urgent=True)
    order = [task.item.job for _ in range(5) if (task := queue.lease(60))]
    assert order == ["urgent", "large", "small", "large", "large"]


def test_given_back_it_waits_again(queue: Queue):
    add(queue, "job")
    task = queue.lease(60)
    assert task is not None
    assert queue.give_back(task.item, died=True)
    again = queue.lease(60)
    assert again is not None
    assert (again.item.deaths, again.item.attempts) == (1, 2)
    queue.release_all()
    assert queue.states() == {"waiting": 1}
    assert not queue.extend(again.item, 60)


def test_a_removed_job_is_gone_also_for_who_works_on_it(queue: Queue):
    add(queue, "job")
    task = queue.lease(60)
    assert task is not None
    queue.remove("job")
    assert queue.job("job") is None
    assert queue.items("job") == []
    assert not queue.finish(task.item, RECEIPT, "r", 1, keep=60)


def test_what_has_expired_is_no_work(queue: Queue):
    add(queue, "over", urgent=True, expires=time.time() - 1)
    assert queue.lease(60) is None
    assert queue.expired() == ["over"]


def test_a_token_makes_one_job_of_two(queue: Queue):
    assert add(queue, "one", token="mine").id == "one"
    assert add(queue, "two", token="mine").id == "one"
    assert add(queue, "three", token="mine", key="other").id == "three"
    assert add(queue, "four").id == "four"
    assert add(queue, "five").id == "five"
    assert queue.job("two") is None


def test_keys_are_valid_until_revoked_and_kept_as_hashes(queue: Queue):
    key = keys.add(queue.engine, "reading room")
    (known,) = keys.every(queue.engine)
    checked = keys.check(queue.engine, key)
    assert checked is not None
    assert checked.id == known.id
    assert key.rpartition("_")[2] not in (known.sha256, known.id, known.name)
    for wrong in ("", "retint", key[:-1], key.upper(), f"retint_{known.id}_", key + "x"):
        assert keys.check(queue.engine, wrong) is None
    assert keys.revoke(queue.engine, known.id)
    assert not keys.revoke(queue.engine, known.id)
    assert keys.check(queue.engine, key) is None


# Versions of the database


def test_it_opens_again_and_by_many_at_once(url: str):
    with ThreadPoolExecutor(4) as pool:
        for engine in pool.map(open_database, [url] * 4):
            engine.dispose()
    engine = open_database(url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT number FROM version")).all() == [
            (1 + len(MIGRATIONS),)
        ]
    engine.dispose()


def test_a_migration_is_done_once_and_wholly(url: str, monkeypatch: pytest.MonkeyPatch):
    engine = open_database(url)
    add(Queue(engine, Bell()), "job")
    engine.dispose()
    steps = ["ALTER TABLE jobs ADD COLUMN note TEXT", "UPDATE jobs SET note = 'moved'"]
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, steps, ["no SQL at all"]))
    with pytest.raises(OutputError, match="syntax"):
        open_database(url)
    for _ in range(2):
        monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, steps))
        engine = open_database(url)
        with engine.begin() as connection:
            assert connection.execute(text("SELECT id, note FROM jobs")).all() == [("job", "moved")]
        engine.dispose()
    monkeypatch.setattr(database, "MIGRATIONS", MIGRATIONS)
    with pytest.raises(OutputError, match="written by a newer retint"):
        open_database(url)


def test_a_database_of_the_first_release_opens(tmp_path: Path):
    """OLD is never written anew: whoever changes the tables writes a migration."""
    path = tmp_path / "retint.db"
    with sqlite3.connect(path) as old:
        old.executescript(OLD.read_text(encoding="utf-8"))
    old.close()
    engine = open_database(f"sqlite:///{path}")
    there = inspect(engine)
    for table in Table.metadata.sorted_tables:
        assert {c["name"] for c in there.get_columns(table.name)} == set(table.columns.keys())
    queue = Queue(engine, Bell())
    done, waiting = queue.items("0123456789abcdef01234567")
    assert Receipt.from_json(done.receipt or "").status == "done"
    task = queue.lease(60)
    assert task is not None
    assert task.item.number == waiting.number == 2
    engine.dispose()


def test_a_database_of_version_1_is_brought_up_to_date(url: str):
    engine = open_database(url)
    add(Queue(engine, Bell()), "job")
    with engine.begin() as connection:
        for table, column in (
            ("keys", "rate"), ("keys", "concurrency"), ("items", "options"), ("items", "hints"),
        ):  # fmt: skip
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text("DROP TABLE photographs"))
        connection.execute(text("UPDATE version SET number = 1"))
    engine.dispose()
    engine = open_database(url)
    made = create_engine("sqlite://")
    Table.metadata.create_all(made)
    there, wanted = inspect(engine), inspect(made)
    for table in Table.metadata.sorted_tables:
        found = {c["name"]: c["nullable"] for c in there.get_columns(table.name)}
        assert found == {c["name"]: c["nullable"] for c in wanted.get_columns(table.name)}
    made.dispose()
    album = Album(engine)
    album.add(Photograph(id="a", name="a.jpg", size=5, facts={"pages": 1}, expires=4e9))
    found = album.find("a", 60)
    assert found is not None
    assert found.facts == {"pages": 1}
    queue = Queue(engine, Bell())
    assert queue.usage() == 5 + sum(item.size for item in queue.items("job"))
    task = queue.lease(60)
    assert task is not None
    assert task.item.options is None
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nothing", "the database's URL is none"),
        ("sqlite:////proc/none/retint.db", "No such file"),
        ("postgresql://someone:secret@127.0.0.1:1/none", "refused"),
    ],
)
def test_what_cannot_be_opened_is_told_in_a_line(url: str, words: str):
    with pytest.raises(OutputError, match=words) as told:
        open_database(url)
    assert "secret" not in str(told.value)


def test_servers_share_a_database_and_a_folder(
    postgres: str, tmp_path: Path, fake_onnx: Path, photographs: dict[str, Path]
):
    """One takes work on, another does it; either tells how it is getting on."""
    settings = Settings(data=tmp_path, db=postgres, models={"fake": str(fake_onnx)}, workers=0)
    with served(settings) as door, served(replace(settings, workers=1)) as kitchen:
        file = ("images", "grey.jpg", photographs["grey.jpg"].read_bytes())
        answer = door.ask("/v1/colorize", {}, [("image", *file[1:])])
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
        job = door.ask("/v1/jobs", {}, [file, file]).headers["Location"]
        assert door.ask(f"{job}/events").body.count(b"event: item") == 2
        assert kitchen.ended(job)["states"] == {"done": 2}
        assert kitchen.ask(f"{job}/results/2").body == answer.body


def test_a_bell_wakes_its_listeners_only():
    bell, mine, other = Bell(), threading.Event(), threading.Event()
    with bell.waking("mine", mine.set), bell.waking("other", other.set):
        bell.ring("mine")
    bell.ring("other")
    assert mine.is_set()
    assert not other.is_set()
