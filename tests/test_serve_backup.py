"""Backups of a service at work, brought back; and houses of older versions."""

import hashlib
import sqlite3
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("fastapi", exc_type=ImportError)

from sqlalchemy import select
from sqlalchemy.orm import Session

from retint.cli import main
from retint.errors import InputError, OutputError
from retint.journal import Receipt
from retint.serve import Settings
from retint.serve.store import backup, keys
from retint.serve.store.database import open_database
from retint.serve.store.tables import Job
from served import Served, postgresql, served

Photographs = dict[str, Path]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with postgresql() as url:
        yield url


def settings(data: Path, model: Path, db: str = "") -> Settings:
    return Settings(data=data, db=db, models={"fake": str(model)}, device="cpu")


def command(name: str, file: Path, data: Path, db: str = "") -> Result:
    where = ["--data", str(data), *(["--db", db] if db else [])]
    return CliRunner().invoke(main, ["serve", name, str(file), *where])


def results(here: Served, job: str) -> dict[str, bytes]:
    """The results of an ended job, each of which is what its receipt says."""
    here.ended(job)
    (folder := here.service.settings.data / "zips").mkdir(exist_ok=True)
    path = folder / "results.zip"
    path.write_bytes(here.ask(f"{job}/results").body)
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    journal = found.pop("retint-journal.jsonl").decode()
    told = [Receipt.from_json(line) for line in journal.splitlines()]
    assert {r.target: r.output_sha256 for r in told} == {
        name: hashlib.sha256(content).hexdigest() for name, content in found.items()
    }
    return found


def test_a_backup_of_a_service_at_work_is_a_service_as_it_was_at_one_moment(
    tmp_path: Path, fake_onnx: Path, photographs: Photographs
):
    files = [("images", name, photographs[name].read_bytes()) for name in ("grey.jpg", "grey.png")]
    begun, enough = list[str](), threading.Event()
    file, data, again = tmp_path / "backup.zip", tmp_path / "data", tmp_path / "again"
    with served(settings(data, fake_onnx)) as here:
        ended = here.ask("/v1/jobs", {}, files).headers["Location"]
        expected = results(here, ended)
        key = keys.add(here.service.queue.engine, "reading room")
        kept = here.ask("/v1/photographs", {}, [("image", *files[0][1:])]).headers["Location"]
        seen = here.ask(f"{kept}/preview").body

        def work() -> None:
            """Hand in jobs, and take every second one away while it is worked on."""
            while not enough.is_set():
                begun.append(here.ask("/v1/jobs", {}, files).headers["Location"])
                if len(begun) % 2:
                    assert here.ask(begun[-1], method="DELETE").status == 204

        client = threading.Thread(target=work, daemon=True)
        client.start()
        while len(begun) < 4:
            time.sleep(0.01)
        saved = command("backup", file, data)
        at_least = len(begun)
        enough.set()
        client.join()
        assert saved.exit_code == 0, saved.output
        assert at_least >= 4
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    restored = command("restore", file, again)
    assert restored.exit_code == 0, restored.output
    assert restored.stdout.partition(": ")[2] == saved.stdout.partition(": ")[2]
    with served(settings(again, fake_onnx)) as here:
        there = [f"/v1/jobs/{id}" for id in _jobs(here)]
        assert ended in there
        assert len(there) > 2
        assert results(here, ended) == expected
        for job in there:
            assert results(here, job) == expected
        assert keys.check(here.service.queue.engine, key)
        assert here.ask(f"{kept}/preview").body == seen
        assert here.ask(ended, method="DELETE").status == 204


def _jobs(here: Served) -> list[str]:
    with Session(here.service.queue.engine) as session:
        return list(session.scalars(select(Job.id)))


def test_what_was_running_is_done_after_all(
    tmp_path: Path, fake_onnx: Path, photographs: Photographs
):
    """A row leased as the backup was made, in a server that is gone."""
    door = settings(tmp_path / "data", fake_onnx)
    with served(Settings(data=door.data, models=door.models, workers=0)) as here:
        grey = ("images", "grey.jpg", photographs["grey.jpg"].read_bytes())
        job = here.ask("/v1/jobs", {}, [grey]).headers["Location"]
        assert here.service.queue.lease(3600) is not None
        backup.save(door, tmp_path / "backup.zip")
    backup.restore(settings(tmp_path / "again", fake_onnx), tmp_path / "backup.zip")
    with served(settings(tmp_path / "again", fake_onnx)) as here:
        assert results(here, job).keys() == {"grey.jpg"}


