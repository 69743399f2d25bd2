"""Who was asked what, and what they answered: an SQLite file in the study's folder."""

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from retint.errors import InputError, OutputError, RetintError
from retint.study.trials import Trial

SCHEMA = """
create table if not exists facts (name text primary key, value text not null);
create table if not exists judges (
    number integer primary key, id text not null unique, consented_at text not null
);
create table if not exists trials (
    id text primary key, judge integer not null references judges on delete cascade,
    place integer not null, role text not null, picture integer not null, shown text not null,
    choices text not null, looks integer not null default 0, unique (judge, place)
);
create table if not exists answers (
    trial text primary key references trials on delete cascade, answer text not null,
    exposures_ms text not null, reaction_ms real not null, given_by text not null,
    answered_at text not null
);
"""


@dataclass(frozen=True)
class Given:
    """An answer as the page sends it: times in milliseconds, `by` keys, touch or mouse."""

    answer: str
    exposures_ms: tuple[float, ...] = ()
    reaction_ms: float = 0.0
    by: str = ""


@dataclass(frozen=True)
class Asked:
    """A trial as it was put to a judge. `looks`: how often its pictures were shown."""

    id: str
    judge: int
    place: int
    trial: Trial
    looks: int = 0
    given: Given | None = None
    answered_at: str = ""


class Answers:
    """The answers of a study, to be used in `with`; any thread may call, and several processes.

    `readonly`: read what is there, also while a study goes on; InputError where nothing is. Raises
    OutputError where answers cannot be kept.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path = path
        self._readonly = readonly
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> "Answers":
        if self._readonly and not self.path.is_file():
            raise InputError(f"{self.path}: nobody was asked anything yet")
        try:
            self._connection = sqlite3.connect(
                self.path, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("pragma foreign_keys = on")
            if not self._readonly:
                self._connection.execute("pragma journal_mode = wal")
                self._connection.execute("pragma synchronous = full")
                self._connection.execute("pragma secure_delete = on")  # withdrawn is gone
                self._connection.executescript(SCHEMA)
        except sqlite3.Error as error:
            self._close()
            raise self._wrong(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def fact(self, name: str, value: str | None = None) -> str | None:
        """What is noted under a name; `value` is noted first where nothing was."""
        with self._transaction() as tell:
            if value is not None:
                tell("insert or ignore into facts values (?, ?)", (name, value))
            found = tell("select value from facts where name = ?", (name,)).fetchone()
        return found and found[0]

    def enrol(self, plan: Callable[[int], Sequence[Trial]]) -> str:
        """Begin with a new judge, whose trials `plan(number)` gives; the judge's secret id.

        The number is the lowest that nobody has, so that what a judge withdrew is asked again.
        """
        secret = secrets.token_urlsafe(18)
        with self._transaction() as tell:
            taken = {number for (number,) in tell("select number from judges")}
            number = next(n for n in range(len(taken) + 1) if n not in taken)
            tell("insert into judges values (?, ?, ?)", (number, secret, _now()))
            for place, trial in enumerate(plan(number)):
                tell(
                    "insert into trials (id, judge, place, role, picture, shown, choices) "
                    "values (?, ?, ?, ?, ?, ?, ?)",
                    (
                        secrets.token_urlsafe(9),
                        number,
                        place,
                        trial.role,
                        trial.picture,
                        json.dumps(trial.shown),
                        json.dumps(trial.choices),
                    ),
                )
        return secret

    def judge(self, secret: str) -> int | None:
        """The number of the judge with this id."""
        with self._transaction() as tell:
            found = tell("select number from judges where id = ?", (secret,)).fetchone()
        return found[0] if found else None

    def asked(self, judge: int | None = None) -> list[Asked]:
        """All that a judge, or all judges, are asked, in order, with what they answered so far."""
        with self._transaction() as tell:
            rows = tell(
                "select id, judge, place, role, picture, shown, choices, looks, answer, "
                "exposures_ms, reaction_ms, given_by, answered_at "
                "from trials left join answers on trial = id "
                "where ?1 is null or judge = ?1 order by judge, place",
                (judge,),
            ).fetchall()
        return [_asked(row) for row in rows]

    def look(self, trial: str) -> None:
        """Note that the pictures of a trial are about to be shown."""
        with self._transaction() as tell:
            tell("update trials set looks = looks + 1 where id = ?", (trial,))

    def keep(self, trial: str, given: Given) -> bool:
        """Keep an answer; the first one stays, and it is on the disk on return. Was it this one?"""
        with self._transaction() as tell:
            cursor = tell(
                "insert or ignore into answers values (?, ?, ?, ?, ?, ?)",
                (
                    trial,
                    given.answer,
                    json.dumps(given.exposures_ms),
                    given.reaction_ms,
                    given.by,
                    _now(),
                ),
            )
            return cursor.rowcount == 1

    def finished(self) -> int:
        """How many judges have answered everything."""
        with self._transaction() as tell:
            return tell(
                "select count(*) from judges where not exists (select 1 from trials "
                "where judge = number and id not in (select trial from answers))"
            ).fetchone()[0]

    def withdraw(self, judge: int) -> None:
        """Delete a judge with all answers."""
        with self._transaction() as tell:
            tell("delete from judges where number = ?", (judge,))
        with self._one_at_a_time:  # out of the log too, not only out of the tables
            self._connection.execute("pragma wal_checkpoint(truncate)")

    @contextmanager
    def _transaction(self) -> Generator[Any]:
        """One transaction, whole or not at all."""
        with self._one_at_a_time:
            try:
                self._connection.execute("begin" if self._readonly else "begin immediate")
                try:
                    yield self._connection.execute
                    self._connection.execute("commit")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("rollback")
                    raise
            except sqlite3.Error as error:
                raise self._wrong(error) from error

    def _wrong(self, error: sqlite3.Error) -> RetintError:
        kind = InputError if self._readonly else OutputError
        return kind(f"{self.path}: {error}")

    def _close(self) -> None:
        if connection := getattr(self, "_connection", None):
            connection.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _asked(row: Sequence[Any]) -> Asked:
    id, judge, place, role, picture, shown, choices, looks, answer, exposures, ms, by, when = row
    trial = Trial(role, picture, tuple(json.loads(shown)), tuple(json.loads(choices)))
    if answer is None:
        return Asked(id, judge, place, trial, looks)
    given = Given(answer, tuple(json.loads(exposures)), ms, by)
    return Asked(id, judge, place, trial, looks, given, when)
