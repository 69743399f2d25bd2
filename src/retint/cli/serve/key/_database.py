"""The database in which a service's keys are, and the log of what was done to them."""

import getpass
import os
import sys
from pathlib import Path

from sqlalchemy import Engine

from retint.serve.entrance import audit
from retint.serve.settings import Settings
from retint.serve.store.database import open_database


def record(data: Path, did: str, to: str) -> None:
    """Write into the service's audit log what was done to a key, and by whom on this machine."""
    data.mkdir(parents=True, exist_ok=True)
    audit.record(data, did, to, user=_user())


def opened(data: Path, db: str) -> Engine:
    """The database of the service that is run with the same options."""
    return open_database(Settings(data=data, db=db).url)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number only
        return str(os.getuid()) if sys.platform != "win32" else ""
