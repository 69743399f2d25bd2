"""The colours of many pictures in one: how often each a* and b* occurs, drawn in its own colour."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from retint.color import lab_to_srgb
from retint.data.measure import CELL, CELLS, REACH

SHOWN = 80
"""The picture covers a* and b* from -80 to 80; beyond lies little of sRGB."""

SCALE = 5
"""Pixels for each cell of the histogram."""

FAINTEST = 1e-5
"""Share of the most frequent cell that is drawn darkest."""


def draw(histogram: NDArray[np.int64], mean: tuple[float, float] | None = None) -> Image.Image:
    """Draw an ab histogram (CELLS, CELLS): a* to the right, b* upward, log density as lightness.

    Lines stand at a* = 0 and b* = 0; a ring at `mean`, the cast.
    """
    margin = (REACH - SHOWN) // CELL
    counts = histogram[margin : CELLS - margin, margin : CELLS - margin].astype(np.float64)
    density = np.log(np.maximum(counts / max(1, counts.max()), FAINTEST)) / -np.log(FAINTEST) + 1
    centre = (np.arange(len(counts)) + 0.5) * CELL - SHOWN
    b, a = np.meshgrid(centre, centre, indexing="ij")
    lab = np.stack([25 + 65 * density, a, b], axis=-1)
    codes = np.where(counts[..., None] > 0, lab_to_srgb(lab) * 255, 22).round().astype(np.uint8)
    image = Image.fromarray(codes[::-1]).resize(
        (len(counts) * SCALE, len(counts) * SCALE), Image.Resampling.NEAREST
    )
    pen = ImageDraw.Draw(image)
    x, y = _place(0, 0)
    pen.line((x, 0, x, image.height), fill=(110, 110, 110))
    pen.line((0, y, image.width, y), fill=(110, 110, 110))
    if mean is not None:
        x, y = _place(*mean)
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), outline="black", width=3)
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline="white", width=1)
    return image


def _place(a: float, b: float) -> tuple[int, int]:
    """Pixel of a colour."""
    return round((a + SHOWN) / CELL * SCALE), round((SHOWN - b) / CELL * SCALE)
