"""The arithmetic of `tint`, for the rows between two small rows: compiled, or the same in numpy."""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import color
from retint.color import Floats

try:
    import retint._kernel as compiled
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
X_TO_RGB, _, Z_TO_RGB = (color.XYZ_TO_RGB * color.WHITE_D65).T[:, :, None].astype(np.float32)
ZERO, ONE = np.float32(0), np.float32(1)


class Ends(NamedTuple):
    """Coefficients at the two small rows that full-size rows lie between, each (8, small width).

    Slopes, intercepts, lower and upper bounds of fx - fy and of fz - fy by fy, in this order; and
    what each grows by to its neighbour on the right.
    """

    above: Plane
    right_above: Plane
    below: Plane
    right_below: Plane


class Columns(NamedTuple):
    """The small column to the left of each full-size one, and how far from it that one lies."""

    left: NDArray[np.int32]
    across: Plane


class Tables(NamedTuple):
    """What is looked up: Lab's f by grey code or by root of luminance; the code by root of light.

    shares: (3, codes), in luminance, of red, green and blue; None for grey. tone: (2, len(f)), what
    is added to fx - fy and fz - fy; or None.
    """

    f: Plane
    encoded: Codes
    numbers: Plane
    shares: Plane | None
    tone: Plane | None


def tint_rows(
    codes: Codes, out: Codes, ends: Ends, columns: Columns, down: Plane, tables: Tables
) -> None:
    """Tint rows (rows, width), or (rows, width, 3) where there are shares, into (rows, width, 3).

    down: how far each row lies from the upper to the lower end, (rows,). All are C-contiguous.
    """
    if compiled is None:
        _tint_with_numpy(codes, out, ends, columns, down, tables)
    else:
        compiled.tint(codes, out, *ends, *columns, down, *tables)


def one_band(codes: Codes) -> Codes | None:
    """(rows, width) of codes (rows, width, 3) where R = G = B everywhere; else None."""
    first, last = codes[:1], codes[-1:]
    for part in (first, last, codes):  # a colour picture is mostly told by its first row
        out = np.empty(part.shape[:2], part.dtype)
        if compiled is not None:
            grey = compiled.take_grey(np.ascontiguousarray(part), out)
        else:
            np.copyto(out, part[..., 0])
            grey = np.array_equal(out, part[..., 1]) and np.array_equal(out, part[..., 2])
        if not grey:
            return None
    return out


def tables(kind: tuple[int, int], bits_out: int, tone: Floats | None) -> Tables:
    """For codes of a kind (dimensions, bytes); tone as (256, 2): a* and b* at L* 0..100."""
    dimensions, nbytes = kind
    grey, bits = dimensions == 2, 8 * nbytes
    f, added = _f_by_code(bits) if grey else _f_by_root(bits_out), None
    if tone is not None:
        steps = np.linspace(16 / 116, 1, len(tone))
        shifts = tone[:, 0] / 500, tone[:, 1] / -200
        added = np.array([np.interp(f, steps, shift) for shift in shifts]).astype(np.float32)
    return Tables(f, _encoded(bits_out), _numbers(bits_out), None if grey else _shares(bits), added)


def _tint_with_numpy(
    codes: Codes, out: Codes, ends: Ends, columns: Columns, down: Plane, tables: Tables
) -> None:
    """Tile by tile. `_kernel.c` does the same operations on the same numbers in the same order."""
    rows, width = codes.shape[:2]
    first, second = _grown(*ends[:2], columns), _grown(*ends[2:], columns)
    growth = np.subtract(second, first, out=second)
    step = max(1, TILE // width)
    places = np.empty(14 * TILE, np.float32), np.empty(3 * TILE, np.intp)
    with np.errstate(divide="ignore", invalid="ignore"):  # for _shrink, which says why
        for y in range(0, rows, step):
            tall = slice(y, y + step)
            for x in range(0, width, TILE):
                wide = slice(x, x + TILE)
                tile = codes[tall, wide]
                room = _Room.of(tile.shape[0], tile.shape[1], places)
                np.multiply(growth[:, wide], down[tall, None, None], out=room.coefficients)
                np.add(room.coefficients, first[:, wide], out=room.coefficients)
                _tint(tile, out[tall, wide], room, tables)


def _grown(small: Plane, right: Plane, columns: Columns) -> Plane:
    repeats = np.bincount(columns.left, minlength=small.shape[1])
    row = np.repeat(right, repeats, axis=1)
    np.multiply(row, columns.across, out=row)
    return np.add(row, np.repeat(small, repeats, axis=1), out=row)


def _tint(codes: Codes, out: Codes, room: "_Room", tables: Tables) -> None:
    """One tile: codes (r, c) or (r, c, 3) to out (r, c, 3), the coefficients in the room."""
    white = (len(tables.encoded) - 1) ** 2
    luminance = room.g
    if tables.shares is None:
        np.copyto(room.index, codes)
    else:
        luminance = room.Y
        _luminance(codes, tables.shares, room.index, room.Y, room.t)
        np.multiply(room.Y, np.float32(white), out=room.t)
        np.copyto(room.index, np.sqrt(room.t, out=room.t), casting="unsafe")
    _look_up(tables.f, room.index, room.f)
    np.copyto(room.g, room.f)
    _curve_inverse(room.g, room.t, room.xz[:, 0])

    slope, intercept, low, high = (room.coefficients[:, i : i + 2] for i in (0, 2, 4, 6))
    np.multiply(slope, room.f[:, None], out=room.xz)
    np.add(room.xz, intercept, out=room.xz)
    np.maximum(room.xz, low, out=room.xz)
    np.minimum(room.xz, high, out=room.xz)
    if tables.tone is not None:
        for i in (0, 1):
            _look_up(tables.tone[i], room.index, room.t)
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
        _look_up(tables.encoded, room.indices, out)
    else:
        out[...] = tables.encoded[room.indices]


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
    def of(cls, r: int, c: int, places: tuple[Plane, NDArray[np.intp]]) -> "_Room":
        n = r * c
        floats, integers = places
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


def _luminance(
    codes: Codes, shares: Plane, index: NDArray[np.intp], Y: Plane, spare: Plane
) -> None:
    Y.fill(0)
    for i in range(3):
        np.copyto(index, codes[..., i])
        _look_up(shares[i], index, spare)
        np.add(Y, spare, out=Y)
    np.minimum(Y, ONE, out=Y)


def dtype(bits: int) -> type[np.uint8] | type[np.uint16]:
    """Of codes of 8 or 16 bits."""
    return np.uint8 if bits == 8 else np.uint16


@cache
def linear_by_code(bits: int) -> Floats:
    """Linear light (codes,) by sRGB code of 8 or 16 bits."""
    return color.srgb_to_linear(np.arange(1 << bits) / ((1 << bits) - 1))


@cache
def _linear_by_root(bits: int) -> Floats:
    """Linear light by its root in ROOTS[bits] steps, each taken in its middle."""
    return ((np.arange(ROOTS[bits] + 1) + 0.5) / ROOTS[bits]) ** 2


@cache
def _shares(bits: int) -> Plane:
    """Share in luminance by code of red, of green and of blue: (3, codes)."""
    return (color.LUMINANCE_WEIGHTS[:, None] * linear_by_code(bits)).astype(np.float32)


@cache
def _encoded(bits: int) -> Codes:
    """Code by root of linear light."""
    encoded = color.linear_to_srgb(_linear_by_root(bits).clip(max=1))
    return np.rint(encoded * ((1 << bits) - 1)).astype(dtype(bits))


@cache
def _f_by_code(bits: int) -> Plane:
    return _f(linear_by_code(bits))


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
