"""Whether colours that somebody knows help a model, and stay on what they were laid on.

The protocol is that of Zhang, Zhu, Isola et al., "Real-Time User-Guided Image Colorization with
Learned Deep Priors", SIGGRAPH 2017 (arXiv:1705.02999): true colours at random places, nearer the
middle more often, each the mean beneath a point seven pixels wide of 256.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import metrics
from retint.bench.contestants import Colouring, guess
from retint.bench.measures import Record
from retint.bench.sets import Truth
from retint.color import Floats
from retint.colorizer import Colorizer, Hint

SEED = 0

RADIUS = 3 / 256
"""Of a point, in parts of the picture's longer side."""

FALSE = 40.0
"""Chroma of the false colour, Lab units; its hue is opposite to the one that the model gave."""

NEAR, FAR = 0.10, 0.25
"""Distances from a point, in parts of the longer side: up to the one a change is near, beyond the
other far."""

RINGS = (0.05, NEAR, 0.15, FAR, 0.5, np.inf)
"""Distances up to which a ring around a point reaches."""

ALIKE = 10.0
"""Difference of L* from the lightness at a point up to which what is joined to it is its region."""

FAINT = 1.0
"""Lab units: where nothing changes by more than this, there is no change to place."""

FIGURES = (
    "hint_psnr", "hint_delta_e", "hint_psnr_rise", "hint_delta_e_fall",
    "hints_psnr", "hints_delta_e", "hints_psnr_rise", "hints_delta_e_fall",
    "hint_followed", "hint_near", "hint_far", "hint_kept",
)  # fmt: skip
"""What is found of a picture: `hint_` with one true colour, `hints_` with all of them, and what
became of one false colour."""

Mask: TypeAlias = NDArray[np.bool_]


class Hints:
    """The judge of models that take hints: coloured again with one and with `count` true colours.

    Also with one false colour, at the first of the places: how far it was followed, and where.
    """

    name = "hints"

    def __init__(self, count: int) -> None:
        self.count = count
        self.key = f"hints 1 {count}"
        self.note = (
            f"Hints: true colours in {count} places of a picture, drawn at random, each the mean"
            f" beneath a point of radius {RADIUS:.4f} of the longer side. False colour: chroma"
            f" {FALSE:.0f} in the opposite hue, at the first of the places; followed: what became"
            " of it there, in parts of the change that was asked for; near, far: share of the"
            f" change that lies within {NEAR:.0%}, beyond {FAR:.0%} of the longer side; kept: share"
            " of the mean change, at equal distances, that lies on what is joined to the place"
            f" through lightness within {ALIKE:.0f} L*; 50 % knows no edges."
        )

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        """Figures of a picture; of anyone but a model nothing."""
        model = colouring.by
        if model is None:
            return {}
        if "hints" not in getattr(model.model, "takes", ()):
            return {"without": "takes no hints"}
        true = true_hints(truth, self.count)
        psnr, delta_e = _nearness(colouring, truth)
        found: Record = {}
        for name, hints in (("hint", true[:1]), ("hints", true)):
            told_psnr, told_delta_e = _nearness(_coloured(model, truth, hints), truth)
            found |= {
                f"{name}_psnr": told_psnr,
                f"{name}_psnr_rise": told_psnr - psnr,
                f"{name}_delta_e": told_delta_e,
                f"{name}_delta_e_fall": delta_e - told_delta_e,
            }
        return _rounded(found) | _misled(model, truth, true[0])

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        """The change by distance, on the region of the place and off it, in parts of the change
        that was asked for: means over the pictures that have such pixels. `even_near`, `even_far`:
        the shares that a change everywhere alike would have."""
        if any("without" in record for record in found):
            return {"without": "takes no hints"}
        told = [record for record in found if "rings" in record]
        if not told:
            return {}
        near, far = np.mean([record["even"] for record in told], axis=0).tolist()
        return {
            "count": self.count,
            "radius": RADIUS,
            "even_near": near,
            "even_far": far,
            "up_to": [*RINGS[:-1], None],
            **{side: _means([record["rings"][side] for record in told]) for side in ("on", "off")},
        }


def true_hints(truth: Truth, count: int) -> list[Hint]:
    """True colours of a picture; the first ones are the same, however many are asked for.

    Their places are drawn by the hash of its file, so that it has the same ones in every set.
    """
    with truth.photo.data.open() as file:
        digest = hashlib.sha256(file.read()).digest()
    random = np.random.default_rng([SEED, *digest])
    places = np.clip(random.normal(0.5, 0.25, (count, 2)), 0, 1)
    ab = truth.lab[..., 1:]
    return [Hint(x, y, *_beneath(ab, x, y), RADIUS) for x, y in places.tolist()]


