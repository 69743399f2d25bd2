"""What the measures take: arrays of numbers, of one shape, all finite."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.color import Floats


def floats(v: ArrayLike) -> Floats:
    """float32 as it is, anything else as float64."""
    array = np.asarray(v)
    return array if array.dtype == np.float32 else array.astype(np.float64)


def finite(v: ArrayLike) -> Floats:
    """The same of values that a mean can be taken of; ValueError where there are none, or NaN."""
    array = floats(v)
    some(array)
    if not np.isfinite(array).all():
        raise ValueError("not every value is a finite number")
    return array


def pair(one: ArrayLike, other: ArrayLike) -> tuple[Floats, Floats]:
    """Two finite arrays to be compared value by value; ValueError where their shapes differ."""
    one, other = finite(one), finite(other)
    alike(one, other)
    return one, other


def some(array: NDArray[Any]) -> None:
    """ValueError where there is nothing to measure."""
    if array.size == 0:
        raise ValueError("there are no pixels to measure")


def alike(one: NDArray[Any], other: NDArray[Any]) -> None:
    """ValueError where shapes differ."""
    if one.shape != other.shape:
        raise ValueError(f"shapes differ: {one.shape} and {other.shape}")
