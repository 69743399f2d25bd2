"""What the commands about corpora share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from retint.data.manifest import Manifest

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
"""A folder that has to be there."""


def manifest_of(corpus: Path) -> "Manifest":
    """The manifest of a corpus, or one of the pictures that lie in the folder."""
    from retint.data.corpus import Corpus
    from retint.data.manifest import NAME, Manifest

    path = corpus / NAME
    return Manifest.read(path) if path.is_file() else Manifest(Corpus(corpus).entries)


def share(number: int, of: int) -> str:
    """A number and its share in per cent."""
    return f"{number} ({100 * number / max(1, of):.1f} %)"


def threads() -> int:
    """Threads that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
