"""Where a service keeps what it knows: options of several commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def with_place(command: F) -> F:
    """Decorate a click command with --data and --db."""
    db = click.option(
        "--db", default="", metavar="URL",
        help="The database, as sqlite:///FILE or postgresql://USER@HOST/NAME [a file in DATA].",
    )  # fmt: skip
    data = click.option(
        "--data", type=click.Path(file_okay=False, path_type=Path),
        default=Path("retint-service"), show_default=True, metavar="DATA",
        help="Folder for the database, uploads and results.",
    )  # fmt: skip
    return data(db(command))
