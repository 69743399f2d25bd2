"""Colour as tensors, with gradients: sRGB, linear light and Lab.

Formulas: IEC 61966-2-1 (sRGB) and CIE 1976 L*a*b* with D65, the same as in `retint.color`. They are
computed in the precision of what comes in: products are written out, since `torch.autocast` would
take those of matrices in bfloat16, and colours would be off by one or two Lab units.
"""

import numpy as np
import torch
from torch import Tensor

from retint.color import RGB_TO_XYZ

TO_WHITE = RGB_TO_XYZ / RGB_TO_XYZ.sum(1, keepdims=True)
"""Linear sRGB to XYZ relative to the white point."""

FROM_WHITE = np.linalg.inv(TO_WHITE)


def to_linear(rgb: Tensor) -> Tensor:
    """sRGB in 0..1 to linear light."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055).clamp_min(0) ** 2.4)


def from_linear(v: Tensor) -> Tensor:
    """Linear light in 0..1 to sRGB."""
    return torch.where(v <= 0.0031308, v * 12.92, 1.055 * v.clamp_min(1e-8) ** (1 / 2.4) - 0.055)


def lightness(Y: Tensor) -> Tensor:
    """Luminance 0..1 to L* 0..100."""
    return 116 * _f(Y) - 16


def grey(L: Tensor) -> Tensor:
    """L* 0..100 to the sRGB of that grey, one channel in 0..1."""
    y = (L + 16) / 116
    return from_linear(torch.where(y > 6 / 29, y**3, (y - 4 / 29) * 3 * (6 / 29) ** 2).clamp(0, 1))


def lab(linear: Tensor) -> Tensor:
    """Linear RGB (n, 3, h, w) in 0..1 to L*a*b* (n, 3, h, w)."""
    x, y, z = _f(_times(TO_WHITE, linear)).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def srgb(L: Tensor, ab: Tensor) -> Tensor:
    """L* (n, 1, h, w) and ab (n, 2, h, w) to sRGB (n, 3, h, w) in 0..1, shrunk into gamut at
    constant luminance."""
    y = (L + 16) / 116
    f = torch.cat((y + ab[:, :1] / 500, y, y - ab[:, 1:] / 200), 1)
    xyz = torch.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2)
    rgb = _times(FROM_WHITE, xyz)
    Y = xyz[:, 1:2].clamp(0, 1)
    away = rgb - Y
    room = torch.where(away > 0, 1 - Y, Y) / away.abs().clamp_min(1e-6)
    return from_linear((Y + away * room.amin(1, keepdim=True).clamp(max=1)).clamp(0, 1))


def spread(ab: Tensor, contrast: float, evening: float) -> Tensor:
    """The same hues, with chroma further apart within each picture and less so between pictures.

    ab (n, 2, h, w), Lab units. Chroma C becomes 20 (C / 20) ** contrast: guesses are too alike,
    pale where there is no colour and no more than pale where there is much. Then each picture is
    divided by (its mean chroma / 10) ** evening, where a mean below 1 counts as 1: with an evening
    of 1 all would be as colourful as each other. A contrast of 1 and an evening of 0 change
    nothing.
    """
    chroma = ab.square().sum(1, keepdim=True).add(1e-6).sqrt()
    ab = ab * (chroma / 20) ** (contrast - 1)
    mean = (ab.square().sum(1, keepdim=True) + 1e-6).sqrt().mean((2, 3), keepdim=True)
    return ab * (mean.clamp_min(1) / 10) ** -evening


def _f(t: Tensor) -> Tensor:
    return torch.where(
        t > (6 / 29) ** 3, t.clamp_min(1e-8) ** (1 / 3), t * (29 / 6) ** 2 / 3 + 4 / 29
    )


def _times(matrix: np.ndarray, x: Tensor) -> Tensor:
    """A 3x3 matrix times each pixel of x (n, 3, h, w)."""
    one, two, three = x.unbind(1)
    return torch.stack([a * one + b * two + c * three for a, b, c in matrix.tolist()], 1)
