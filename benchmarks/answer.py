"""How a network's distribution is best turned into colours, tried on a frozen set of photographs.

    python benchmarks/answer.py runs/NAME/best.pt benchmarks/sets/validation.json PHOTOS

Each line is one way: sizes whose answers are averaged, temperature, share of the prior added back,
blur of the distribution's logarithms (pixels at a quarter of the size), contrast and evening of the
chroma (`retint.layers.lab.spread`). The gain is set so that the
set is as colourful as `--vivid` of the truth; then the ways can be compared by error alone. Ways
are tried one change at a time from the network's own; `--limit` takes fewer photographs.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retint import color, export, metrics
from retint.bench.frozen import open_set
from retint.bench.sets import Truth
from retint.layers import bins
from retint.layers.lab import spread
from retint.models import family

SIDE = 192  # shorter side at which photographs are shown, pixels


@dataclass(frozen=True)
class Way:
    """One way of turning distributions into colours."""

    scales: tuple[float, ...]
    temperature: float
    prior_weight: float
    blur: int = 0
    contrast: float = 1.0
    evening: float = 0.0

    def __str__(self) -> str:
        sizes = "+".join(f"{scale:g}" for scale in self.scales)
        distribution = f"{sizes:>16}  {self.temperature:4.2f}  {self.prior_weight:+5.2f}"
        return f"{distribution}  {self.blur:4d}  {self.contrast:5.2f}  {self.evening:4.2f}"


def ways(own: Way) -> Iterator[Way]:
    """The network's own way, and others that differ in one thing."""
    yield own
    for scales in ((1.0,), (1.0, 0.667), (1.0, 0.5), (1.0, 0.667, 0.5), (1.333, 1.0, 0.667)):
        yield replace(own, scales=scales)
    for temperature in (0.2, 0.3, 0.38, 0.5, 0.7, 1.0):
        yield replace(own, temperature=temperature)
    for weight in (-0.3, 0.0, 0.2, 0.4, 0.6):
        yield replace(own, prior_weight=weight)
    for blur in (3, 5, 9):
        yield replace(own, blur=blur)
    for contrast in (1.0, 1.25, 1.5, 1.75):
        for evening in (0.0, 0.25, 0.4, 0.6):
            yield replace(own, contrast=contrast, evening=evening)


def logarithms(net: Any, L: Tensor, scale: float, size: Sequence[int]) -> Tensor:
    """Mean logarithm of the distributions of the picture at this size, and of its mirror image."""
    shown = [max(32, round(side * scale / 32) * 32) for side in L.shape[2:]]
    small = F.interpolate(L, size=shown, mode="bilinear", antialias=True)
    answer = net(torch.cat((small, small.flip(3)))).logits.float()
    there, back = torch.log_softmax(answer, 1)
    return F.interpolate(((there + back.flip(2)) / 2)[None], size=list(size), mode="bilinear")


def colours(net: Any, logits: Tensor, way: Way) -> Tensor:
    """ab (1, 2, h, w), Lab units."""
    if way.blur:
        margin = way.blur // 2
        padded = F.pad(logits, (margin,) * 4, mode="replicate")
        logits = F.avg_pool2d(padded, way.blur, 1)
    mixed = ((net.prior + 1 / len(net.prior)) / 2).log()[:, None, None]
    ab = bins.annealed_mean(logits + way.prior_weight * mixed, net.centres, way.temperature)
    return spread(ab, way.contrast, way.evening)


class Tried:
    """One way's colours of all photographs, at half their size."""

    def __init__(self) -> None:
        self.ab: list[np.ndarray] = []

    def figures(self, truths: Sequence[np.ndarray], vivid: float) -> dict[str, float]:
        """Errors once the set is so colourful."""
        true = float(np.mean([metrics.colourfulness(color.lab_to_srgb(t)) for t in truths]))
        gain = 1.0
        for _ in range(4):
            shown = [
                color.lab_to_srgb(_lab(t, ab * gain)) for t, ab in zip(truths, self.ab, strict=True)
            ]
            gain *= vivid * true / float(np.mean([metrics.colourfulness(rgb) for rgb in shown]))
        error, away, apart = metrics.DeltaE2000(), metrics.RebalancedAUC(), []
        bias = metrics.ColourBias()
        for truth, ab in zip(truths, self.ab, strict=True):
            rgb = color.lab_to_srgb(_lab(truth, ab * gain))
            guess = color.srgb_to_lab(rgb)
            error.update(guess, truth)
            away.update(guess[..., 1:], truth[..., 1:])
            bias.update(guess[..., 1:], truth[..., 1:])
            apart.append(metrics.delta_colourfulness(rgb, color.lab_to_srgb(truth)))
        cast = bias.compute()
        return {
            "gain": gain, "dE": error.compute(), "AuC": away.compute(),
            "a": cast.a, "b": cast.b, "dC": float(np.mean(apart)),
        }  # fmt: skip


def _lab(truth: np.ndarray, ab: np.ndarray) -> np.ndarray:
    return np.concatenate([truth[..., :1], ab], -1, dtype=np.float32)


def _halved(truth: Truth) -> np.ndarray:
    """Lab of a photograph reduced to `SIDE`, then halved."""
    height, width = truth.size
    longest = round(SIDE / min(height, width) * max(height, width))
    return truth.photo.thumbnail_lab(longest // 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("set", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--vivid", type=float, default=0.85)
    parser.add_argument("--own", action="store_true", help="try the network's own way alone")
    given = parser.parse_args()

    name, config, weights = export.state_of(given.model)
    architecture = family(name)
    net = architecture.Net(architecture.Config(**config))
    net.load_state_dict(weights)
    net.eval()
    how = net.config
    own = Way(
        tuple(how.scales),
        how.temperature,
        how.prior_weight,
        contrast=how.contrast,
        evening=how.evening,
    )
    tried = {way: Tried() for way in ([own] if given.own else dict.fromkeys(ways(own)))}
    scales = sorted(set(itertools.chain.from_iterable(way.scales for way in tried)))
    truths: list[np.ndarray] = []
    chosen = open_set(given.set, given.pictures, given.limit)
    with torch.inference_mode():
        for truth in chosen.opened(chosen.files):
            lab = _halved(truth)
            truths.append(lab)
            height, width = truth.size
            longest = round(SIDE / min(height, width) * max(height, width))
            L = torch.from_numpy(truth.photo.thumbnail(longest))[None, None]
            size = [-(-side // 4) for side in L.shape[2:]]
            at = {scale: logarithms(net, L, scale, size) for scale in scales}
            for way, kept in tried.items():
                mean = torch.stack([at[scale] for scale in way.scales]).mean(0)
                ab = F.interpolate(colours(net, mean, way), size=lab.shape[:2], mode="bilinear")
                kept.ab.append(ab[0].permute(1, 2, 0).numpy())
    grey = metrics.DeltaE2000()
    for truth in truths:
        grey.update(_lab(truth, np.zeros_like(truth[..., 1:])), truth)
    found = f"{len(truths)} photographs, grey dE {grey.compute():.2f}"
    print(f"{found}, colourfulness {given.vivid:g} of the true")
    columns = "           sizes  temp  prior  blur  contr  even   gain     dE    AuC      a      b"
    print(f"{columns}     dC")
    for way, kept in tried.items():
        f = kept.figures(truths, given.vivid)
        print(
            f"{way}  {f['gain']:5.2f}  {f['dE']:5.2f}  {f['AuC']:5.2f}"
            f"  {f['a']:+5.2f}  {f['b']:+5.2f}  {f['dC']:5.2f}"
        )


if __name__ == "__main__":
    main()
