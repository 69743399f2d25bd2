"""Whether colour stays the same from frame to frame."""

from collections import deque
from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.metrics.arrays import finite
from retint.metrics.palette import jensen_shannon

GAPS = (1, 2, 4)
"""Frames between those that are compared."""


def cdc(frames: Iterable[ArrayLike]) -> float:
    """Colour Distribution Consistency of a film, 0..0.69: 0 where its colours never change.

    frames: rgb (h, w, 3), encoded, 0..1, at least two. Mean Jensen-Shannon divergence, in nats,
    of the histograms (256 bins) of R, G and B of frames 1, 2 and 4 apart, each gap counting alike:
    Liu et al., "Temporally consistent video colorization", 2021. Gaps that a short film does not
    have are left out. Raises ValueError for fewer than two frames.
    """
    film = CDC()
    for frame in frames:
        film.update(frame)
    return film.compute()


class CDC:
    """`cdc` of a film that comes frame by frame, or of several that are merged."""

    def __init__(self) -> None:
        self.divergence = np.zeros(len(GAPS))
        self.pairs = np.zeros(len(GAPS))
        self.before: deque[NDArray[np.int64]] = deque(maxlen=max(GAPS))

    def update(self, rgb: ArrayLike) -> Self:
        """Add the next frame."""
        histograms = _histograms(rgb)
        for i, gap in enumerate(GAPS):
            if gap <= len(self.before):
                self.divergence[i] += jensen_shannon(histograms, self.before[-gap]).mean()
                self.pairs[i] += 1
        self.before.append(histograms)
        return self

    def merge(self, other: Self) -> Self:
        """Add another film; its frames are not compared with this one's."""
        self.divergence += other.divergence
        self.pairs += other.pairs
        return self

    def compute(self) -> float:
        """Mean divergence; ValueError for fewer than two frames."""
        had = self.pairs > 0
        if not had.any():
            raise ValueError("a film has at least two frames")
        return float((self.divergence[had] / self.pairs[had]).mean())


def _histograms(rgb: ArrayLike) -> NDArray[np.int64]:
    codes = np.rint(np.clip(finite(rgb), 0, 1) * 255).astype(np.intp).reshape(-1, 3)
    return np.stack([np.bincount(codes[:, c], minlength=256) for c in range(3)])
