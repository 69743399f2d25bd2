"""Work in a process of its own, which gives back all its memory and ends in good order."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from retint.errors import RetintError


def apart(work: Callable[..., None], *arguments: Any) -> str:
    """Do this in a process of its own; what went wrong, or nothing.

    Ctrl-C and SIGTERM reach it as one SIGTERM, after which it ends in good order.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_within, args=(there, work, *arguments))
    with _terminable():
        process.start()
        there.close()
        try:
            failed = str(here.recv())
        except EOFError:
            process.join()
            failed = f"the process died ({process.exitcode})"
        except KeyboardInterrupt:
            process.terminate()
            raise
        finally:
            process.join()
    return failed


def _within(connection: Connection, work: Callable[..., None], *arguments: Any) -> None:
    """In the new process: alone with its signals, so that a terminal's Ctrl-C comes but once."""
    if hasattr(os, "setsid"):
        os.setsid()
    try:
        work(*arguments)
        connection.send("")
    except RetintError as error:
        connection.send(str(error))
    except KeyboardInterrupt:
        connection.send("interrupted")


@contextmanager
def _terminable() -> Generator[None]:
    """SIGTERM counts as Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
