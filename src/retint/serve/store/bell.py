"""A bell: threads and requests of this process hear at once that something happened."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial

WORK = "work"
"""The topic that rings when photographs wait to be coloured; other topics are ids of jobs."""


class Bell:
    """Rings for a topic, and wakes who listens to it.

    Whoever is woken looks at the database: that alone is the truth. Other processes are not heard,
    so a listener also looks from time to time without being woken.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakers: dict[str, list[Callable[[], object]]] = defaultdict(list)

    def ring(self, topic: str) -> None:
        """Wake all who listen to this topic."""
        with self._lock:
            for wake in self._wakers.get(topic, ()):
                wake()

    @contextmanager
    def waking(self, topic: str, wake: Callable[[], object]) -> Generator[None]:
        """Inside `with`, `wake` is called whenever it rings, from any thread."""
        with self._lock:
            self._wakers[topic].append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakers[topic].remove(wake)
                if not self._wakers[topic]:
                    del self._wakers[topic]


async def ringing(bell: Bell, topic: str, every: float = 1.0) -> AsyncGenerator[None]:
    """Yield at once, then each time it rings, and at the latest after `every` seconds."""
    woken = asyncio.Event()
    wake = partial(asyncio.get_running_loop().call_soon_threadsafe, woken.set)
    with bell.waking(topic, wake):
        while True:
            woken.clear()
            yield
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), every)
