"""The folder that a source is fetched into: made where it is not, and for one run at a time."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from retint.errors import OutputError
from retint.lines import lock


@contextmanager
def alone_in(folder: Path) -> Generator[None]:
    """Make the folder and keep other runs out of it; OutputError where either cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".fetching").open("a") as file:
            lock(file.fileno())
            yield
    except BlockingIOError:
        raise OutputError(f"{folder}: another run is fetching into it") from None
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: {error.strerror or error}") from None
