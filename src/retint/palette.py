"""A palette: the few colours that a picture is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retint import color
from retint.color import Floats

GREY = 6.0  # chroma, Lab units, below which a pixel has no colour to speak of
APART = 6.0  # least distance, Lab units, of the colours to begin with
ROUNDS = 20


@dataclass(frozen=True)
class Swatch:
    """A colour of a picture: Lab (D65), and the share of the picture that is nearest to it."""

    L: float
    a: float
    b: float
    share: float

    @property
    def rgb(self) -> str:
        """In sRGB, as `#rrggbb`."""
        codes = np.rint(255 * color.lab_to_srgb(np.array([[[self.L, self.a, self.b]]])))
        return "#" + bytes(codes.astype(np.uint8).ravel()).hex()


def palette(lab: Floats, count: int) -> list[Swatch]:
    """At most `count` colours of a Lab picture (h, w, 3), that with the largest share first.

    k-means in the ab plane (Lloyd 1982) from the colours farthest apart, each as far from the
    others as there are pixels like it; greys belong to none. The same picture has the same palette.
    """
    pixels = lab.reshape(-1, 3).astype(np.float64)
    coloured = pixels[np.hypot(pixels[:, 1], pixels[:, 2]) >= GREY]
    if not len(coloured):
        return []
    _, which = np.unique(np.rint(coloured[:, 1:] / 4), axis=0, return_inverse=True)
    sums = _sums(which.ravel(), np.insert(coloured, 3, 1, axis=1))
    counts, means = sums[:, 3], sums[:, :3] / sums[:, 3:]
    centres = _spread(means[:, 1:], counts, count)
    found: Floats = sums
    for _ in range(ROUNDS):
        nearest = np.linalg.norm(means[:, None, 1:] - centres, axis=2).argmin(1)
        found = _sums(nearest, sums)
        found = found[found[:, 3] > 0]
        centres = found[:, 1:3] / found[:, 3:]
    swatches = [
        Swatch(L / n, a / n, b / n, n / len(pixels)) for L, a, b, n in found.astype(float).tolist()
    ]
    return sorted(swatches, key=lambda swatch: -swatch.share)


def _sums(which: NDArray[np.intp], values: Floats) -> Floats:
    """Sums of the rows of `values` that have one number in `which`, by that number."""
    columns = [np.bincount(which, column) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)


def _spread(places: Floats, counts: Floats, n: int) -> Floats:
    """Places to begin at: the most frequent, then each time one far from all and frequent too."""
    chosen = [int(counts.argmax())]
    nearest = np.full(len(places), np.inf)
    while len(chosen) < n:
        nearest = np.minimum(nearest, np.linalg.norm(places - places[chosen[-1]], axis=1))
        if nearest.max() < APART:
            break
        chosen.append(int((nearest * np.sqrt(counts)).argmax()))
    return places[chosen]
