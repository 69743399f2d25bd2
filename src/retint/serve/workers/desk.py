"""The desk: photographs that somebody looks at, in processes of their own beside the workers.

Somebody waits for each answer, so that nothing is begun for those who have gone, and a process
that dies, hangs or grows is replaced at once. What it knew is found out again.
"""

import asyncio
import logging
import threading
import zlib
from functools import partial
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from retint import predict
from retint.files import NO_MEMORY
from retint.pool import Worker
from retint.serve.problems import Problem
from retint.serve.settings import Settings
from retint.serve.workers import looking
from retint.serve.workers.looking import Question, Refused

log = logging.getLogger(__name__)

Process = Worker[Question | None, Any]


class Desk:
    """Answers questions about kept photographs, one after the other, in `desks` processes.

    They are started when they are first needed. Each photograph is the same process's, which keeps
    it open.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._seats = [_Seat(settings) for _ in range(settings.desks)]

    async def ask(self, request: Request, question: Question, name: str) -> Any:
        """The answer, when its turn comes. name: what the photograph is called in problems.

        Raises Problem where there is none, where it takes too long, or where the client has left
        before it was begun.
        """
        if not self._seats:
            raise Problem(503, "This service keeps no photographs to look at.")
        seat = self._seats[zlib.crc32(bytes(question.path)) % len(self._seats)]
        try:
            async with asyncio.timeout(self.settings.patience):
                await seat.turn.acquire()
        except TimeoutError:
            raise _TOO_BUSY from None
        try:
            if await request.is_disconnected():
                raise Problem(503, "The client has left.")  # which nobody reads
            answer = await run_in_threadpool(seat.ask, question)
        finally:
            seat.turn.release()
        if isinstance(answer, Refused):
            raise Problem(422, answer.reason.replace(str(question.path), name))
        return answer

    def warm(self) -> None:
        """Start the processes that are not there, while nothing waits for them."""
        for seat in self._seats:
            threading.Thread(target=seat.warm, daemon=True).start()

    def stop(self) -> None:
        """End the processes."""
        for seat in self._seats:
            seat.stop()


class _Seat:
    """A process, replaced when it dies; asked by whose turn it is."""

    def __init__(self, settings: Settings) -> None:
        self.turn = asyncio.Lock()
        self._patience = settings.patience
        threads = max(1, predict.available_threads() // max(1, settings.desks))
        self._begin = partial(
            looking.start, dict(settings.models), settings.device, threads, settings.bounds
        )
        self._process: Process | None = None
        self._lock = threading.Lock()

    def ask(self, question: Question) -> Any:
        """What the process answers; Refused where it dies of it or takes too long."""
        with self._lock:
            if self._process is not None and not self._process.process.is_alive():
                self._end()  # while nobody asked: what is asked now is not to blame
            process = self._process = self._process or self._new_process()
            process.send(question)
            if not process.connection.poll(self._patience):
                self._end()
                return Refused(f"{question.path}: took longer than {self._patience:g} s")
            try:
                answer = process.receive()
                if isinstance(answer, Refused) and answer.reason.endswith(NO_MEMORY):
                    self._end()  # what it has taken it would not give back
                return answer
            except EOFError:
                self._process = None
                return Refused(f"{question.path}: {process.end()}")
            except BaseException:
                self._end()
                raise

    def warm(self) -> None:
        """Have a process."""
        with self._lock:
            try:
                self._process = self._process or self._new_process()
            except Exception:
                log.exception("the desk")

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _new_process(self) -> Process:
        process: Process = Process(self._begin, None)
        process.receive()
        return process


_TOO_BUSY = Problem(
    503, "Too many photographs are being looked at: try again later.", headers={"Retry-After": "10"}
)
