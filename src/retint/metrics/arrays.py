"""What the measures take: arrays of numbers, of one shape, all finite."""

import numpy as np
from numpy.typing import ArrayLike

from retint.color import Floats


def floats(v: ArrayLike) -> Floats:
    """float32 as it is, anything else as float64."""
    array = np.asarray(v)
    return array if array.dtype == np.float32 else array.astype(np.float64)


def finite(v: ArrayLike) -> Floats:
    """The same of values that a mean can be taken of; ValueError where there are none, or NaN."""
    array = floats(v)
    if array.size == 0:
        raise ValueError("there are no pixels to measure")
    if not np.isfinite(array).all():
        raise ValueError("not every value is a finite number")
    return array


def pair(one: ArrayLike, other: ArrayLike) -> tuple[Floats, Floats]:
    """Two arrays to be compared value by value; ValueError where their shapes differ."""
    one, other = finite(one), finite(other)
    if one.shape != other.shape:
        raise ValueError(f"shapes differ: {one.shape} and {other.shape}")
    return one, other
