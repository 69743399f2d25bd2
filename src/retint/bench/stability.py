"""Whether a model colours a photograph alike when that is mirrored, cut a little, or larger."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from retint import metrics
from retint.bench.contestants import guess
from retint.color import Floats
from retint.colorizer import WORKING_SIZE, Colorizer
from retint.photo import Photo
from retint.predict import resize

CUT = 0.03
"""Share of the height and of the width that a crop takes off, at two sides of a corner."""

LARGER = 1.25
"""How much larger than at the working size a photograph is shown for the change of scale."""

FAINT = 2.0
"""Mean chroma, in Lab units, below which a colouring is too near to grey to be stable or not."""

CHANGES = ("mirror", "crop", "scale")
"""What is changed; both ways of cutting count half."""


def stability(model: Colorizer, photo: Photo) -> dict[str, float]:
    """How far the colours of a changed photograph are from those of the photograph itself.

    By the names of `CHANGES`: mean distance in the ab plane, in Lab units, of the two small
    colourings, laid over each other again. `chroma`: mean chroma of the unchanged photograph's, by
    which the distances are to be divided, since what is nearly grey hardly moves. A wash of one
    colour does not move either: read the figures beside how much the colours vary. `scale` is nan
    of a photograph with too few pixels to be shown larger.
    """
    longest = model.options.longest or _working_size(model)
    L = photo.thumbnail(longest)
    ab = _coloured(model, L)
    cuts = [
        _apart(_coloured(model, np.ascontiguousarray(L[window])), ab[window])
        for window in _windows(*L.shape)
    ]
    return {
        "chroma": float(metrics.chroma(ab).mean(dtype=np.float64)),
        "mirror": _apart(_coloured(model, np.ascontiguousarray(L[:, ::-1]))[:, ::-1], ab),
        "crop": float(np.mean(cuts)),
        "scale": _apart(_shown_larger(model, photo, longest, L.shape), ab),
    }


def _shown_larger(model: Colorizer, photo: Photo, longest: int, shape: tuple[int, ...]) -> Floats:
    """Colours of the photograph shown larger, brought back to (height, width)."""
    larger = round(LARGER * longest)
    if max(photo.width, photo.height) < larger:
        return np.full((*shape, 2), np.nan)
    ab = np.moveaxis(_coloured(model, photo.thumbnail(larger)), -1, 0)
    return np.moveaxis(resize(ab, *shape), 0, -1)


def _windows(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Without a strip at the top and the left, and without one at the bottom and the right."""
    y, x = (max(1, round(CUT * side)) if side > 1 else 0 for side in (height, width))
    yield slice(y, None), slice(x, None)
    yield slice(0, height - y), slice(0, width - x)


def _apart(ab: Floats, other: Floats) -> float:
    return float(metrics.chroma(ab - other).mean(dtype=np.float64))


def _coloured(model: Colorizer, L: Floats) -> Floats:
    """Small colours as a user gets them, (h, w, 2), of lightness at the working size."""
    return guess(model, cast(Photo, _Shown(L))).ab


class _Shown:
    """A photograph of which the lightness that a model is shown is there already."""

    def __init__(self, L: Floats) -> None:
        self.L = L

    def thumbnail(self, longest: int, page: int = 0) -> Floats:
        """The lightness, whatever is asked for."""
        return self.L


def _working_size(model: Colorizer) -> int:
    card: Any = getattr(model.model, "card", None)
    return WORKING_SIZE if card is None else card.working_size
