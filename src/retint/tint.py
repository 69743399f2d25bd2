"""The full-size kernel: luminance codes and a Chroma in, RGB codes of the same luminance out."""

import threading
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import color
from retint.chroma import Chroma, bilinear_taps
from retint.color import Floats
from retint.errors import ModelError

Codes: TypeAlias = NDArray[np.unsignedinteger[Any]]
Plane: TypeAlias = NDArray[np.float32]

# Pixels worked on at a time, so that their planes stay in a core's second-level cache.
TILE = 12288
TILE_ROWS = 64

# Linear light is encoded through a table over its square root, which spends its steps as the eye
# does. 2^17 of them keep a 16-bit code within 0.36 of its place before rounding: no grey moves.
ROOTS = {8: 1 << 14, 16: 1 << 17}

# Added to luminance on its way out, lest rounding at the edge of the gamut make light negative.
HAIR = 1e-6

# Far outside any colour, and small enough that its cube is a float32.
UTMOST = 1e6

KNEE = np.float32(color.LAB_KNEE)
SLOPE = np.float32(color.LAB_SLOPE)
TONE_STEPS: Floats = np.linspace(16 / 116, 1, 256)
XZ_TO_RGB = (color.XYZ_TO_RGB * color.WHITE_D65)[:, [0, 2]].astype(np.float32)

MEASURED_ROWS = 128
MEASURED_COLUMNS = 1024


