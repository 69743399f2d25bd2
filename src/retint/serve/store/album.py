"""Kept photographs: rows of the database and files beside it."""

import time
from collections.abc import Sequence

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from retint.serve.store.tables import Photograph

REFRESH = 60.0  # seconds by which a photograph's time must grow to be written anew


class Album:
    """The photographs that are kept to be looked at; each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, photograph: Photograph) -> None:
        """Keep one more."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.add(photograph)

    def find(self, id: str, keep: float) -> Photograph | None:
        """A photograph, which is kept for `keep` seconds more; None where there is none."""
        now = time.time()
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            found = session.get(Photograph, id)
            if found is None or found.expires < now:
                return None
            if found.expires < now + keep - min(REFRESH, keep / 2):
                session.execute(
                    update(Photograph).where(Photograph.id == id).values(expires=now + keep)
                )
            return found

    def remove(self, id: str) -> None:
        """Forget one."""
        with Session(self.engine) as session, session.begin():
            session.execute(delete(Photograph).where(Photograph.id == id))

    def expired(self) -> list[str]:
        """Ids of those that nobody has looked at for long enough."""
        with Session(self.engine) as session:
            wanted = select(Photograph.id).where(Photograph.expires < time.time())
            return list(session.scalars(wanted))

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of these ids that are photographs."""
        with Session(self.engine) as session:
            return {id for id in ids if session.get(Photograph, id) is not None}

    def usage(self) -> int:
        """Bytes that they take."""
        with Session(self.engine) as session:
            return int(session.scalar(select(func.sum(Photograph.size))) or 0)
