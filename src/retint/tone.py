"""Is a photograph grey, toned (a sepia), or in real colour? Asked of a small Lab picture."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Tone = Literal["grey", "toned", "colour"]

GREY_CHROMA = 4.0
"""Chroma (Lab units) below which a pixel may be a grey one seen through JPEG's noise."""

FAR = 7.2
"""Distance in the ab plane (Lab units) from the tone's curve beyond which a colour is its own."""

OPPOSITE = 8.0
"""Chroma (Lab units) of the hue opposite to the tone's that no fading makes."""

AREA = 0.004
"""Share of the picture that has to be far from the curve."""


def tone_of(lab: NDArray[np.floating[Any]]) -> Tone:
    """Tell the tone of a Lab picture (h, w, 3), L* 0..100.

    "toned" means that a* and b* are a smooth function of L*, and a slow one of the place (uneven
    fading); "colour" that more than 0.4 % of the picture lies farther than 7.2 Lab units from it
    (along the tone's own hue up to twice as far, since fading goes that way), or on the opposite
    side of grey.
    """
    height, width = lab.shape[:2]
    L, ab = lab[..., 0].reshape(-1).astype(np.float64), lab[..., 1:].reshape(-1, 2)
    if np.mean(np.hypot(ab[:, 0], ab[:, 1]) > GREY_CHROMA) <= AREA / 2:
        return "grey"
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    x, y, level = x.reshape(-1), y.reshape(-1), L / 50 - 1
    powers = [level**n for n in range(5)]
    terms = np.stack([*powers, x, y, x * x, y * y, x * y, x * level, y * level])
    some, seen = terms[:, ::4], ab[::4]  # enough of them for twelve terms
    weights = np.ones(len(seen))
    fit = np.zeros((len(terms), 2))
    for _ in range(6):  # reweighted: real colour must not bend the curve toward itself
        weighted = some * weights
        fit = np.linalg.solve(weighted @ some.T + 1e-6 * np.eye(len(terms)), weighted @ seen)
        weights = 1 / (1 + (np.linalg.norm(seen - some.T @ fit, axis=1) / 4) ** 2)
    tone = terms.T @ fit
    mean = np.average(tone[::4], axis=0, weights=weights)
    strength = float(np.linalg.norm(mean))
    hue = mean / max(strength, 1e-6)
    along = (ab - tone) @ hue / (1 + min(strength, 10) / 10)
    across = (ab - tone) @ np.array([-hue[1], hue[0]])
    far = (np.hypot(along, across) > FAR) | (ab @ hue < -OPPOSITE)
    return "colour" if np.mean(far) > AREA else "toned"


def tone_curve(lab: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """a* and b* of a toned print at L* 0..100 in 256 even steps, (256, 2): smoothed medians."""
    L, ab = lab[..., 0].reshape(-1), lab[..., 1:].reshape(-1, 2)
    edges = np.linspace(0, 100, 33)
    place = np.clip(np.digitize(L, edges) - 1, 0, 31)
    centres, medians, counts = list[float](), list[Any](), list[int]()
    for step in range(32):
        inside = ab[place == step]
        if len(inside):
            centres.append((edges[step] + edges[step + 1]) / 2)
            medians.append(np.median(inside, axis=0))
            counts.append(len(inside))
    at, found, weight = np.array(centres), np.array(medians), np.array(counts, np.float64)
    wanted = np.linspace(0, 100, 256)
    near = np.exp(-(((wanted[:, None] - at) / 6) ** 2) / 2) * weight + 1e-12
    # beyond the print's darkest and lightest the nearest of them holds
    near[wanted < at[0]] = near[np.searchsorted(wanted, at[0])]
    near[wanted > at[-1]] = near[np.searchsorted(wanted, at[-1]) - 1]
    return near @ found / near.sum(axis=1, keepdims=True)