class Tinter:
    """Turn rows of a photograph into rows of colour of the same luminance.

    `color.lab_to_srgb` of the photograph's L* and the grown ab, in one pass. Linear RGB is
    `Y + t * d`: d is the linear RGB of XYZ (X - Xn Y, 0, Z - Zn Y) and has no luminance, whatever
    the ab; t <= 1 is the largest that stays in gamut. So L* stays within 0.30 at 8 bits and 0.002
    at 16, and a grey code that gets no chroma comes back as it was.

    chroma: in stored orientation. width, height: of the photograph. bits_out: 8 or 16.
    tone: (256, 2), a* and b* of a toned print at L* 0..100 in even steps, added to the colour.
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
    ):
        self.bits_out = bits_out
        self._coefficients = _coefficients(chroma)
        self._tone = None if tone is None else (tone[:, 0] / 500, tone[:, 1] / -200)
        h, w, _ = chroma.ab.shape
        self._left, self._right, self._across = bilinear_taps(w, width, 0, width)
        self._above, self._below, self._down = bilinear_taps(h, height, 0, height)
        self._scratch = threading.local()
        self._measure_rows = -(-height // MEASURED_ROWS)
        self._measure_columns = -(-width // MEASURED_COLUMNS)
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
        rows, width = codes.shape[:2]
        out = np.empty((rows, width, 3), _dtype(self.bits_out))
        above = self._above[y0 : y0 + rows]
        # Rows between the same two small rows share their coefficients.
        turns = (np.flatnonzero(np.diff(above)) + 1).tolist()
        with np.errstate(divide="ignore", invalid="ignore"):  # for _shrink, which says why
            for start, stop in pairwise([0, *turns, rows]):
                first, growth = self._grown_rows(y0 + start)
                for top in range(start, stop, TILE_ROWS):
                    band = slice(top, min(top + TILE_ROWS, stop))
                    down = self._down[y0 + band.start : y0 + band.stop, None]
                    across = TILE // len(down)
                    for x in range(0, width, across):
                        tile = band, slice(x, x + across)
                        ends = first[:, tile[1]], growth[:, tile[1]]
                        self._tint(codes[tile], ends, down, out[tile])
        self._measure(codes, out, y0)
        return out

    def _tint(self, codes: Codes, ends: tuple[Plane, Plane], down: Plane, out: Codes) -> None:
        """One tile: codes (r, c) or (r, c, 3) to out (r, c, 3).

        ends: coefficients (8, c) of the small row above and their growth to the one below; down:
        how far down between them each row lies, (r, 1).
        """
        planes, indices = self._room(codes.shape[:2])
        fy, g, luminance, x, z, red, green, blue, t, spare = planes
        white = ROOTS[self.bits_out] ** 2
        if codes.ndim == 2:
            curve, index = _curve_by_code(8 * codes.itemsize), codes
            np.take(curve.inverse, index, out=g, mode="clip")
            luminance = g
        else:
            curve, index = _curve_by_root(self.bits_out), indices[..., 0]
            _luminance(codes, luminance, spare)
            np.multiply(luminance, np.float32(white), out=spare)
            np.copyto(index, np.sqrt(spare, out=spare), casting="unsafe")
            np.take(curve.inverse, index, out=g, mode="clip")
        np.take(curve.f, index, out=fy, mode="clip")

        for i, plane in enumerate((x, z)):
            _grow(fy, ends[0][4 * i :], ends[1][4 * i :], down, plane, spare)
            if self._tone is not None:
                _add_tone(plane, self._tone[i], fy)
            np.add(plane, fy, out=plane)
            _curve_inverse(plane, t, spare)
            np.subtract(plane, g, out=plane)

        rgb = red, green, blue
        for plane, (of_x, of_z) in zip(rgb, XZ_TO_RGB, strict=True):
            np.multiply(x, of_x, out=plane)
            np.multiply(z, of_z, out=spare)
            np.add(plane, spare, out=plane)
        _shrink(rgb, luminance, t, spare)
        np.multiply(t, np.float32(white), out=t)
        np.multiply(luminance, np.float32(white * (1 + HAIR)), out=g)
        for i, plane in enumerate(rgb):
            np.multiply(plane, t, out=plane)
            np.add(plane, g, out=plane)
            np.copyto(indices[..., i], np.sqrt(plane, out=plane), casting="unsafe")
        out[...] = np.take(_encoded(self.bits_out), indices, mode="clip")

    def _room(self, shape: tuple[int, ...]) -> tuple[Plane, NDArray[np.intp]]:
        """Ten planes and three of indices for a tile, this thread's own, kept between calls."""
        if not hasattr(self._scratch, "planes"):
            self._scratch.planes = np.empty((10, TILE), np.float32)
            self._scratch.indices = np.empty(3 * TILE, np.intp)
        n = shape[0] * shape[1]
        planes, indices = self._scratch.planes, self._scratch.indices
        return planes[:, :n].reshape(10, *shape), indices[: 3 * n].reshape(*shape, 3)

    def _grown_rows(self, y: int) -> tuple[Plane, Plane]:
        """Coefficients grown to full width for the small row above y, and the way to the next."""
        above, below = int(self._above[y]), int(self._below[y])
        if getattr(self._scratch, "above", None) != above:
            first, second = (
                small[:, self._left] + self._across * (small[:, self._right] - small[:, self._left])
                for small in (self._coefficients[above], self._coefficients[below])
            )
            self._scratch.above, self._scratch.rows = above, (first, second - first)
        return self._scratch.rows

    def _measure(self, codes: Codes, out: Codes, y0: int) -> None:
        for y in range(y0, y0 + len(out)):
            if y % self._measure_rows == 0:
                row = y - y0, slice(None, None, self._measure_columns)
                error = np.abs(_lightness(out[row]) - _lightness(codes[row]))
                self._measured[y] = float(error.mean()), float(error.max())


def _grow(fy: Plane, first: Plane, growth: Plane, down: Plane, delta: Plane, spare: Plane) -> None:
    """delta = slope * fy + intercept within low..high, each of the four `first + down * growth`."""
    np.multiply(growth[0], down, out=delta)
    np.add(delta, first[0], out=delta)
    np.multiply(delta, fy, out=delta)
    for i, combine in ((1, np.add), (2, np.maximum), (3, np.minimum)):
        np.multiply(growth[i], down, out=spare)
        np.add(spare, first[i], out=spare)
        combine(delta, spare, out=delta)


def _add_tone(delta: Plane, tone: Floats, fy: Plane) -> None:
    np.add(delta, np.interp(fy, TONE_STEPS, tone), out=delta, casting="same_kind")


def _curve_inverse(f: Plane, m: Plane, spare: Plane) -> None:
    """Undo Lab's curve in place: f^3 above the knee, below it the tangent there.

    As m^3 + slope * (f - m) with m = max(f, knee).
    """
    np.maximum(f, KNEE, out=m)
    np.multiply(m, m, out=spare)
    np.subtract(spare, SLOPE, out=spare)
    np.multiply(spare, m, out=spare)
    np.multiply(f, SLOPE, out=f)
    np.add(f, spare, out=f)


