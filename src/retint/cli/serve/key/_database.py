"""The database in which a service's keys are."""

from pathlib import Path

from sqlalchemy import Engine

from retint.serve.database import open_database
from retint.serve.settings import Settings


def opened(data: Path, db: str) -> Engine:
    """The database of the service that is run with the same options."""
    return open_database(Settings(data=data, db=db).url)
