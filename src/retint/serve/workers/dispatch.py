"""Workers led: each thread leases a photograph, hands it to its process and publishes the result.

A process that dies costs the photograph it was at one try, and nothing else. This side holds the
database; a process that decodes what strangers sent holds nothing.
"""

import logging
import os
import shutil
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from retint import predict, walk
from retint.colorizer import Hint, Options
from retint.files import NO_MEMORY, NO_ROOM, failed
from retint.journal import Receipt
from retint.pool import Worker
from retint.serve.meters import Meters
from retint.serve.settings import Settings
from retint.serve.store.bell import WORK
from retint.serve.store.queue import Queue, Task
from retint.serve.workers import work
from retint.serve.workers.work import Work

MOST_DEATHS = 3  # of processes at one photograph
MOST_ATTEMPTS = 20  # the other ones ended with the whole server, perhaps for this photograph
IDLE = 1.0  # seconds between looks at the database where nobody rings

log = logging.getLogger(__name__)

Process = Worker[Work | None, Receipt | None]


class Dispatcher:
    """Colours what waits in the queue, in as many processes as the settings say, until stopped."""

    def __init__(self, settings: Settings, queue: Queue, meters: Meters) -> None:
        self.settings, self.queue, self.meters = settings, queue, meters
        threads = max(1, predict.available_threads() // max(1, settings.workers))
        self._begin = partial(
            work.start, dict(settings.models), settings.device, threads, settings.bounds
        )
        self._stopping = threading.Event()
        self._ready: set[int] = set()
        self._threads = [
            threading.Thread(target=self._lead, args=(slot,), name=f"worker {slot}", daemon=True)
            for slot in range(settings.workers)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what has begun, and begin nothing new."""
        self._stopping.set()
        self.queue.bell.ring(WORK)
        for thread in self._threads:
            thread.join()

    def is_ready(self) -> bool:
        """Whether a process waits with its model loaded, or is at work."""
        return bool(self._ready) or not self._threads

    def _lead(self, slot: int) -> None:
        """A thread's life: a process at its side, replaced when it dies."""
        woken = threading.Event()
        process: Process | None = None
        with self.queue.bell.waking(WORK, woken.set):
            while not self._stopping.is_set():
                try:
                    process = process or self._new_process()
                    self._ready.add(slot)
                    woken.clear()
                    task = self.queue.lease(self.settings.lease)
                    if task is None:
                        woken.wait(IDLE)
                    elif not self._do(task, process):
                        process = None
                except Exception:  # the database is away, say: the lease ends by itself
                    log.exception("worker %d", slot)
                    if process is not None:
                        process.kill()  # it may be at work, and its answer would be another's
                        process = None
                    self._stopping.wait(IDLE)
                if process is None:
                    self._ready.discard(slot)
        if process is not None:
            process.kill()

    def _new_process(self) -> Process:
        process: Process = Process(self._begin, None)
        process.receive()
        return process

    def _do(self, task: Task, process: Process) -> bool:
        """Have a photograph coloured; whether the process is still there afterwards."""
        folder = self._folder(task)
        room = self.settings.quota - self.queue.usage()
        asked = _work(task, self.settings, folder, room)
        if task.item.attempts > MOST_ATTEMPTS:
            reason = f"was begun {MOST_ATTEMPTS} times and never ended"
            self._publish(task, failed(asked.job, asked.options, reason), folder)
            return True
        if room <= 0:
            reason = f"{NO_ROOM}: the quota is used up"
            self._publish(task, failed(asked.job, asked.options, reason), folder)
            return True
        process.send(asked)
        begin = time.monotonic()
        while not process.connection.poll(self.settings.lease / 3):
            if time.monotonic() - begin > self.settings.limit:
                process.kill()
                reason = f"took longer than {self.settings.limit:g} s"
                self._publish(task, failed(asked.job, asked.options, reason), folder)
                return False
            if not self.queue.extend(task.item, self.settings.lease):
                process.kill()  # the job was removed: nobody will read its result
                shutil.rmtree(folder, ignore_errors=True)
                return False
        try:
            receipt = process.receive()
        except EOFError:
            reason = process.end()
            shutil.rmtree(folder, ignore_errors=True)
            if task.item.deaths + 1 < MOST_DEATHS:
                self.queue.give_back(task.item, died=True)
            else:
                self._publish(task, failed(asked.job, asked.options, reason), folder)
            return False
        assert receipt is not None
        self._publish(task, receipt, folder)
        if receipt.reason == NO_MEMORY:  # what it has taken it would not give back
            process.kill()
            return False
        return True

    def _publish(self, task: Task, receipt: Receipt, folder: Path) -> None:
        """Write down what became of it; what nobody will read is removed."""
        item, result, size = task.item, None, 0
        if receipt.status in ("done", "copied"):
            path = Path(receipt.target)
            result = path.relative_to(self.settings.folder(item.job)).as_posix()
            size = path.stat().st_size
        told = _renamed(receipt, task, folder)
        ours = self.queue.finish(item, told, result, size, self.settings.keep)
        if not ours:
            shutil.rmtree(folder, ignore_errors=True)
            return
        self.meters.ended(told)
        for attempt in folder.parent.glob(f"{item.number}-*"):
            if result is None or attempt != folder:  # what killed servers left
                shutil.rmtree(attempt, ignore_errors=True)

    def _folder(self, task: Task) -> Path:
        """Where this attempt writes: no other one does, so none can spoil another's result."""
        item = task.item
        return self.settings.folder(item.job) / f"{item.number}-{item.attempts}"


def _work(task: Task, settings: Settings, folder: Path, room: int) -> Work:
    item = task.item
    base = settings.root if task.rooted and settings.root else settings.folder(item.job)
    job = walk.Job(
        source=base / os.fsdecode(item.source),
        target=folder / f"result{Path(item.target).suffix}",
        copy=folder / f"copy{Path(item.copy).suffix}",
        folder=folder,
        hints=tuple(Hint(**hint) for hint in task.hints),
        problem=item.problem,
    )
    options = Options.from_dict({**task.options, "device": settings.device})
    return Work(job, options, room)


def _renamed(receipt: Receipt, task: Task, folder: Path) -> Receipt:
    """The receipt with the client's names in place of this machine's."""
    item = task.item
    target = item.copy if receipt.status == "copied" else item.target
    reason = receipt.reason
    for path, name in ((receipt.target, target), (receipt.source, item.name), (str(folder), "")):
        reason = reason.replace(path, name)
    return replace(receipt, source=item.name, target=target, reason=reason)
