"""A palette: the few colours that a picture is made of."""

from dataclasses import dataclass

import numpy as np

from retint import color
from retint.color import Floats

GREY = 6.0  # chroma, Lab units, below which a pixel has no colour to speak of
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
    bins, which, counts = np.unique(
        np.rint(coloured[:, 1:] / 4), axis=0, return_inverse=True, return_counts=True
    )
    means = _means(coloured, which.ravel(), len(bins))
    centres = _spread(means[:, 1:], counts, count)
    for _ in range(ROUNDS):
        nearest = np.linalg.norm(means[:, None, 1:] - centres, axis=2).argmin(1)
        weights = np.bincount(nearest, counts, len(centres))
        sums = [np.bincount(nearest, counts * means[:, i], len(centres)) for i in range(3)]
        found = (np.stack(sums, 1) / np.maximum(weights, 1)[:, None])[weights > 0]
        centres, weights = found[:, 1:], weights[weights > 0]
    order = np.argsort(-weights, kind="stable")
    return [Swatch(*map(float, found[i]), float(weights[i] / len(pixels))) for i in order]


def _means(pixels: Floats, which: "np.ndarray[tuple[int], np.dtype[np.intp]]", n: int) -> Floats:
    counts = np.bincount(which, minlength=n)
    sums = [np.bincount(which, pixels[:, i], n) for i in range(pixels.shape[1])]
    return np.stack(sums, 1) / counts[:, None]


def _spread(places: Floats, counts: Floats, n: int) -> Floats:
    """Places to begin at: the most frequent, then each time one far from all and frequent too."""
    chosen = [int(counts.argmax())]
    nearest = np.full(len(places), np.inf)
    while len(chosen) < min(n, len(places)):
        nearest = np.minimum(nearest, np.linalg.norm(places - places[chosen[-1]], axis=1))
        chosen.append(int((nearest * np.sqrt(counts)).argmax()))
    return places[chosen]
