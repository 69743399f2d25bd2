"""Colour as pure functions: sRGB, linear light, XYZ, Lab (D65), and the rule that keeps luminance.

Colour arrays are channel-last, `(..., 3)`. float32 in gives float32 out; anything else is computed
in float64.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]

RGB_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
"""Linear sRGB to CIE XYZ with Y of white = 1, (3, 3) (IEC 61966-2-1)."""

XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ)
"""The exact inverse, not the standard's four rounded digits: there and back is the identity."""

WHITE_D65 = RGB_TO_XYZ.sum(axis=1)
"""XYZ of sRGB's white, (3,): what the matrix makes of (1, 1, 1), so that greys have a* = b* = 0."""

LUMINANCE_WEIGHTS = RGB_TO_XYZ[1]
"""Share of linear R, G and B in luminance Y, (3,)."""

# CIE 1976 (CIE 15:2004): the cube root gives way to its tangent below Y = (6/29)^3, that is L* = 8.
LAB_KNEE = 6 / 29
LAB_SLOPE = 3 * LAB_KNEE**2


def srgb_to_linear(v: ArrayLike) -> Floats:
    """Undo sRGB's transfer curve: encoded 0..1 to linear light 0..1, any shape (IEC 61966-2-1)."""
    v = _floats(v)
    return np.where(v <= 0.04045, v / 12.92, ((np.maximum(v, 0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(v: ArrayLike) -> Floats:
    """Apply sRGB's transfer curve: linear light 0..1 to encoded 0..1, any shape (IEC 61966-2-1)."""
    v = _floats(v)
    curve = 1.055 * np.maximum(v, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(v <= 0.0031308, v * 12.92, curve)


def linear_to_xyz(rgb: ArrayLike) -> Floats:
    """Linear sRGB (..., 3) to XYZ (..., 3), Y of white = 1."""
    rgb = _floats(rgb)
    return rgb @ RGB_TO_XYZ.T.astype(rgb.dtype)


def xyz_to_linear(xyz: ArrayLike) -> Floats:
    """XYZ (..., 3), Y of white = 1, to linear sRGB (..., 3), outside 0..1 for colours it lacks."""
    xyz = _floats(xyz)
    return xyz @ XYZ_TO_RGB.T.astype(xyz.dtype)


def luminance_to_lightness(Y: ArrayLike) -> Floats:
    """Luminance Y 0..1 to lightness L* 0..100, any shape (CIE 1976)."""
    return 116 * _lab_curve(_floats(Y)) - 16


def lightness_to_luminance(L: ArrayLike) -> Floats:
    """Lightness L* 0..100 to luminance Y 0..1, any shape (CIE 1976)."""
    return _lab_curve_inverse((_floats(L) + 16) / 116)


def srgb_to_lab(rgb: ArrayLike) -> Floats:
    """Encoded sRGB (..., 3) in 0..1 to Lab (..., 3): L* 0..100, a*, b* +-110 (CIE 1976, D65)."""
    xyz = linear_to_xyz(srgb_to_linear(rgb))
    fx, fy, fz = np.moveaxis(_lab_curve(xyz / WHITE_D65.astype(xyz.dtype)), -1, 0)
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def lab_to_srgb(lab: ArrayLike) -> Floats:
    """Lab (..., 3) to encoded sRGB (..., 3) in 0..1, brought into gamut by `shrink_to_gamut`."""
    L, a, b = np.moveaxis(_floats(lab), -1, 0)
    fy = (L + 16) / 116
    xyz = _lab_curve_inverse(np.stack([fy + a / 500, fy, fy - b / 200], axis=-1))
    return linear_to_srgb(shrink_to_gamut(xyz_to_linear(xyz * WHITE_D65.astype(xyz.dtype))))


def shrink_to_gamut(rgb: ArrayLike) -> Floats:
    """Bring linear sRGB (..., 3) into 0..1 by moving it toward the grey of its own luminance.

    `Y + t * (rgb - Y)` with the largest t <= 1 that fits: luminance stays (where Y itself lies
    in 0..1), only chroma gives way. Colours inside the gamut come back as they were.
    """
    rgb = _floats(rgb)
    luminance = rgb @ LUMINANCE_WEIGHTS.astype(rgb.dtype)
    away = rgb - luminance[..., None]
    Y = np.clip(luminance, 0, 1)
    tiny = np.finfo(rgb.dtype).tiny
    # pairwise: numpy's max over a last axis of three is thirty times slower
    r, g, b = away[..., 0], away[..., 1], away[..., 2]
    up = (1 - Y) / np.maximum(np.maximum(np.maximum(r, g), b), tiny)
    down = Y / np.maximum(-np.minimum(np.minimum(r, g), b), tiny)
    t = np.minimum(1, np.minimum(up, down))
    return np.clip(Y[..., None] + t[..., None] * away, 0, 1)


def _floats(v: ArrayLike) -> Floats:
    array = np.asarray(v)
    return array if array.dtype == np.float32 else array.astype(np.float64)


def _lab_curve(t: Floats) -> Floats:
    """f of CIE 1976: cube root above the knee, its tangent below (also below zero)."""
    root = np.cbrt(np.maximum(t, LAB_KNEE**3))
    return np.where(t > LAB_KNEE**3, root, t / LAB_SLOPE + 4 / 29)


def _lab_curve_inverse(f: Floats) -> Floats:
    return np.where(f > LAB_KNEE, f**3, LAB_SLOPE * (f - 4 / 29))
