"""A service's jobs, photographs and keys in one file, made while it runs, and brought back from it.

The file is a ZIP of uploads and results, stored as they are, and of their rows in `retint.db`: an
SQLite database, whatever the service's own is. Rows are read as of one moment and before the files:
what they name lies on the disk by then and never changes. What is removed meanwhile is left out.
"""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.orm import Session

from retint.errors import InputError, OutputError
from retint.serve.settings import Settings
from retint.serve.store.album import Album
from retint.serve.store.bell import Bell
from retint.serve.store.database import is_embedded, open_database
from retint.serve.store.queue import Queue
from retint.serve.store.tables import Job, Photograph, Table
from retint.tinted import sync_folder

ROWS_NAME = "retint.db"
ROWS = 1000  # of a table that are in memory at a time
LOGS = ("audit.jsonl",)


@dataclass(frozen=True)
class Backup:
    """What a backup holds. missing: files that rows name and the disk does not have."""

    jobs: int
    files: int
    missing: tuple[str, ...] = ()


def save(settings: Settings, target: Path) -> Backup:
    """Write a backup of a service, whole or not at all; the service may be at work.

    Photographs below the service's root are not in it. Raises InputError where no service has its
    database, OutputError where the backup is there already or cannot be written.
    """
    if not settings.db and not (settings.data / ROWS_NAME).is_file():
        raise InputError(f"{settings.data}: no service has its database here")
    if os.path.lexists(target):
        raise OutputError(f"{target}: is there already")
    try:
        with _database(settings.url) as service, _beside(target) as folder:
            partial, rows = folder / target.name, folder / f"rows-{ROWS_NAME}"
            with zipfile.ZipFile(partial, "x", strict_timestamps=False) as archive:
                with _database(f"sqlite:///{rows}") as copy:
                    _copy_rows(service, copy)
                    backup = _save_files(settings.data, archive, service, copy)
                archive.write(rows, ROWS_NAME)
            partial.chmod(0o600)  # the keys in it are hashes, the photographs are somebody's
            _sync(partial)
            partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from error
    return backup


def restore(settings: Settings, source: Path) -> Backup:
    """Bring a backup into a service's folder and database, which hold nothing yet.

    A backup of an older version is brought up to date; the service may have another kind of
    database than it had. Raises InputError where the file is no backup or damaged, OutputError
    where something is there already or cannot be written, or a newer version made the backup.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        with (
            zipfile.ZipFile(source) as archive,
            _database(settings.url) as service,
            tempfile.TemporaryDirectory(dir=settings.data) as folder,
        ):
            if not _is_empty(service):
                raise OutputError(f"{settings.data}: has jobs or keys already")
            rows = archive.extract(ROWS_NAME, folder)
            files = [name for name in archive.namelist() if name != ROWS_NAME]
            for name in files:
                archive.extract(name, settings.data)
            with _database(f"sqlite:///{rows}") as copy:  # brought up to date, if it was old
                _copy_rows(copy, service)
            return Backup(_count(service), len(files))
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise InputError(f"{source}: is no backup of a service, or damaged ({error})") from error
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error
    except OSError as error:
        raise OutputError(f"{settings.data}: cannot be written ({error.strerror})") from error


@contextmanager
def _database(url: str) -> Generator[Engine]:
    engine = open_database(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _beside(target: Path) -> Generator[Path]:
    """A folder for what is unfinished, on the same disk."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        yield Path(folder)


@contextmanager
def _one_moment(engine: Engine) -> Generator[Connection]:
    """A connection that sees the database as it is now, whatever is committed meanwhile."""
    with engine.connect() as connection:
        if is_embedded(engine):
            connection.exec_driver_sql("BEGIN")  # Python's sqlite3 begins none for SELECT
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


def _copy_rows(source: Engine, target: Engine) -> None:
    """Copy all tables; rows that have only a number get another one, to which nothing refers."""
    with _one_moment(source) as reading, target.begin() as writing:
        for table in Table.metadata.sorted_tables:
            columns = [c for c in table.columns if c is not table.autoincrement_column]
            wanted = select(*columns).order_by(*table.primary_key)
            found = reading.execute(wanted, execution_options={"yield_per": ROWS})
            for rows in found.mappings().partitions():
                writing.execute(insert(table), [dict(row) for row in rows])


def _save_files(data: Path, archive: zipfile.ZipFile, service: Engine, copy: Engine) -> Backup:
    """Save what the copied rows name; what is removed meanwhile is taken out of them."""
    there, copied = _stores(service), _stores(copy)
    gone, missing = set[tuple[str, str]](), list[str]()
    for kind, id, name in _files(copy):
        file = f"{kind}/{id}/{name}"
        try:
            archive.write(data / file, file)
        except FileNotFoundError:
            if there[kind].known([id]):
                missing.append(file)
            else:
                gone.add((kind, id))
    for kind, id in gone:
        copied[kind].remove(id)
    for name in LOGS:
        if (data / name).is_file():
            archive.write(data / name, name)
    return Backup(_count(copy), len(archive.namelist()), tuple(missing))


def _stores(engine: Engine) -> dict[str, Queue | Album]:
    """Who knows whether there is a job or a photograph, by the folders in which their files lie."""
    return {"jobs": Queue(engine, Bell()), "photographs": Album(engine)}


def _files(engine: Engine) -> Iterator[tuple[str, str, str]]:
    """Files that rows name: below which folder, of which job or photograph, and their own names."""
    with Session(engine) as session:
        jobs = session.scalars(select(Job).order_by(Job.created)).all()
        photographs = session.scalars(select(Photograph).order_by(Photograph.created)).all()
    for photograph in photographs:
        yield "photographs", photograph.id, photograph.name
    queue = Queue(engine, Bell())
    for job in jobs:
        for item in queue.each(job.id):
            if not job.rooted:
                yield "jobs", job.id, os.fsdecode(item.source)
            if item.result is not None:
                yield "jobs", job.id, item.result


def _is_empty(engine: Engine) -> bool:
    with engine.connect() as connection:
        tables = Table.metadata.sorted_tables
        return all(connection.execute(select(table).limit(1)).first() is None for table in tables)


def _count(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
