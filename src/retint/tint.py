"""The full-size kernel: luminance codes and a Chroma in, RGB codes of the same luminance out."""

import threading
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import color
from retint.chroma import Chroma, bilinear_taps
from retint.color import Floats
from retint.errors import ModelError

try:
    import retint._tint as compiled
except ImportError:  # built without a C compiler: numpy gives the same pixels, more slowly
    compiled = None

Codes: TypeAlias = NDArray[np.unsignedinteger[Any]]
Plane: TypeAlias = NDArray[np.float32]

# Pixels worked on at a time: few enough for their planes to stay in a core's second-level cache,
# enough for the arithmetic to outweigh the calls.
TILE = 32768

# Linear light is encoded through a table over its square root, which spends its steps as the eye
# does. 2^17 of them keep a 16-bit code within 0.36 of its place before rounding: no grey moves.
ROOTS = {8: 1 << 14, 16: 1 << 17}

# Added to luminance on its way out, lest rounding at the edge of the gamut make light negative.
HAIR = 1e-6

# Far outside any colour, and small enough that its cube is a float32.
HUGE = np.float32(1e6)

KNEE = np.float32(color.LAB_KNEE)
SLOPE = np.float32(color.LAB_SLOPE)
TONE_STEPS: Floats = np.linspace(16 / 116, 1, 256)
X_TO_RGB, _, Z_TO_RGB = (color.XYZ_TO_RGB * color.WHITE_D65).T[:, :, None].astype(np.float32)
ZERO, ONE = np.float32(0), np.float32(1)

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
        self._coefficients = small = _coefficients(chroma)
        self._slopes = np.diff(small, append=small[:, :, -1:])
        self._tone = None if tone is None else (tone[:, 0] / 500, tone[:, 1] / -200)
        self._looked_up: dict[tuple[int, int], tuple[Plane, Plane | None]] = {}
        h, w, _ = chroma.ab.shape
        left, _, self._across = bilinear_taps(w, width, 0, width)
        self._repeats = np.bincount(left, minlength=w)
        self._above, self._below, self._down = bilinear_taps(h, height, 0, height)
        self._own = _Own()
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
        out = np.empty((*codes.shape[:2], 3), _dtype(self.bits_out))
        above = self._above[y0 : y0 + rows]
        # Rows between the same two small rows share their coefficients.
        turns = (np.flatnonzero(np.diff(above)) + 1).tolist()
        for start, stop in pairwise([0, *turns, rows]):
            ends = self._grown_rows(y0 + start)
            down = self._down[y0 + start : y0 + stop]
            if compiled is None:
                self._tint_with_numpy(codes[start:stop], out[start:stop], *ends, down)
            else:
                self._tint_compiled(codes[start:stop], out[start:stop], *ends, down)
        self._measure(codes, out, y0)
        return out

    def _tint_compiled(
        self, codes: Codes, out: Codes, first: Plane, growth: Plane, down: Plane
    ) -> None:
        """As `_tint_with_numpy`, to the last bit."""
        assert compiled is not None
        (curve, tone), bits = self._curves(codes), self.bits_out
        shares = None if codes.ndim == 2 else _shares(8 * codes.itemsize)
        tables = curve, _encoded(bits), _numbers(bits), shares, tone
        compiled.tint(codes, out, first, growth, down, *tables)

    def _tint_with_numpy(
        self, codes: Codes, out: Codes, first: Plane, growth: Plane, down: Plane
    ) -> None:
        """Some rows between the same two small rows, tile by tile.

        first, growth: coefficients (8, width) of the small row above, and what they grow by to
        the one below; down: how far between the two each row lies, (rows,).
        """
        rows, width = codes.shape[:2]
        step = max(1, TILE // width)
        with np.errstate(divide="ignore", invalid="ignore"):  # for _shrink, which says why
            for y in range(0, rows, step):
                tall = slice(y, y + step)
                for x in range(0, width, TILE):
                    wide = slice(x, x + TILE)
                    ends = first[:, wide], growth[:, wide]
                    self._tint(codes[tall, wide], out[tall, wide], *ends, down[tall, None, None])

    def _tint(self, codes: Codes, out: Codes, first: Plane, growth: Plane, down: Plane) -> None:
        """One tile: codes (r, c) or (r, c, 3) to out (r, c, 3)."""
        room = self._room(codes.shape[0], codes.shape[1])
        white = ROOTS[self.bits_out] ** 2
        luminance = room.g
        if codes.ndim == 2:
            np.copyto(room.index, codes)
        else:
            luminance = room.Y
            _luminance(codes, room.index, room.Y, room.t)
            np.multiply(room.Y, np.float32(white), out=room.t)
            np.copyto(room.index, np.sqrt(room.t, out=room.t), casting="unsafe")
        curve, tone = self._curves(codes)
        _look_up(curve, room.index, room.f)
        np.copyto(room.g, room.f)
        _curve_inverse(room.g, room.t, room.xz[:, 0])

        np.multiply(growth, down, out=room.coefficients)
        np.add(room.coefficients, first, out=room.coefficients)
        slope, intercept, low, high = (room.coefficients[:, i : i + 2] for i in (0, 2, 4, 6))
        np.multiply(slope, room.f[:, None], out=room.xz)
        np.add(room.xz, intercept, out=room.xz)
        np.maximum(room.xz, low, out=room.xz)
        np.minimum(room.xz, high, out=room.xz)
        if tone is not None:
            for i in (0, 1):
                _look_up(tone[i], room.index, room.t)
                np.add(room.xz[:, i], room.t, out=room.xz[:, i])
        np.add(room.xz, room.f[:, None], out=room.xz)
        _curve_inverse(room.xz, *room.spare_2)
        np.subtract(room.xz, room.g[:, None], out=room.xz)

        np.multiply(room.xz[:, :1], X_TO_RGB, out=room.rgb)
        np.multiply(room.xz[:, 1:], Z_TO_RGB, out=room.spare_3)
        np.add(room.rgb, room.spare_3, out=room.rgb)
        _shrink(room.rgb, luminance, room.t, room.f)
        np.multiply(room.t, np.float32(white), out=room.t)
        np.multiply(luminance, np.float32(white * (1 + HAIR)), out=room.f)
        np.multiply(room.rgb, room.t[:, None], out=room.rgb)
        np.add(room.rgb, room.f[:, None], out=room.rgb)
        for i in range(3):
            np.sqrt(room.rgb[:, i], out=room.roots[..., i])
        np.copyto(room.whole, room.roots, casting="unsafe")
        np.copyto(room.indices, room.whole)  # by way of int32: processors convert those at once
        if out.flags.c_contiguous:
            _look_up(_encoded(self.bits_out), room.indices, out)
        else:
            out[...] = _encoded(self.bits_out)[room.indices]

    def _curves(self, codes: Codes) -> tuple[Plane, Plane | None]:
        """Lab's f, and the tone added to x and z if any, by grey code or by root of luminance."""
        kind = codes.ndim, codes.itemsize
        if kind not in self._looked_up:
            grey, bits = codes.ndim == 2, 8 * codes.itemsize
            curve, tone = _f_by_code(bits) if grey else _f_by_root(self.bits_out), None
            if self._tone is not None:
                tone = np.array([np.interp(curve, TONE_STEPS, added) for added in self._tone])
                tone = tone.astype(np.float32)
            self._looked_up[kind] = curve, tone
        return self._looked_up[kind]

    def _room(self, r: int, c: int) -> "_Room":
        own = self._own
        if (r, c) not in own.rooms:
            own.rooms[r, c] = _Room.within(own.floats, own.integers, r, c)
        return own.rooms[r, c]

    def _grown_rows(self, y: int) -> tuple[Plane, Plane]:
        """Coefficients (8, width) of the small row above y, and what they grow by to the next."""
        above = int(self._above[y])
        if self._own.above != above:
            first, second = self._grown_row(above), self._grown_row(int(self._below[y]))
            self._own.above, self._own.rows = above, (first, second - first)
        return self._own.rows

    def _grown_row(self, y: int) -> Plane:
        row = np.repeat(self._slopes[y], self._repeats, axis=1)
        np.multiply(row, self._across, out=row)
        return np.add(row, np.repeat(self._coefficients[y], self._repeats, axis=1), out=row)

    def _measure(self, codes: Codes, out: Codes, y0: int) -> None:
        rows = range(-y0 % self._measure_rows, len(out), self._measure_rows)
        if rows:
            sample = slice(rows.start, None, rows.step), slice(None, None, self._measure_columns)
            errors = np.abs(lightness(out[sample]) - lightness(codes[sample]))
            found = zip(errors.mean(axis=1).tolist(), errors.max(axis=1).tolist(), strict=True)
            self._measured |= {y0 + row: error for row, error in zip(rows, found, strict=True)}


class _Own(threading.local):
    """What each thread keeps between tiles and calls."""

    rows: tuple[Plane, Plane]
    above: int | None = None

    def __init__(self) -> None:
        self.floats = np.empty(14 * TILE, np.float32)
        self.integers = np.empty(3 * TILE, np.intp)
        self.rooms: dict[tuple[int, int], _Room] = {}


@dataclass(frozen=True)
class _Room:
    """Views for a tile of (r, c) pixels; what is needed at different times shares a place."""

    f: Plane
    g: Plane
    Y: Plane
    t: Plane
    xz: Plane  # (r, 2, c)
    coefficients: Plane  # (r, 8, c), and when they have been used, in their place:
    spare_2: tuple[Plane, Plane]  # (r, 2, c)
    rgb: Plane  # (r, 3, c)
    spare_3: Plane  # (r, 3, c)
    roots: Plane  # (r, c, 3), where spare_3 was
    whole: NDArray[np.int32]  # (r, c, 3), where rgb was
    index: NDArray[np.intp]
    indices: NDArray[np.intp]  # (r, c, 3)

    @classmethod
    def within(cls, floats: Plane, integers: NDArray[np.intp], r: int, c: int) -> "_Room":
        n = r * c
        place = floats[6 * n : 14 * n]
        return cls(
            *floats[: 4 * n].reshape(4, r, c),
            xz=floats[4 * n : 6 * n].reshape(r, 2, c),
            coefficients=place.reshape(r, 8, c),
            spare_2=(place[: 2 * n].reshape(r, 2, c), place[2 * n : 4 * n].reshape(r, 2, c)),
            rgb=place[: 3 * n].reshape(r, 3, c),
            spare_3=place[3 * n : 6 * n].reshape(r, 3, c),
            roots=place[3 * n : 6 * n].reshape(r, c, 3),
            whole=place[: 3 * n].view(np.int32).reshape(r, c, 3),
            index=integers[:n].reshape(r, c),
            indices=integers[: 3 * n].reshape(r, c, 3),
        )


def _look_up(table: NDArray[Any], index: NDArray[np.intp], out: NDArray[Any]) -> None:
    # No index is out of range, but only the modes that expect it write straight into out; and any
    # other kind of integer would be copied.
    np.take(table, index, out=out, mode="wrap")


def _curve_inverse(f: Plane, m: Plane, spare: Plane) -> None:
    """Undo Lab's curve in place: f^3 above the knee, below it the tangent there.

    As m^3 + slope * (f - m) with m = max(f, knee).
    """
    np.clip(f, KNEE, HUGE, out=m)  # faster than np.maximum of a plane and a number
    np.multiply(m, m, out=spare)
    np.subtract(spare, SLOPE, out=spare)
    np.multiply(spare, m, out=spare)
    np.multiply(f, SLOPE, out=f)
    np.add(f, spare, out=f)


def _shrink(rgb: Plane, Y: Plane, t: Plane, spare: Plane) -> None:
    """t = the largest up to 1 with 0 <= Y + t * rgb <= 1, for rgb (r, 3, c) without luminance.

    Without chroma this divides by zero: x / 0 is no limit, nor is 0 / 0 in black and in white,
    which fmin ignores.
    """
    np.max(rgb, axis=1, out=spare)
    np.add(spare, ZERO, out=spare)  # of -0 and 0 it may be either: make it 0
    np.subtract(ONE, Y, out=t)
    np.divide(t, spare, out=t)
    np.min(rgb, axis=1, out=spare)
    np.subtract(ZERO, spare, out=spare)  # not negated, for the same reason
    np.divide(Y, spare, out=spare)
    np.fmin(t, spare, out=t)
    np.clip(t, ZERO, ONE, out=t)


def _luminance(codes: Codes, index: NDArray[np.intp], Y: Plane, spare: Plane) -> None:
    Y.fill(0)
    for i, shares in enumerate(_shares(8 * codes.itemsize)):
        np.copyto(index, codes[..., i])
        _look_up(shares, index, spare)
        np.add(Y, spare, out=Y)
    np.minimum(Y, ONE, out=Y)


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
    linear = _linear_by_code(8 * codes.itemsize)[codes]
    return color.luminance_to_lightness(
        linear if codes.ndim == 2 else linear @ color.LUMINANCE_WEIGHTS
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
def _shares(bits: int) -> Plane:
    """Share in luminance by code of red, of green and of blue: (3, codes)."""
    return (color.LUMINANCE_WEIGHTS[:, None] * _linear_by_code(bits)).astype(np.float32)


@cache
def _encoded(bits: int) -> Codes:
    """Code by root of linear light."""
    encoded = color.linear_to_srgb(_linear_by_root(bits).clip(max=1))
    return np.rint(encoded * ((1 << bits) - 1)).astype(_dtype(bits))


@cache
def _f_by_code(bits: int) -> Plane:
    return _f(_linear_by_code(bits))


@cache
def _f_by_root(bits: int) -> Plane:
    return _f(_linear_by_root(bits))


def _f(luminance: Floats) -> Plane:
    return ((color.luminance_to_lightness(luminance) + 16) / 116).astype(np.float32)


@cache
def _numbers(bits: int) -> Plane:
    """The constants of `_tint.c`, in its order."""
    white = ROOTS[bits] ** 2
    of_xz = X_TO_RGB.ravel(), Z_TO_RGB.ravel()
    return np.array([KNEE, SLOPE, white, white * (1 + HAIR), *of_xz[0], *of_xz[1]], np.float32)
