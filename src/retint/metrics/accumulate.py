"""Figures of a set, picture by picture: `update`, `compute`, `merge` for work that was split."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")


class PerPicture(Generic[T]):
    """A figure of each picture, kept in `values`, in the order in which they came."""

    measure: ClassVar[Callable[..., Any]]

    def __init__(self) -> None:
        self.values: list[T] = []

    def update(self, *arrays: ArrayLike) -> Self:
        """Measure one more picture; takes what the function of the same name takes."""
        self.values.append(type(self).measure(*arrays))
        return self

    def merge(self, other: Self) -> Self:
        """Add the pictures that another one of this kind has seen."""
        self.values += other.values
        return self


class PictureMean(PerPicture[float]):
    """The mean over pictures of a figure of each, whatever their sizes."""

    def compute(self) -> float:
        """Mean of the values that are defined (not nan); nan where none is.

        Raises ValueError before the first picture.
        """
        return mean(self.values)


class Sum:
    """What is added up over the pictures of a set, `total`, before its one figure is taken."""

    total: NDArray[Any] | None = None

    def add(self, part: NDArray[Any]) -> Self:
        """Add one picture's part."""
        self.total = part if self.total is None else self.total + part
        return self

    def summed(self) -> NDArray[Any]:
        """The total; ValueError before the first picture."""
        if self.total is None:
            raise ValueError("no picture has been measured yet")
        return self.total

    def merge(self, other: Self) -> Self:
        """Add the pictures that another one of this kind has seen."""
        return self if other.total is None else self.add(other.total)


def mean(values: list[float]) -> float:
    """Mean of what is not nan, the same in any order; nan where nothing is, ValueError of none."""
    if not values:
        raise ValueError("no picture has been measured yet")
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def greatest(values: list[float]) -> float:
    """The largest; ValueError of none."""
    if not values:
        raise ValueError("no picture has been measured yet")
    return float(np.max(values))
