"""Pictures worked off one after the other, or by several processes."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeAlias, TypeVar

from retint import pool
from retint.errors import RetintError

Task = TypeVar("Task")
Answer = TypeVar("Answer")

TOGETHER = 4
"""Tasks that a process takes at a time: what it remembers of one picture serves the next."""

Progress: TypeAlias = Callable[[str, int, int], object]
"""Called with what is being done, how many pictures are, and how many there are."""


def work_off(work: Callable[[Task], Answer], tasks: Iterable[Task], jobs: int) -> Generator[Answer]:
    """`work` of each task, in their order, by so many processes; by this one for one job.

    For more, work, tasks and answers are pickled. RetintError where a process dies.
    """
    if jobs == 1:
        yield from map(work, tasks)
        return
    rest = iter(tasks)
    parts = iter(lambda: list(islice(rest, TOGETHER)), [])
    early: dict[int, list[Answer]] = {}
    following = 0
    for number, answers in pool.work_off(_Started(work), enumerate(parts), jobs, _lost):
        early[number] = answers
        while following in early:
            yield from early.pop(following)
            following += 1


@dataclass(frozen=True)
class _Started(Generic[Task, Answer]):
    """What a new process calls first."""

    work: Callable[[Task], Answer]

    def __call__(self) -> Callable[[tuple[int, list[Task]]], tuple[int, list[Answer]]]:
        return self._all

    def _all(self, part: tuple[int, list[Task]]) -> tuple[int, list[Answer]]:
        number, tasks = part
        return number, [self.work(task) for task in tasks]


def _lost(part: Any, reason: str) -> Any:
    raise RetintError(f"{reason}; fewer --jobs need less memory, and --resume goes on from here")
