"""A run over many files: journals, processes, and an end that can come at any moment."""

import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from retint import predict
from retint.colorizer import Colorizer, Options
from retint.errors import OutputError
from retint.files import NO_ROOM, colorize_file, failed, remove_partial
from retint.journal import TOLD_ONLY, Journal, Receipt
from retint.pool import work_off
from retint.walk import Job


def run(
    jobs: Sequence[Job],
    options: Options,
    *,
    processes: int = 1,
    overwrite: bool = False,
    retry_failed: bool = False,
    dry_run: bool = False,
) -> Generator[Receipt]:
    """Do jobs, in that many processes, and yield their receipts as they come.

    Receipts are in the journals of the jobs' folders when they are yielded; which files are done
    already is read there. The pixels do not depend on `processes`. A process that dies costs the
    file it was at. retry_failed: do only what failed before. Close the iterator to stop: results
    are whole or not there.

    Raises OutputError for an only folder where another run is at work or that cannot be written,
    and when the disk is full; OptionsError, ModelError and DeviceError before anything is done.
    """
    folders = _Folders(jobs, dry_run=dry_run)
    borrowed = all(job.colours or job.problem for job in jobs)
    threads = max(1, predict.available_threads() // processes)
    start = partial(_start, options, borrowed, threads, overwrite, dry_run)
    with folders:
        tasks = folders.tasks(only_failed=retry_failed)
        if processes == 1:
            receipts = _here(start, tasks)
        else:
            receipts = work_off(start, tasks, processes, partial(_lost, options))
        try:
            for job, receipt in receipts:
                folders.file(job, receipt)
                yield receipt
                if receipt.reason.startswith(NO_ROOM):
                    raise OutputError(
                        f"{job.folder}: {NO_ROOM}; the same command takes the run up again"
                    )
        finally:
            receipts.close()  # ends the processes before the folders are tidied


def shortage(jobs: Sequence[Job]) -> str | None:
    """A warning where the disk has less room than the sources take that have no result yet."""
    wanted: Counter[int] = Counter()
    free: dict[int, int] = {}
    for job in jobs:
        with suppress(OSError):
            if not job.problem and not job.target.exists():
                folder = _nearest(job.folder)
                device = folder.stat().st_dev
                free.setdefault(device, shutil.disk_usage(folder).free)
                wanted[device] += job.source.stat().st_size
    for device, size in wanted.items():
        if size > free[device]:
            return (
                f"the photographs take {size / 1e9:.1f} GB, {free[device] / 1e9:.1f} GB are free"
                " for their results; the run will stop when the disk is full"
            )
    return None


Task = tuple[Job, Receipt | None]
"""A job and the newest receipt of its target."""

Done = tuple[Job, Receipt]


def _start(
    options: Options, borrowed: bool, threads: int, overwrite: bool, dry_run: bool
) -> Callable[[Task], Done]:
    """What a process does with its tasks; the model is loaded once."""
    colorizer = None
    if not borrowed:
        model = predict.load(options.model, device=options.device, threads=threads)
        colorizer = Colorizer(model, options)

    def work(task: Task) -> Done:
        job, earlier = task
        return job, colorize_file(
            job, colorizer, options, earlier=earlier, overwrite=overwrite, dry_run=dry_run
        )

    return work


def _here(start: Callable[[], Callable[[Task], Done]], tasks: Iterator[Task]) -> Generator[Done]:
    work = None
    for task in tasks:
        work = work or start()
        yield work(task)


def _lost(options: Options, task: Task, reason: str) -> Done:
    return task[0], failed(task[0], options, reason)


class _Folders:
    """The output folders of a run: each has its journal open from its first job to its last."""

    def __init__(self, jobs: Sequence[Job], *, dry_run: bool) -> None:
        self._jobs = jobs
        self._dry_run = dry_run
        self._left = Counter(job.folder for job in jobs)
        self._open: dict[Path, tuple[Journal, ExitStack]] = {}

    def tasks(self, *, only_failed: bool) -> Iterator[Task]:
        """Each job with the newest receipt of its target."""
        single = len(self._left) == 1
        for job in self._jobs:
            try:
                journal = self._journal(job.folder)
            except OutputError as error:
                if single:
                    raise
                yield replace(job, problem=job.problem or str(error)), None
                continue
            earlier = journal.find(job.target) or journal.find(job.copy)
            if only_failed and (earlier is None or earlier.status != "failed"):
                self._end(job.folder)
            else:
                yield job, earlier

    def file(self, job: Job, receipt: Receipt) -> None:
        """Put a receipt into the journal it belongs to."""
        if job.folder in self._open and not self._dry_run and receipt.status not in TOLD_ONLY:
            self._open[job.folder][0].append(receipt)
        self._end(job.folder)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        for folder in list(self._open):
            self._close(folder)

    def _journal(self, folder: Path) -> Journal:
        if folder not in self._open:
            journal, stack = Journal(folder), ExitStack()
            if not self._dry_run:
                stack.enter_context(journal)
                remove_partial(folder)  # of a run that was killed
                stack.callback(remove_partial, folder)
            self._open[folder] = journal, stack
        return self._open[folder][0]

    def _end(self, folder: Path) -> None:
        self._left[folder] -= 1
        if not self._left[folder] and folder in self._open:
            self._close(folder)

    def _close(self, folder: Path) -> None:
        self._open.pop(folder)[1].close()


def _nearest(folder: Path) -> Path:
    """The folder, or the first one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())