def test_it_moves_between_databases(
    cluster: str, tmp_path: Path, fake_onnx: Path, photographs: Photographs
):
    """From SQLite to PostgreSQL and back, with rows that are made afterwards."""
    grey = ("images", "grey.jpg", photographs["grey.jpg"].read_bytes())
    places = [("one", ""), ("two", cluster), ("three", "")]
    jobs, expected = list[str](), dict[str, bytes]()
    for place, db in places:
        house = settings(tmp_path / place, fake_onnx, db)
        if jobs:
            backup.restore(house, tmp_path / "backup.zip")
            (tmp_path / "backup.zip").unlink()
        with served(house) as here:
            for job in jobs:
                assert results(here, job) == expected
            jobs.append(here.ask("/v1/jobs", {}, [grey]).headers["Location"])
            expected = results(here, jobs[-1])
        assert backup.save(house, tmp_path / "backup.zip").jobs == len(jobs)
    with pytest.raises(OutputError, match="has jobs or keys already"):
        backup.restore(settings(tmp_path / "four", fake_onnx, cluster), tmp_path / "backup.zip")


def test_a_file_that_the_disk_has_lost_is_told(
    tmp_path: Path, fake_onnx: Path, photographs: Photographs
):
    with served(settings(tmp_path / "data", fake_onnx)) as here:
        grey = ("images", "grey.jpg", photographs["grey.jpg"].read_bytes())
        job = here.ask("/v1/jobs", {}, [grey]).headers["Location"]
        results(here, job)
        lost = next((tmp_path / "data" / "jobs").glob("*/sources/grey.jpg"))
        lost.unlink()
        saved = command("backup", tmp_path / "backup.zip", tmp_path / "data")
    assert saved.exit_code == 1
    assert f"{lost.relative_to(tmp_path / 'data')}: is not on the disk" in saved.stderr
    assert (tmp_path / "backup.zip").exists()


def test_what_is_no_backup_is_told_in_a_line(tmp_path: Path):
    file, data = tmp_path / "backup.zip", tmp_path / "data"
    nothing = command("backup", file, data)
    assert nothing.stderr == f"retint: {data}: no service has its database here\n"
    assert not data.exists()
    keys_of = open_database(Settings(data=data).url)
    keys.add(keys_of, "reading room")
    keys_of.dispose()
    assert command("backup", file, data).exit_code == 0
    assert "is there already" in command("backup", file, data).stderr
    assert "has jobs or keys already" in command("restore", file, data).stderr
    whole = file.read_bytes()
    for broken in (b"no ZIP", whole[:-40], _flipped(whole)):
        file.write_bytes(broken)
        with pytest.raises(InputError, match="no backup of a service, or damaged"):
            backup.restore(Settings(data=tmp_path / "again"), file)
    with zipfile.ZipFile(file, "w") as other:
        other.writestr("holiday.jpg", b"")
    told = command("restore", file, tmp_path / "again")
    assert (told.exit_code, told.stderr.count("\n")) == (1, 1)


def _flipped(content: bytes) -> bytes:
    """With one bit of the database's rows changed."""
    place = content.index(b"SQLite format 3") + 5000
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("model", "state", "reason"),
    [
        ("default", "done", ""),
        ("another", "failed", "the service has no model default any more"),
    ],
)
def test_a_house_of_the_first_release_goes_on(
    tmp_path: Path, fake_onnx: Path, photographs: Photographs, model: str, state: str, reason: str
):
    """Its database is brought up to date: what was done is there, and what waited is done, as far
    as its model is still offered.
    """
    id = "0123456789abcdef01234567"
    job = tmp_path / "jobs" / id
    for place, name in (("sources/1.tif", "grey16.tif"), ("sources/2.tif", "grey16.tif")):
        (job / place).parent.mkdir(parents=True, exist_ok=True)
        (job / place).write_bytes(photographs[name].read_bytes())
    (job / "1-1").mkdir()
    (job / "1-1" / "result.tif").write_bytes(b"its result")
    with sqlite3.connect(tmp_path / "retint.db") as old:
        old.executescript((Path(__file__).parent / "fixtures" / "serve-1.sql").read_text())
    old.close()
    with served(Settings(data=tmp_path, models={model: str(fake_onnx)})) as here:
        told = here.ended(f"/v1/jobs/{id}")
        assert [item["state"] for item in told["items"]] == ["done", state]
        assert told["items"][1]["receipt"]["reason"] == reason
        assert here.ask(f"/v1/jobs/{id}/results/1").body == b"its result"
