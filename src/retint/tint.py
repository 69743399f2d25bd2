"""Full-size colour: luminance codes and a Chroma in, RGB codes of the same luminance out."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from retint import color, kernel
from retint.chroma import Chroma, bilinear_taps
from retint.color import Floats
from retint.errors import ModelError
from retint.kernel import HUGE, Codes, Plane

__all__ = ["Codes", "Part", "Tinter", "lightness"]

MEASURED_ROWS = 128
MEASURED_COLUMNS = 1024


class Part(NamedTuple):
    """A part of a photograph, from pixel (x0, y0) up to, not including, (x1, y1), as it is shown:
    in so many columns and rows.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    columns: int
    rows: int

    @property
    def is_full_size(self) -> bool:
        """Whether it is shown pixel by pixel."""
        return (self.columns, self.rows) == (self.x1 - self.x0, self.y1 - self.y0)


class Tinter:
    """Turn rows of a photograph into rows of colour of the same luminance.

    `color.lab_to_srgb` of the photograph's L* and the grown ab, in one pass. Linear RGB is
    `Y + t * d`: d is the linear RGB of XYZ (X - Xn Y, 0, Z - Zn Y) and has no luminance, whatever
    the ab; t <= 1 is the largest that stays in gamut. So L* stays within 0.30 at 8 bits and 0.002
    at 16, and a grey code that gets no chroma comes back as it was.

    chroma: in stored orientation. width, height: of the photograph. bits_out: 8 or 16.
    tone: (256, 2), a* and b* of a toned print at L* 0..100 in even steps, added to the colour.
    part: whose rows will be given, in place of the whole photograph's.
    measure: whether delta_L will be asked for.
    Rows may be asked for in any order and from several threads, and come out the same.
    Raises ModelError if the chroma is not finite.
    """

    def __init__(
        self,
        chroma: Chroma,
        width: int,
        height: int,
        *,
        bits_out: int,
        tone: Floats | None = None,
        part: Part | None = None,
        measure: bool = True,
    ):
        self.bits_out = bits_out
        self._small = small = _coefficients(chroma)
        self._right = np.diff(small, append=small[:, :, -1:])
        self._tone = tone
        self._tables: dict[tuple[int, int], kernel.Tables] = {}
        h, w, _ = chroma.ab.shape
        part = part or Part(0, 0, width, height, width, height)
        left, _, across = bilinear_taps(w, width, part.x0, part.x1, part.columns)
        self._columns = kernel.Columns(left.astype(np.int32), across)
        self._above, self._below, self._down = bilinear_taps(h, height, part.y0, part.y1, part.rows)
        self._measures = measure
        self._measure_rows = max(1, height // MEASURED_ROWS)
        self._measure_columns = max(1, width // MEASURED_COLUMNS)
        self._measured: dict[int, tuple[float, float]] = {}

    @property
    def delta_L(self) -> tuple[float, float]:
        """Mean and largest |dL*| between what was given and what was returned so far.

        Measured on the codes, over an even sample of at least 128 rows by 1024 columns (of all
        pixels, where there are fewer). The same whatever the order of rows and the threads.
        """
        rows = [self._measured[y] for y in sorted(self._measured)]
        if not rows:
            return 0.0, 0.0
        mean, largest = np.array(rows).T
        return float(mean.mean()), float(largest.max())

    def __call__(self, codes: Codes, y0: int) -> Codes:
        """Tint the rows from y0 on.

        codes: sRGB-encoded uint8 or uint16, (rows, width) grey, or (rows, width, 3) of which the
        luminance is taken. Returns (rows, width, 3), uint8 or uint16 as `bits_out` says.
        """
        rows = len(codes)
        codes = np.ascontiguousarray(codes)
        out = np.empty((*codes.shape[:2], 3), kernel.dtype(self.bits_out))
        kind = codes.ndim, codes.itemsize
        if kind not in self._tables:
            self._tables[kind] = kernel.tables(kind, self.bits_out, self._tone)
        # Rows between the same two small rows share their coefficients.
        turns = (np.flatnonzero(np.diff(self._above[y0 : y0 + rows])) + 1).tolist()
        for start, stop in pairwise([0, *turns, rows]):
            down = self._down[y0 + start : y0 + stop]
            tables = self._tables[kind]
            kernel.tint_rows(
                codes[start:stop],
                out[start:stop],
                self._ends(y0 + start),
                self._columns,
                down,
                tables,
            )
        if self._measures:
            self._measure(codes, out, y0)
        return out

    def _ends(self, y: int) -> kernel.Ends:
        above, below = int(self._above[y]), int(self._below[y])
        return kernel.Ends(
            self._small[above], self._right[above], self._small[below], self._right[below]
        )

    def _measure(self, codes: Codes, out: Codes, y0: int) -> None:
        rows = range(-y0 % self._measure_rows, len(out), self._measure_rows)
        if rows:
            sample = slice(rows.start, None, rows.step), slice(None, None, self._measure_columns)
            errors = np.abs(lightness(out[sample]) - lightness(codes[sample]))
            found = zip(errors.mean(axis=1).tolist(), errors.max(axis=1).tolist(), strict=True)
            self._measured |= {y0 + row: error for row, error in zip(rows, found, strict=True)}


def _coefficients(chroma: Chroma) -> Plane:
    """(h, 8, w): slopes, intercepts, lower and upper bounds of fx - fy and fz - fy.

    Lab's a* = 500 (fx - fy), b* = 200 (fy - fz), L* = 116 fy - 16.
    """
    sets = (chroma.slope, chroma.intercept, chroma.low, chroma.high)
    if not all(np.isfinite(m).all() for m in sets):
        raise ModelError("the model gave colours that are not finite numbers")
    slope, intercept, low, high = (np.clip(m, -HUGE, HUGE).astype(np.float64) for m in sets)
    intercept = intercept - 16 * slope
    slope = 116 * slope
    pairs = (slope, slope), (intercept, intercept), (low, high), (high, low)
    return np.stack(
        [plane for x, z in pairs for plane in (x[..., 0] / 500, z[..., 1] / -200)], axis=1
    ).astype(np.float32)


def lightness(codes: Codes) -> Floats:
    """L* (rows, width) of sRGB codes, (rows, width) grey or (rows, width, 3), 8 or 16 bits."""
    linear = kernel.linear_by_code(8 * codes.itemsize)[codes]
    return color.luminance_to_lightness(
        linear if codes.ndim == 2 else linear @ color.LUMINANCE_WEIGHTS
    )