def _shrink(rgb: tuple[Plane, Plane, Plane], Y: Plane, t: Plane, spare: Plane) -> None:
    """t = the largest up to 1 with 0 <= Y + t * rgb <= 1, for rgb without luminance.

    Without chroma this divides by zero: x / 0 is no limit, nor is 0 / 0 in black and in white,
    which fmin ignores.
    """
    red, green, blue = rgb
    np.maximum(red, green, out=spare)
    np.maximum(spare, blue, out=spare)
    np.subtract(1, Y, out=t)
    np.divide(t, spare, out=t)
    np.minimum(red, green, out=spare)
    np.minimum(spare, blue, out=spare)
    np.subtract(0, spare, out=spare)  # not negated: that would make -0, and -inf of x / -0
    np.divide(Y, spare, out=spare)
    np.fmin(t, spare, out=t)
    np.fmin(t, 1, out=t)


def _luminance(codes: Codes, Y: Plane, spare: Plane) -> None:
    Y.fill(0)
    for i, shares in enumerate(_shares(8 * codes.itemsize)):
        np.take(shares, codes[..., i], out=spare, mode="clip")
        np.add(Y, spare, out=Y)
    np.minimum(Y, 1, out=Y)


def _coefficients(chroma: Chroma) -> Plane:
    """(h, 8, w): slope, intercept, low, high of X's and of Z's distance from fy.

    Lab's a* = 500 (fx - fy), b* = 200 (fy - fz), L* = 116 fy - 16.
    """
    sets = (chroma.slope, chroma.intercept, chroma.low, chroma.high)
    if not all(np.isfinite(m).all() for m in sets):
        raise ModelError("the model gave colours that are not finite numbers")
    slope, intercept, low, high = (np.clip(m, -UTMOST, UTMOST).astype(np.float64) for m in sets)
    intercept = intercept - 16 * slope
    slope = 116 * slope
    x = [m[..., 0] / 500 for m in (slope, intercept, low, high)]
    z = [m[..., 1] / -200 for m in (slope, intercept, high, low)]
    return np.stack([*x, *z], axis=1).astype(np.float32)


def _lightness(codes: Codes) -> Floats:
    """L* of grey (...) or RGB (..., 3) codes along one row."""
    linear = _linear_by_code(8 * codes.itemsize)[codes]
    return color.luminance_to_lightness(
        linear if codes.ndim == 1 else linear @ color.LUMINANCE_WEIGHTS
    )


def _dtype(bits: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if bits == 8 else np.uint16


@cache
def _linear_by_code(bits: int) -> Floats:
    """Linear light by code."""
    return color.srgb_to_linear(np.arange(1 << bits) / ((1 << bits) - 1))


@cache
def _linear_by_root(bits: int) -> Floats:
    """Linear light by its root in ROOTS[bits] steps, each taken in its middle."""
    return ((np.arange(ROOTS[bits] + 1) + 0.5) / ROOTS[bits]) ** 2


@cache
def _shares(bits: int) -> list[Plane]:
    """Share in luminance by code of red, of green and of blue."""
    return [(w * _linear_by_code(bits)).astype(np.float32) for w in color.LUMINANCE_WEIGHTS]


@cache
def _encoded(bits: int) -> Codes:
    """Code by root of linear light."""
    encoded = color.linear_to_srgb(_linear_by_root(bits).clip(max=1))
    return np.rint(encoded * ((1 << bits) - 1)).astype(_dtype(bits))


class _Curve(NamedTuple):
    f: Plane
    inverse: Plane


@cache
def _curve_by_code(bits: int) -> _Curve:
    return _curve(_linear_by_code(bits))


@cache
def _curve_by_root(bits: int) -> _Curve:
    return _curve(_linear_by_root(bits))


def _curve(luminance: Floats) -> _Curve:
    """Lab's f of luminance, and what `_curve_inverse` makes of that.

    It must be the same to the last bit, for a pixel without chroma to stay without.
    """
    f = ((color.luminance_to_lightness(luminance) + 16) / 116).astype(np.float32)
    inverse = f.copy()
    _curve_inverse(inverse, np.empty_like(f), np.empty_like(f))
    return _Curve(f, inverse)
