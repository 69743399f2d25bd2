"""How colourful a colouring is, by itself and beside the truth."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from retint.color import Floats
from retint.metrics.accumulate import PictureMean, Sum
from retint.metrics.arrays import finite, floats, pair


def colourfulness(rgb: ArrayLike) -> float:
    """Colourfulness of a picture as people rate it: 0 grey, about 45 average, 110 extreme.

    Of signed opponent colours on the 0..255 scale: Hasler & Suesstrunk, "Measuring colourfulness
    in natural images", 2003.
    """
    red_green, yellow_blue = _opponents(rgb)
    return _spread_and_mean(red_green, yellow_blue)


def colourfulness_absolute(rgb: ArrayLike) -> float:
    """The variant with absolute opponent colours of DDColor's and ColorMNet's evaluation code.

    Never above `colourfulness`' own spread and not comparable with it.
    """
    red_green, yellow_blue = _opponents(rgb)
    return _spread_and_mean(np.abs(red_green), np.abs(yellow_blue))


def delta_colourfulness(rgb: ArrayLike, truth: ArrayLike) -> float:
    """How far a picture's `colourfulness` is from the truth's, either way."""
    rgb, truth = pair(rgb, truth)
    return abs(colourfulness(rgb) - colourfulness(truth))


def chroma(ab: ArrayLike) -> Floats:
    """Chroma C*ab of each pixel: distance from grey in Lab units."""
    ab = floats(ab)
    return np.hypot(ab[..., 0], ab[..., 1])


def chroma_ratio(ab: ArrayLike, truth: ArrayLike) -> float:
    """Mean chroma of a colouring over that of the truth; nan where the truth is grey."""
    return ChromaRatio().update(ab, truth).compute()


class Colourfulness(PictureMean):
    """Mean of `colourfulness` over pictures."""

    measure = staticmethod(colourfulness)


class ColourfulnessAbsolute(PictureMean):
    """Mean of `colourfulness_absolute` over pictures."""

    measure = staticmethod(colourfulness_absolute)


class DeltaColourfulness(PictureMean):
    """Mean of `delta_colourfulness` over pictures."""

    measure = staticmethod(delta_colourfulness)


class ChromaRatio(Sum):
    """Mean chroma of all pictures over that of their truths: one pale truth weighs no more."""

    def update(self, ab: ArrayLike, truth: ArrayLike) -> Self:
        """Measure one more picture: ab and truth (..., 2) in Lab units."""
        means = [chroma(v).mean(dtype=np.float64) for v in pair(ab, truth)]
        return self.add(np.array(means))

    def compute(self) -> float:
        """The ratio, nan where no truth has colour; ValueError before the first picture."""
        found, true = map(float, self.summed())
        return found / true if true > 0 else float("nan")


def _opponents(rgb: ArrayLike) -> tuple[Floats, Floats]:
    R, G, B = np.moveaxis(finite(rgb) * 255, -1, 0)
    return R - G, (R + G) / 2 - B


def _spread_and_mean(x: Floats, y: Floats) -> float:
    moments = [f(v, dtype=np.float64) for f in (np.std, np.mean) for v in (x, y)]
    return float(np.hypot(moments[0], moments[1]) + 0.3 * np.hypot(moments[2], moments[3]))
