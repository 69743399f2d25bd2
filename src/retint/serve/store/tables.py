"""The tables: jobs, their photographs, those to be looked at, API keys. Times: s since 1970."""

import time
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

WAITING, RUNNING = "waiting", "running"
"""States of a photograph that has no receipt; afterwards its state is the receipt's status."""


class Table(DeclarativeBase):
    """Where SQLAlchemy collects the tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy wants it so
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        bytes: LargeBinary,
    }


class Job(Table):
    """Work that was accepted at once: photographs, and how they are to be coloured.

    `key` is the id of the API key it came with, or empty; `token` the client's own name for it
    (Idempotency-Key). urgent: somebody waits for the answer. rooted: its photographs lie below the
    root, not in its folder. It has ended when `ended`, of its photographs, is `total`.
    """

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("key", "token"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(default="")
    token: Mapped[str | None]
    urgent: Mapped[bool] = mapped_column(default=False)
    rooted: Mapped[bool] = mapped_column(default=False)
    options: Mapped[dict[str, Any]]
    hints: Mapped[list[Any]]
    total: Mapped[int]
    ended: Mapped[int] = mapped_column(default=0)
    created: Mapped[float] = mapped_column(default=time.time)
    expires: Mapped[float | None]


class Item(Table):
    """One photograph of a job, and what became of it.

    `source` is its path below the job's folder or the root, as the disk has it; `name`, `target`
    and `copy` are what it and its results are called. A worker that has it holds the `lease`;
    without a sign of life it ends at `leased_until`. `attempts` counts leases, `deaths` processes
    that died at it. `ended` is its place in the order in which the job's photographs ended;
    `result` the result's path below the job's folder. `options` and `hints`: where they differ from
    the job's.
    """

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("job", "number"),
        UniqueConstraint("job", "ended"),
        Index("items_in_turn", "state", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    number: Mapped[int]
    name: Mapped[str]
    source: Mapped[bytes]
    target: Mapped[str]
    copy: Mapped[str]
    problem: Mapped[str] = mapped_column(default="")
    options: Mapped[dict[str, Any] | None]
    hints: Mapped[list[Any] | None]
    size: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default=WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    deaths: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None]
    leased_until: Mapped[float | None]
    ended: Mapped[int | None]
    receipt: Mapped[str | None]
    result: Mapped[str | None]
    result_size: Mapped[int] = mapped_column(default=0)


class Photograph(Table):
    """A photograph that is kept to be looked at, until `expires`.

    `key` is the id of the API key it came with, or empty; `name` is also that of its file; `facts`
    are what was found out when it was opened.
    """

    __tablename__ = "photographs"

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(default="")
    name: Mapped[str]
    size: Mapped[int]
    facts: Mapped[dict[str, Any]]
    created: Mapped[float] = mapped_column(default=time.time)
    expires: Mapped[float]


class Key(Table):
    """An API key: its secret half is here as a hash only.

    rate, concurrency: its own limits, 0 for none; None where the house's hold.
    """

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str]
    created: Mapped[float] = mapped_column(default=time.time)
    rate: Mapped[float | None]
    concurrency: Mapped[int | None]
    revoked: Mapped[float | None]
