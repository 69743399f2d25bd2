"""Axes of charts: from figures to places on a page, and the round numbers between them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """The figures from `low` to `high`, low < high, drawn between the places `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(
        cls, values: Iterable[float], start: float, end: float, *, room: float = 0.0
    ) -> "Axis":
        """An axis that holds every finite value, and beyond each end `room` as a share of them."""
        finite = [float(value) for value in values if math.isfinite(value)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        if low == high:
            low, high = low - 0.5, high + 0.5
        room *= high - low
        return cls(low - room, high + room, start, end)

    def place(self, value: float) -> float:
        """Where a figure is drawn."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share

    @property
    def step(self) -> float:
        """1, 2 or 5 times a power of ten: a fifth of the range, or somewhat more."""
        rough = (self.high - self.low) / 5.5
        unit = 10.0 ** math.floor(math.log10(rough))
        return next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)

    def ticks(self) -> list[float]:
        """Two to six round numbers within the range."""
        step = self.step
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(i * step, 12) for i in range(first, last + 1)]

    def label(self, tick: float) -> str:
        """A tick in words: 0.25, 20, 5k, 1.5M."""
        for unit, name in ((1e6, "M"), (1e3, "k")):
            if abs(tick) >= unit:
                return f"{tick / unit:g}{name}"
        return f"{tick:.{max(0, -math.floor(math.log10(self.step) + 1e-9))}f}"
