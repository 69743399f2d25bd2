"""What nobody needs any more is removed: jobs whose time is over, folders without a job."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from retint.serve.settings import Settings
from retint.serve.store.album import Album
from retint.serve.store.queue import Queue

ORPHANED = 3600.0  # seconds after which a folder without a job is no upload that is under way


def remove(settings: Settings, queue: Queue, job: str) -> None:
    """Remove a job and its files."""
    queue.remove(job)
    shutil.rmtree(settings.folder(job), ignore_errors=True)


def forget(settings: Settings, album: Album, id: str) -> None:
    """Remove a kept photograph and its file."""
    album.remove(id)
    shutil.rmtree(settings.photographs / id, ignore_errors=True)


@dataclass(frozen=True)
class Swept:
    """Ids of what had expired."""

    jobs: Sequence[str]
    photographs: Sequence[str]


def sweep(settings: Settings, queue: Queue, album: Album) -> Swept:
    """Remove what has expired, and what killed servers and removed jobs have left."""
    swept = Swept(queue.expired(), album.expired())
    for job in swept.jobs:
        remove(settings, queue, job)
    for photograph in swept.photographs:
        forget(settings, album, photograph)
    _sweep(settings.jobs, queue.known)
    _sweep(settings.photographs, album.known)
    return swept


def _sweep(folder: Path, known_of: Callable[[Sequence[str]], set[str]]) -> None:
    before = time.time() - ORPHANED
    old = [path for path in folder.iterdir() if path.stat().st_mtime < before]
    known = known_of([path.name for path in old])
    for path in old:
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)
