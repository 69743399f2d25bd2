"""Where a training is, how long a stage takes, how far the learning rate has fallen meanwhile, and
when it is over."""

import math
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from retint.train.recipe import Schedule, Validation


@dataclass
class Position:
    """How far a training is; with the seed, all that decides what comes next."""

    step: int = 0
    seconds: float = 0.0
    stage: int = 0
    stage_step: int = 0
    stage_seconds: float = 0.0
    best: float | None = None
    since_best: int = 0
    general: float | None = None  # general_ab when first measured


def steps_of(epochs: float | None, batches: int) -> int | None:
    """Steps in so many epochs of so many batches, at least one."""
    return None if epochs is None else max(1, round(epochs * batches))


def progress(schedule: Schedule, batches: int, step: int, seconds: float) -> float:
    """Share of a schedule that is done after so many steps and seconds of it, 0..1.

    batches: in an epoch.
    """
    if schedule.minutes is not None:
        return min(1.0, seconds / (60 * schedule.minutes))
    return min(1.0, step / (steps_of(schedule.epochs, batches) or schedule.steps))


def falling(schedule: Schedule, done: float) -> float:
    """Factor on the learning rate when the share `done` of the schedule is over."""
    match schedule.curve:
        case "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        case "linear":
            return 1 - done
        case "constant":
            return 1.0
        case "steps":
            return schedule.drop ** sum(done >= mark for mark in schedule.milestones)


def judged(measured: Mapping[str, float], here: Position, how: Validation) -> tuple[bool, str]:
    """Whether what was measured is the best so far, and why to stop, if so; noted in `here`."""
    value = measured[how.best] * (-1 if how.best == "val_accuracy" else 1)
    better = here.best is None or value < here.best
    here.best, here.since_best = (value, 0) if better else (here.best, here.since_best + 1)
    if how.stop and here.since_best >= how.patience:
        return better, f"{how.best} is no better for {here.since_best} measurements"
    if "general_ab" in measured and how.forget is not None:
        here.general = here.general or measured["general_ab"]
        worse = measured["general_ab"] / here.general - 1
        if worse > how.forget:
            return better, f"colours of the general set are {worse:.1%} further from the truth"
    return better, ""


class Clock:
    """When a call of the trainer is over: after so many minutes or steps, or when it is
    interrupted.

    Inside, Ctrl-C and SIGTERM are kept until the step in hand is done; a second one counts at once.
    """

    def __init__(self, minutes: float | None, steps: int | None, first: int) -> None:
        self.until = None if minutes is None else time.monotonic() + 60 * minutes
        self.last = None if steps is None else first + steps
        self.interrupted = False
        self._before: dict[int, Any] = {}

    def over(self, step: int) -> bool:
        """Whether to stop before taking another step."""
        late = self.until is not None and time.monotonic() >= self.until
        return late or (self.last is not None and step >= self.last) or self.interrupted

    def __enter__(self) -> "Clock":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
