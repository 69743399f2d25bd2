"""A database opened: made where there is none, brought up to date where it is old."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from retint.errors import OutputError
from retint.serve.store.tables import Table

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        "ALTER TABLE keys ADD COLUMN rate FLOAT",
        "ALTER TABLE keys ADD COLUMN concurrency INTEGER",
        "ALTER TABLE items ADD COLUMN options JSON",
        "ALTER TABLE items ADD COLUMN hints JSON",
        """CREATE TABLE photographs (
            id VARCHAR NOT NULL PRIMARY KEY, key VARCHAR NOT NULL, name VARCHAR NOT NULL,
            size INTEGER NOT NULL, facts JSON NOT NULL, created FLOAT NOT NULL,
            expires FLOAT NOT NULL
        )""",
    ),
)
"""Statements that lead from one version of the tables to the next; the first from 1 to 2.

In SQL that SQLite and PostgreSQL both read. A migration is never changed after a release.
"""

_LOCK = 0x726574696E74  # "retint": servers that start together migrate one after the other


def open_database(url: str) -> Engine:
    """Connect to a database, with its tables as this version knows them.

    An older one is migrated, all of it or not at all. Raises OutputError where it cannot be
    reached, or is of a newer version.
    """
    try:
        address = make_url(url)
        engine = _engine(address)
        try:
            with engine.begin() as connection:
                _bring_up_to_date(connection)
        except BaseException:
            engine.dispose()
            raise
    except ArgumentError:
        raise OutputError(
            "the database's URL is none: sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    except ModuleNotFoundError as error:
        raise OutputError(
            f"this database needs {error.name}: pip install 'retint[postgresql]'"
        ) from None
    except (SQLAlchemyError, OSError) as error:
        words = str(getattr(error, "orig", None) or error).splitlines()[0]
        shown = make_url(url).render_as_string(hide_password=True)
        raise OutputError(f"{shown}: cannot be opened ({words})") from error
    return engine


def is_embedded(engine: Engine) -> bool:
    """Whether the database is a file of this server's own."""
    return engine.dialect.name == "sqlite"


def _engine(address: URL) -> Engine:
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_size=20, max_overflow=40, pool_pre_ping=True)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, pool_size=20, max_overflow=40, connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """What is committed is on the disk, and readers do not wait for writers."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _bring_up_to_date(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's sqlite3 begins none for DDL
    newest = 1 + len(MIGRATIONS)
    if not inspect(connection).has_table("version"):
        Table.metadata.create_all(connection)
        connection.execute(text("CREATE TABLE version (number INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO version VALUES (:new)"), {"new": newest})
        return
    found: int = connection.execute(text("SELECT number FROM version")).scalar_one()
    if found > newest:
        raise OutputError(
            f"the database is of version {found}, written by a newer retint; this one knows"
            f" version {newest}"
        )
    for statements in MIGRATIONS[found - 1 :]:
        for statement in statements:
            connection.execute(text(statement))
    if found < newest:
        connection.execute(text("UPDATE version SET number = :new"), {"new": newest})