def region(L: Floats, row: int, column: int) -> Mask:
    """What is joined to a pixel through pixels of its lightness, to within `ALIKE`.

    L: (h, w); each pixel counts as the median of the nine around it, since grain would cut paths.
    """
    padded = np.pad(L.astype(np.float64), 1, mode="edge")
    h, w = L.shape
    smooth = np.median([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0)
    alike = np.abs(smooth - smooth[row, column]) <= ALIKE
    joined = np.zeros_like(alike)
    joined[row, column] = True
    size = 0
    while size < (size := int(joined.sum())):
        grown = joined.copy()
        grown[1:] |= joined[:-1]
        grown[:-1] |= joined[1:]
        grown[:, 1:] |= joined[:, :-1]
        grown[:, :-1] |= joined[:, 1:]
        joined = grown & alike
    return joined


def _coloured(model: Colorizer, truth: Truth, hints: Sequence[Hint]) -> Colouring:
    L = truth.lab[..., 0]
    return Colouring.of(L, guess(model, truth.photo, hints).grow(L, 0, len(L)))


def _misled(model: Colorizer, truth: Truth, true: Hint) -> Record:
    """What one false colour, in the place of a true one, does to the model's small colours."""
    before = model.predict(truth.photo).ab
    given = _beneath(before, true.x, true.y)
    a, b = (-FALSE * np.array(given) / np.hypot(*given)).tolist() if any(given) else (FALSE, 0.0)
    after = model.predict(truth.photo, [Hint(true.x, true.y, a, b, RADIUS)]).ab
    asked = np.subtract((a, b), given)
    came = np.subtract(_beneath(after, true.x, true.y), given)
    change = metrics.chroma(after - before)
    found: Record = {"hint_followed": float(came @ asked / (asked @ asked))}
    if change.max() > FAINT:
        L = truth.photo.thumbnail(max(change.shape))
        found |= _placed(change / np.hypot(*asked), L, _pixel(change.shape, true.x, true.y))
    return _rounded(found)


def _placed(change: Floats, L: Floats, place: tuple[int, int]) -> Record:
    """Where a change (h, w) lies: its shares near and far, its means on the region and off it."""
    distance = _distance(change.shape, place) / max(change.shape)
    near, far = distance <= NEAR, distance > FAR
    joined = region(L, *place)
    ring: NDArray[np.intp] = np.sum([distance > end for end in RINGS], axis=0)
    rings = {
        side: [_mean(change[where & (ring == k)]) for k in range(len(RINGS))]
        for side, where in (("on", joined), ("off", ~joined))
    }
    found: Record = {
        "hint_near": float(change[near].sum() / change.sum()),
        "hint_far": float(change[far].sum() / change.sum()),
        "even": [float(near.mean()), float(far.mean())],
        "rings": rings,
    }
    both = [
        (on, off)
        for on, off, end in zip(rings["on"], rings["off"], RINGS, strict=True)
        if on is not None and off is not None and end <= FAR
    ]
    on, off = np.sum(both, axis=0) if both else (0.0, 0.0)
    if on + off > 0:
        found["hint_kept"] = float(on / (on + off))
    return found


def _pixel(shape: tuple[int, ...], x: float, y: float) -> tuple[int, int]:
    return min(int(y * shape[0]), shape[0] - 1), min(int(x * shape[1]), shape[1] - 1)


def _distance(shape: tuple[int, ...], place: tuple[int, int]) -> NDArray[np.float64]:
    """Of each pixel from one, in pixels."""
    down, across = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(down - place[0], across - place[1])


def _beneath(ab: Floats, x: float, y: float) -> tuple[float, float]:
    """Mean a* and b* beneath a point: of a picture's (h, w, 2)."""
    shape = ab.shape[:2]
    beneath = _distance(shape, _pixel(shape, x, y)) <= RADIUS * max(shape)
    a, b = ab[beneath].mean(axis=0, dtype=np.float64)
    return float(a), float(b)


def _nearness(colouring: Colouring, truth: Truth) -> tuple[float, float]:
    """PSNR and mean CIEDE2000."""
    psnr = min(metrics.PSNR_LIMIT, metrics.psnr(colouring.rgb, truth.rgb))
    return psnr, metrics.delta_e2000_mean(colouring.lab, truth.lab)


def _mean(values: Floats) -> float | None:
    return round(float(values.mean(dtype=np.float64)), 5) if values.size else None


def _means(rows: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Of each column, over those that have a value."""
    columns = (
        [value for value in column if value is not None] for column in zip(*rows, strict=True)
    )
    return [float(np.mean(column)) if column else None for column in columns]


def _rounded(found: Record) -> Record:
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in found.items()}
