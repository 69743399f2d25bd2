"""What nobody needs any more is removed: jobs whose time is over, folders without a job."""

import shutil
import time

from retint.serve.queue import Queue
from retint.serve.settings import Settings

ORPHANED = 3600.0  # seconds after which a folder without a job is no upload that is under way


def remove(settings: Settings, queue: Queue, job: str) -> None:
    """Remove a job and its files."""
    queue.remove(job)
    shutil.rmtree(settings.folder(job), ignore_errors=True)


def sweep(settings: Settings, queue: Queue) -> None:
    """Remove jobs that have expired, and what killed servers and removed jobs have left."""
    for job in queue.expired():
        remove(settings, queue, job)
    before = time.time() - ORPHANED
    old = [path for path in settings.jobs.iterdir() if path.stat().st_mtime < before]
    known = queue.known([path.name for path in old])
    for path in old:
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)
