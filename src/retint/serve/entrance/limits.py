"""Limits of callers: requests a minute, and requests at once."""

import math
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from retint.serve.problems import Problem

MINUTE = 60.0
HOST_BITS = 64  # of an IPv6 address: one customer has them all


class Limits:
    """What each caller may still ask of this process: a token bucket with a minute's requests.

    clock: seconds. What it knows of a caller is forgotten when the bucket is full again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full: dict[str, float] = {}  # when each caller's bucket is full again
        self._inside: Counter[str] = Counter()
        self._tidied = clock()

    @contextmanager
    def within(self, caller: str, rate: float, concurrency: int) -> Generator[None]:
        """Inside `with`, one request of a caller. rate: a minute; 0: any number, of both.

        Raises Problem, 429, where it is one too many.
        """
        if concurrency and self._inside[caller] >= concurrency:
            raise _too_many(f"{concurrency} requests at once", 1.0)
        if rate:
            self._take_token(caller, rate)
        self._inside[caller] += 1
        try:
            yield
        finally:
            self._inside[caller] -= 1
            if not self._inside[caller]:
                del self._inside[caller]

    def _take_token(self, caller: str, rate: float) -> None:
        now, refilling = self._clock(), MINUTE / rate
        if now - self._tidied > MINUTE:
            self._full = {other: full for other, full in self._full.items() if full > now}
            self._tidied = now
        full = max(now, self._full.get(caller, now)) + refilling
        wait = full - now - max(MINUTE, refilling)
        if wait > 1e-6:
            raise _too_many(f"{rate:g} requests a minute", wait)
        self._full[caller] = full


def household(client: str) -> str:
    """Whom an address counts for: itself, or the network in which an IPv6 one can be chosen."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if not isinstance(address, IPv6Address):
        return client
    return str(address.ipv4_mapped or IPv6Address(int(address) >> HOST_BITS << HOST_BITS))


def _too_many(allowed: str, wait: float) -> Problem:
    return Problem(
        429, f"More than the {allowed} that are allowed: try again after `Retry-After` seconds.",
        headers={"Retry-After": str(math.ceil(wait))},
    )  # fmt: skip
