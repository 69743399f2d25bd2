"""How far two clouds of features are apart, as Gaussians."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retint.metrics.arrays import finite


def frechet_distance(
    mean: ArrayLike, covariance: ArrayLike, other_mean: ArrayLike, other_covariance: ArrayLike
) -> float:
    """Frechet distance of two Gaussians, squared, as FID is: 0 when they are equal.

    Means (d,), covariances (d, d), symmetric and without negative eigenvalues but for rounding.
    `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`: Dowson & Landau 1982; Heusel et al. 2017.
    """
    m1, m2 = finite(mean), finite(other_mean)
    C1, C2 = finite(covariance), finite(other_covariance)
    root = _root(C1)
    # (C1 C2)^(1/2) has the eigenvalues of (C1^(1/2) C2 C1^(1/2))^(1/2), which is symmetric
    cross = np.linalg.eigvalsh(root @ C2 @ root)
    shared = np.sqrt(np.maximum(cross, 0)).sum()
    apart = np.square(m1 - m2).sum() + np.trace(C1) + np.trace(C2) - 2 * shared
    return max(0.0, float(apart))


class Gaussian:
    """Mean and covariance of features that come in parts."""

    def __init__(self) -> None:
        self.number = 0
        self.mean: NDArray[np.float64] = np.zeros(0)
        self.scatter: NDArray[np.float64] = np.zeros((0, 0))

    def update(self, features: ArrayLike) -> Self:
        """Add features (n, d)."""
        part = Gaussian()
        features = finite(features).astype(np.float64)
        part.number, part.mean = len(features), features.mean(axis=0)
        part.scatter = (features - part.mean).T @ (features - part.mean)
        return self._add(part)

    def merge(self, other: Self) -> Self:
        """Add the features that another one has seen."""
        return self._add(other) if other.number else self

    def compute(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean (d,) and covariance (d, d) with n - 1; ValueError for fewer than two."""
        if self.number < 2:
            raise ValueError("a covariance needs at least two features")
        return self.mean, self.scatter / (self.number - 1)

    def _add(self, part: "Gaussian") -> Self:
        if self.number == 0:
            self.number, self.mean, self.scatter = part.number, part.mean, part.scatter
            return self
        total = self.number + part.number
        apart = part.mean - self.mean
        between = np.outer(apart, apart) * (self.number * part.number / total)
        self.scatter = self.scatter + part.scatter + between
        self.mean = self.mean + apart * (part.number / total)
        self.number = total
        return self


class FrechetDistance:
    """`frechet_distance` between the features of a set's colourings and of its true pictures."""

    def __init__(self) -> None:
        self.found, self.true = Gaussian(), Gaussian()

    def update(self, features: ArrayLike, truth: ArrayLike) -> Self:
        """Add features (n, d) of colourings, and (m, d) of true pictures."""
        self.found.update(features)
        self.true.update(truth)
        return self

    def merge(self, other: Self) -> Self:
        """Add the features that another one has seen."""
        self.found.merge(other.found)
        self.true.merge(other.true)
        return self

    def compute(self) -> float:
        """Distance; ValueError for fewer than two features on either side."""
        return frechet_distance(*self.found.compute(), *self.true.compute())


def _root(covariance: NDArray[np.floating]) -> NDArray[np.floating]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
