"""API keys: given out once, kept as hashes, revoked at once."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from retint.serve.store.tables import Key

PREFIX = "retint"


def add(
    engine: Engine, name: str, rate: float | None = None, concurrency: int | None = None
) -> str:
    """Make a key for someone, with limits of its own. It is returned, and can never be read again.

    rate: requests a minute. concurrency: requests at once. 0: any number; None: as the house says.
    """
    id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    with Session(engine) as session, session.begin():
        session.add(Key(id=id, name=name, sha256=_hash(secret), rate=rate, concurrency=concurrency))
    return f"{PREFIX}_{id}_{secret}"


def check(engine: Engine, key: str) -> Key | None:
    """What is known of a key that is valid; None for any other words."""
    prefix, _, rest = key.partition("_")
    id, _, secret = rest.partition("_")
    with Session(engine) as session:
        known = session.get(Key, id) if prefix == PREFIX else None
    if known is None or known.revoked is not None:
        return None
    return known if hmac.compare_digest(known.sha256, _hash(secret)) else None


def every(engine: Engine) -> Sequence[Key]:
    """All keys, the oldest first."""
    with Session(engine) as session:
        return session.scalars(select(Key).order_by(Key.created)).all()


def revoke(engine: Engine, id: str) -> bool:
    """Make a key invalid for ever; whether there was one that was valid."""
    with Session(engine) as session, session.begin():
        revoked = session.scalar(
            update(Key).where(Key.id == id, Key.revoked.is_(None))
            .values(revoked=time.time()).returning(Key.id)
        )  # fmt: skip
    return revoked is not None


def _hash(secret: str) -> str:
    """Of 256 random bits, which nobody can guess: a slow hash would protect no better."""
    return hashlib.sha256(secret.encode()).hexdigest()
