"""Progress of a judgement on a terminal."""

import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from retint.bench.work import Progress


@contextmanager
def progress_bars() -> Generator[Progress]:
    """A bar for each thing that is done, one after the other, where somebody looks."""
    bars: dict[str, Any] = {}
    with ExitStack() as shown:

        def show(what: str, done: int, of: int) -> None:
            if what not in bars:
                hidden = not sys.stderr.isatty()
                bar = click.progressbar(length=of, label=what, file=sys.stderr, hidden=hidden)
                shown.close()  # the bar before
                bars[what] = shown.enter_context(bar)
            bars[what].update(done - bars[what].pos)

        yield show
