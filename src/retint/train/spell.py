"""A training that goes on for so much processor time, and what is known of its spells."""

import csv
import datetime
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from retint.train.loop import Training
from retint.train.recipe import Recipe


@dataclass(frozen=True)
class Spell:
    """One spell of a training: when it ended, pictures seen by then in all, processor minutes of
    this spell, and whether the schedule has ended."""

    date: str
    pictures: int
    cpu_minutes: float
    ended: bool


def spell(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    backbones: Path | None = None,
    cpu_minutes: float = 10.0,
    threads: int = 2,
    device: str = "cpu",
    tell: Callable[[str], None] = lambda line: None,
) -> Spell:
    """Train in `folder`, from its last checkpoint where it has one, until the recipe's end or for
    about so many minutes of this process' time; a row of `folder`/spells.csv says how far it came.

    For the main thread of a process of its own: the limit is kept by SIGTERM, after which the
    training writes a checkpoint. Errors as for `Training`; KeyboardInterrupt where someone else
    ends it.
    """
    torch.set_num_threads(threads)
    last = folder / "last.pt"
    begun = time.process_time()
    training = Training(
        None if last.exists() else recipe,
        data,
        folder,
        backbones=backbones,
        resume=last if last.exists() else None,
        device=device,
        tell=tell,
    )
    ended = False
    try:
        with _limit(begun + 60 * cpu_minutes) as over:
            try:
                ended = training.run()
            except KeyboardInterrupt:
                if not over.is_set():
                    raise
    finally:
        found = Spell(
            datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            training.step * training.recipe.optimiser.batch,
            round((time.process_time() - begun) / 60, 3),
            ended,
        )
        _note(found, folder / "spells.csv")
    return found


def _note(found: Spell, path: Path) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Spell)])
        if new:
            writer.writeheader()
        writer.writerow(asdict(found))


@contextmanager
def _limit(until: float) -> Generator[threading.Event]:
    """Ask this process to end, as SIGTERM does, when its processor time has come to `until`
    seconds; the event says that it was so."""
    over, done = threading.Event(), threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            if time.process_time() >= until and not over.is_set():
                over.set()
                os.kill(os.getpid(), signal.SIGTERM)

    def outside(*_: object) -> None:  # the training does not listen yet, or no more
        if not over.is_set():
            raise KeyboardInterrupt
        over.clear()  # to be asked again

    watcher = threading.Thread(target=watch, daemon=True)
    before = signal.signal(signal.SIGTERM, outside)
    watcher.start()
    try:
        yield over
    finally:
        done.set()
        watcher.join()
        signal.signal(signal.SIGTERM, before)
