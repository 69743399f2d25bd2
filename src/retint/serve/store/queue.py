"""The queue: rows of the database, leased to who works on them. Its rows are the only truth."""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retint.journal import Receipt
from retint.serve.store.bell import WORK, Bell
from retint.serve.store.tables import RUNNING, WAITING, Item, Job, Photograph


@dataclass(frozen=True)
class Task:
    """A photograph that was leased, and how it is to be coloured."""

    item: Item
    options: Mapping[str, Any]
    hints: Sequence[Mapping[str, float]]
    rooted: bool


class Queue:
    """Jobs and their photographs, in a database that several servers may share.

    Every method is one transaction: what it did is on the disk when it returns, or was not done.
    """

    def __init__(self, engine: Engine, bell: Bell) -> None:
        self.engine = engine
        self.bell = bell

    def _session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    def add(self, job: Job, items: Sequence[Item]) -> Job:
        """Take work on; the job that has the key's token already, where there is one."""
        with self._session() as session:
            session.add(job)
            try:
                session.flush()
                session.add_all(items)
                session.commit()
            except IntegrityError:
                session.rollback()
                known = self.by_token(job.key, job.token)
                if known is None:
                    raise
                return known
        self.bell.ring(WORK)
        return job

    def lease(self, seconds: float) -> Task | None:
        """Take the next photograph: one that waits, or whose worker gave no sign of life in time.

        Urgent ones come first, then the first of each job before the second of any, so that a small
        job does not wait for a large one. It is ours for that many seconds.
        """
        now = time.time()
        lapsed = and_(Item.state == RUNNING, Item.leased_until < now)
        following = (
            select(Item.id)
            .join(Job)
            .where(or_(Item.state == WAITING, lapsed))
            .where(or_(Job.expires.is_(None), Job.expires > now))
            .order_by(Job.urgent.desc(), Item.number, Item.id)
            .limit(1)
            .with_for_update(of=Item, skip_locked=True)
        )
        with self._session() as session, session.begin():
            item = session.scalar(
                update(Item)
                .where(Item.id == following.scalar_subquery())
                .values(
                    state=RUNNING, attempts=Item.attempts + 1,
                    lease=secrets.token_hex(8), leased_until=now + seconds,
                )
                .returning(Item)
            )  # fmt: skip
            job = None if item is None else session.get(Job, item.job)
        return None if item is None or job is None else _task(item, job)

    def extend(self, item: Item, seconds: float) -> bool:
        """Give a sign of life; whether the photograph is still ours."""
        return self._change(item, leased_until=time.time() + seconds)

    def give_back(self, item: Item, *, died: bool) -> bool:
        """Let another worker have it. died: a process died at it."""
        changed = self._change(
            item, state=WAITING, lease=None, leased_until=None, deaths=Item.deaths + int(died)
        )
        self.bell.ring(WORK)
        return changed

    def finish(
        self, item: Item, receipt: Receipt, result: str | None, size: int, keep: float
    ) -> bool:
        """Publish what became of a photograph, once; whether it was still ours to say.

        result: where that lies below the job's folder. keep: for so many seconds after its last
        photograph the job stays.
        """
        with self._session() as session:
            # the job's row first: all who change both take them in this order
            counts = session.execute(
                update(Job).where(Job.id == item.job).values(ended=Job.ended + 1)
                .returning(Job.ended, Job.total)
            ).first()  # fmt: skip
            if counts is None:
                return False
            ended = session.scalar(
                update(Item)
                .where(Item.id == item.id, Item.lease == item.lease)
                .values(
                    state=receipt.status, ended=counts.ended, receipt=receipt.to_json(),
                    result=result, result_size=size, lease=None, leased_until=None,
                )
                .returning(Item.id)
            )  # fmt: skip
            if ended is None:
                session.rollback()
                return False
            if counts.ended == counts.total:
                session.execute(
                    update(Job).where(Job.id == item.job, Job.expires.is_(None))
                    .values(expires=time.time() + keep)
                )  # fmt: skip
            session.commit()
        self.bell.ring(item.job)
        return True

    def release_all(self) -> None:
        """End every lease; for a server that starts alone on its database."""
        with self._session() as session, session.begin():
            session.execute(
                update(Item).where(Item.state == RUNNING)
                .values(state=WAITING, lease=None, leased_until=None)
            )  # fmt: skip

    def remove(self, job: str) -> None:
        """Forget a job; whoever works on it will find that it is no longer theirs."""
        with self._session() as session, session.begin():
            session.execute(delete(Job).where(Job.id == job))
        self.bell.ring(job)

    def job(self, id: str) -> Job | None:
        """A job by its id."""
        with self._session() as session:
            return session.get(Job, id)

    def by_token(self, key: str, token: str | None) -> Job | None:
        """The job that a key's holder gave this token."""
        with self._session() as session:
            return session.scalar(select(Job).where(Job.key == key, Job.token == token))

    def items(self, job: str, begin: int = 0, count: int | None = None) -> list[Item]:
        """Photographs of a job in their order, from number `begin`."""
        wanted = select(Item).where(Item.job == job, Item.number >= begin)
        with self._session() as session:
            return list(session.scalars(wanted.order_by(Item.number).limit(count)))

    def each(self, job: str) -> Iterator[Item]:
        """All photographs of a job in their order, a few at a time."""
        begin = 1
        while items := self.items(job, begin, 500):
            yield from items
            begin = items[-1].number + 1

    def ended_after(self, job: str, ended: int, count: int = 100) -> list[Item]:
        """Photographs of a job that ended after the first `ended` of them, in that order."""
        wanted = select(Item).where(Item.job == job, Item.ended > ended)
        with self._session() as session:
            return list(session.scalars(wanted.order_by(Item.ended).limit(count)))

    def states(self, job: str | None = None) -> dict[str, int]:
        """How many photographs are in which state, of a job or of all."""
        wanted = select(Item.state, func.count()).group_by(Item.state)
        if job is not None:
            wanted = wanted.where(Item.job == job)
        with self._session() as session:
            return {str(row[0]): int(row[1]) for row in session.execute(wanted)}

    def usage(self) -> int:
        """Bytes that uploads, results and kept photographs take."""
        with self._session() as session:
            items = session.scalar(select(func.sum(Item.size + Item.result_size)))
            kept = session.scalar(select(func.sum(Photograph.size)))
        return int(items or 0) + int(kept or 0)

    def expired(self) -> list[str]:
        """Ids of the jobs whose time is over."""
        with self._session() as session:
            return list(session.scalars(select(Job.id).where(Job.expires < time.time())))

    def known(self, jobs: Sequence[str]) -> set[str]:
        """Those of these ids that are jobs."""
        with self._session() as session:
            return {id for id in jobs if session.get(Job, id) is not None}

    def _change(self, item: Item, **values: Any) -> bool:
        """Change a photograph that is leased to us, if it still is."""
        with self._session() as session, session.begin():
            changed = session.scalar(
                update(Item)
                .where(Item.id == item.id, Item.lease == item.lease)
                .values(**values)
                .returning(Item.id)
            )
        return changed is not None


def _task(item: Item, job: Job) -> Task:
    hints = job.hints if item.hints is None else item.hints
    return Task(item, {**job.options, **(item.options or {})}, hints, job.rooted)
