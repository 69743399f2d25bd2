"""Colours that somebody knows, carried from where they were told along what is of one lightness.

Paper: Yatziv, Sapiro, "Fast Image and Video Colorization Using Chrominance Blending", IEEE
Transactions on Image Processing 15(5), 2006 (doi:10.1109/TIP.2005.864231): colours are blended by
their distances along paths that avoid edges of lightness. Here what is blended are corrections of
a guess, which end at some distance; and a step costs more by the square of its change of lightness,
so that grain costs little. A network that was told the colours too tinges the whole picture with
them, which is undone by the same distances.
"""

import numpy as np
from numpy.typing import NDArray

from retint.color import Floats

EDGE = 3.0
"""Change of L* from one pixel to the next at which a step counts as two."""

REACH = 0.2
"""Distance, in parts of the longer side, at which a correction has fallen to 1/e."""

INFLUENCE = 0.6
"""Distance, likewise, at which what a network makes of the colours told counts 1/e; beyond it its
guess without them holds."""

SHARPNESS = 3.0
"""Between two colours: the nearer one counts more by this power of the ratio of the distances."""

SWEEPS = 3
"""Times the distances are carried over the picture, each way."""


def propagate(
    before: Floats, after: Floats, L: Floats, places: NDArray[np.bool_], colours: Floats
) -> NDArray[np.float32]:
    """Bring colours to those told, there and where the lightness goes on.

    before, after: ab without and with what a network makes of the colours told, (h, w, 2), or of
    several guesses of one picture, (m, h, w, 2). L: (h, w), L*. places: (n, h, w), where each was
    told, at least one pixel; colours: (n, 2), a* and b*. Where a colour is told it holds, of
    several the last; away from it the correction it makes there, and more slowly what the network
    made of it, fade with the distance along the path of least edges.
    """
    distance = _distances(places, L)
    nearest = distance.min(0)
    ab = before + np.exp(-np.square(nearest / INFLUENCE))[..., None] * (after - before)
    told = [*zip(places, colours, strict=True)]
    asked = np.stack([colour - ab[..., place, :].mean(-2) for place, colour in told], -2)
    weights = (np.maximum(nearest, 1e-9) / np.maximum(distance, 1e-9)) ** SHARPNESS
    weights *= np.exp(-np.square(nearest / REACH)) / weights.sum(0)
    changed = ab + np.einsum("nhw,...nc->...hwc", weights, asked)
    for place, colour in told:
        changed[..., place, :] = colour
    return changed.astype(np.float32)


def _distances(places: NDArray[np.bool_], L: Floats) -> Floats:
    """Length of the shortest path from each place to each pixel, (n, h, w); the longer side is 1.

    A step between neighbours costs its length times 1 + (dL / EDGE)^2. Carried row by row and
    column by column (Danielsson 1980); a path that winds more often than it is swept is missed.
    """
    distance = np.where(places, 0.0, np.inf)
    down, across = (1 + np.square(np.diff(L.astype(np.float64), axis=k) / EDGE) for k in (0, 1))
    rows, columns = distance.transpose(1, 0, 2), distance.transpose(2, 0, 1)
    for _ in range(SWEEPS):
        for lines, there, beside in ((rows, down, across), (columns, across.T, down.T)):
            along = np.pad(np.cumsum(beside, axis=1), [(0, 0), (1, 0)])
            _carry(lines, there, along)
            _carry(lines[::-1], there[::-1], along[::-1])
    return distance / max(L.shape)


def _carry(lines: Floats, there: Floats, along: Floats) -> None:
    """Shorten the distances of each line, (n, length) for the places, by those of the line before,
    and by its own beside it."""
    for k, line in enumerate(lines):
        if k:
            np.minimum(line, lines[k - 1] + there[k - 1], out=line)
        place = along[k]
        forth = np.minimum.accumulate(line - place, axis=1) + place
        back = np.minimum.accumulate((line + place)[:, ::-1], axis=1)[:, ::-1] - place
        line[:] = np.minimum(forth, back)
