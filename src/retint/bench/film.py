"""Models on photographs that have no true colours: how much colour they give, and how evenly."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from retint import color, metrics
from retint.bench.evaluate import coloured, guess
from retint.color import Floats
from retint.colorizer import Colorizer
from retint.errors import InputError
from retint.photo import Photo

LONGEST = 512  # pixels: size at which colour is looked at
GREY = 5.0  # Lab units of chroma: below this a pixel counts as left grey


def look(paths: Iterable[Path], models: dict[str, Colorizer]) -> dict[str, Any]:
    """Figures of each model as plain values: their means, and one per picture.

    `left_grey` is the share of pixels with a chroma below 5. Pictures that cannot be read are left
    out and named.
    """
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in models}
    files: list[str] = []
    left_out: dict[str, str] = {}
    for path in paths:
        try:
            photo = Photo.open(path)
            L = photo.thumbnail(LONGEST)
        except InputError as error:
            left_out[path.name] = str(error)
            continue
        files.append(path.name)
        for name, model in models.items():
            rows[name].append(_figures(coloured(L, guess(model, photo))))
    if not files:
        raise InputError(f"none of the {len(left_out)} photographs can be read")
    return {
        "film": {
            name: {
                "figures": {key: float(np.mean([row[key] for row in found])) for key in found[0]},
                "per_picture": {key: [round(row[key], 4) for row in found] for key in found[0]},
            }
            for name, found in rows.items()
        },
        "files": files,
        "left_out": left_out,
    }


def _figures(rgb: Floats) -> dict[str, float]:
    ab = color.srgb_to_lab(rgb)[..., 1:]
    a, b = ab.reshape(-1, 2).mean(axis=0, dtype=np.float64)
    return {
        "colourfulness": metrics.colourfulness(rgb),
        "left_grey": float((metrics.chroma(ab) < GREY).mean()),
        "mean_a": float(a),
        "mean_b": float(b),
    }
