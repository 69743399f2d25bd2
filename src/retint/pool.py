"""A pool of processes in which one that dies costs only the item it was working on."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from retint.errors import RetintError

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_off(
    start: Callable[[], Callable[[Item], Result]],
    items: Iterable[Item],
    processes: int,
    lost: Callable[[Item, str], Result],
) -> Generator[Result]:
    """Results of `start()(item)`, as they come, from that many processes.

    `start` runs once in each new process; an exception of it is raised here. A process that dies
    (killed for its memory, say) is replaced, and `lost(item, reason)` stands in for its result.
    Processes are spawned: `start`, items and results are pickled. When the iterator is closed, by
    Ctrl-C too, the processes are killed at once.
    """
    waiting = iter(items)
    following = next(waiting, None)
    workers: list[Worker[Item, Result]] = []
    try:
        while workers or following is not None:
            # one more each time round, so that the first is at work while the next ones start
            if following is not None and len(workers) < processes:
                workers.append(Worker(start, following))
                following = next(waiting, None)
            room = following is not None and len(workers) < processes
            for connection in wait([w.connection for w in workers], timeout=0 if room else None):
                worker = next(w for w in workers if w.connection is connection)
                try:
                    result = worker.receive()
                except EOFError:
                    workers.remove(worker)
                    yield lost(worker.item, worker.end())
                    continue
                if following is None:
                    workers.remove(worker)
                    worker.end()
                else:
                    worker.send(following)
                    following = next(waiting, None)
                yield result
    finally:
        for worker in workers:
            worker.kill()


class Worker(Generic[Item, Result]):
    """A process and the item it is at; `start` and `item` as for `work_off`."""

    def __init__(self, start: Callable[[], Callable[[Item], Result]], item: Item) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, start), daemon=True
        )
        with _interrupts_wait():
            self.process.start()
        theirs.close()  # or its end would stay open when the process dies
        self.send(item)

    def send(self, item: Item) -> None:
        """Give it the next item, once it has given the result of the last."""
        self.item = item
        with suppress(BrokenPipeError):  # it died while idle: the next receive tells
            self.connection.send(item)

    def receive(self) -> Result:
        """The result; raises what `start` raised, EOFError where the process died."""
        try:
            error, result = self.connection.recv()
        except OSError as broken:
            raise EOFError from broken
        if error is not None:
            raise error
        return result

    def end(self) -> str:
        """Wait for the process to end and say how it ended."""
        self.connection.close()
        self.process.join()
        code = self.process.exitcode or 0
        if code == -signal.SIGTERM or code == -getattr(signal, "SIGKILL", 9):
            return "its process was killed, for want of memory perhaps"
        return f"its process crashed (exit code {code})"

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self.connection.close()


@contextmanager
def _interrupts_wait() -> Generator[None]:
    """Let Ctrl-C and SIGTERM wait, and keep SIGINT from processes started meanwhile for good.

    A process whose start is cut short complains of it; and Ctrl-C reaches the whole process group,
    but the parent alone decides what it means.
    """
    arrived: list[int] = []
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # where Python handles signals
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda number, _: arrived.append(number))
    mask = None
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # it lets signals through again when it first starts
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in arrived:
            signal.raise_signal(number)


def _serve(connection: Connection, start: Callable[[], Callable[[Any], Any]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it was not blocked from the start
    try:
        work = start()
    except RetintError as error:
        connection.send((error, None))
        return
    with suppress(EOFError, BrokenPipeError):  # the parent has no more work, or is gone
        while True:
            connection.send((None, work(connection.recv())))
