"""Models on a set of colour pictures: each is shown the lightness and judged by the true colour."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retint import color, hub, metrics
from retint.bench.contestants import Kind, coloured, guess
from retint.bench.sets import Truth, pictures
from retint.chroma import Chroma
from retint.color import Floats
from retint.colorizer import Colorizer
from retint.errors import InputError
from retint.photo import Photo
from retint.predict import resize

SEED = 0
"""Of the order in which pictures hand their colours on for the shuffled rows."""

PSNR_LIMIT = 100.0
"""What a picture without any error counts, in dB, so that a set has a mean."""

COLOURLESS = 1.0
"""Colourfulness below which a picture has none: that of rounding."""

__all__ = [
    "Evaluation",
    "Kind",
    "Row",
    "Truth",
    "coloured",
    "evaluate",
    "guess",
    "measure",
    "pictures",
]


@dataclass(frozen=True)
class Row:
    """One way of colouring, judged on every picture of the set.

    `figures`: by metric, one value per picture, in the set's order. `by_bin`: of the whole set, see
    `metrics.auc_by_bin`. `model`: the name of the model that a row belongs to, or "".
    """

    kind: Kind
    model: str
    figures: dict[str, NDArray[np.float64]]
    by_bin: NDArray[np.float64]

    @property
    def name(self) -> str:
        """What to call the row in a table."""
        if self.kind == "model":
            return self.model
        return f"{self.model}, shuffled" if self.kind == "shuffled" else self.kind


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found. `histogram`: of the true colours, the prior of the rebalanced AuC."""

    rows: list[Row]
    files: list[str]
    left_out: dict[str, str]
    sha256: str
    true_colourfulness: NDArray[np.float64]
    histogram: NDArray[np.int64]
    mean_ab: tuple[float, float]
    mean_ab_of: str


def measure(rgb: Floats, lab: Floats, truth: Truth) -> dict[str, float]:
    """Figures of one colouring, given as rgb and as lab; the keys are the names in every report."""
    bias_a, bias_b = metrics.colour_bias(lab[..., 1:], truth.lab[..., 1:])
    return {
        "delta_e": float(metrics.delta_e2000(lab, truth.lab).mean(dtype=np.float64)),
        "psnr": min(PSNR_LIMIT, metrics.psnr(rgb, truth.rgb)),
        "psnr_ab": min(PSNR_LIMIT, metrics.psnr_ab(lab[..., 1:], truth.lab[..., 1:])),
        "colourfulness": metrics.colourfulness(rgb),
        "chroma": float(metrics.chroma(lab[..., 1:]).mean(dtype=np.float64)),
        "bias_a": bias_a,
        "bias_b": bias_b,
    }


def evaluate(
    models: dict[str, Colorizer],
    folder: Path,
    *,
    limit: int | None = None,
    mean_ab: tuple[float, float] | None = None,
    mean_ab_of: str = "",
    progress: Callable[[Iterable[Path], str], Iterable[Path]] = lambda paths, _: paths,
) -> Evaluation:
    """Judge models, by the names given, on the pictures below a folder at the pictures' own size.

    Beside each model stands its own chroma shuffled between the pictures, and beside all of them
    grey and a mean colour everywhere: mean_ab, said to be that `mean_ab_of` something, or the mean
    of the set itself. progress: wraps the paths of a pass over the set. Pictures that cannot be
    read are left out and named. Raises InputError where none is left.
    """
    paths, left_out, about = _survey(pictures(folder, limit), folder, progress)
    if not paths:
        raise InputError(f"{folder}: none of its {len(left_out)} pictures can be read")
    if max(about.colourfulness) < COLOURLESS:
        raise InputError(f"{folder}: its pictures have no colour to judge by")
    if mean_ab is None:
        mean_ab, mean_ab_of = about.mean_ab, "the set itself"

    rows: dict[tuple[Kind, str], _Tally] = {("grey", ""): _Tally(), ("mean colour", ""): _Tally()}
    rows |= {(kind, name): _Tally() for name in models for kind in ("shuffled", "model")}
    # Each picture's chroma goes to the next one in a fixed random order, the last's to the first.
    order = [paths[i] for i in np.random.default_rng(SEED).permutation(len(paths))]
    before = {name: guess(model, Photo.open(order[-1])) for name, model in models.items()}
    for path in progress(order, "judging"):
        truth = _truth(path)
        L = truth.lab[..., 0]
        rows["grey", ""].add(path, _rgb(L, np.zeros((*L.shape, 2), L.dtype)), truth)
        rows["mean colour", ""].add(
            path, _rgb(L, np.broadcast_to(np.asarray(mean_ab, L.dtype), (*L.shape, 2))), truth
        )
        for name, model in models.items():
            start = time.perf_counter()
            chroma = guess(model, truth.photo)
            ms = 1000 * (time.perf_counter() - start)
            rows["model", name].add(path, coloured(L, chroma), truth, ms=ms)
            rows["shuffled", name].add(path, _rgb(L, _stretched(before[name], L)), truth)
            before[name] = chroma
    if len(paths) == 1:
        rows = {key: tally for key, tally in rows.items() if key[0] != "shuffled"}
    return Evaluation(
        rows=[tally.row(*key, paths) for key, tally in rows.items()],
        files=[path.relative_to(folder).as_posix() for path in paths],
        left_out=left_out,
        sha256=about.digest,
        true_colourfulness=np.array(about.colourfulness),
        histogram=about.histogram,
        mean_ab=mean_ab,
        mean_ab_of=mean_ab_of,
    )


@dataclass
class _Tally:
    """Figures as they come, by path."""

    found: dict[Path, dict[str, float]] = field(default_factory=dict[Path, dict[str, float]])
    by_bin: Any = 0.0

    def add(self, path: Path, rgb: Floats, truth: Truth, **more: float) -> None:
        lab = color.srgb_to_lab(rgb)
        by_bin = metrics.auc_by_bin(lab[..., 1:], truth.lab[..., 1:])
        area, number = by_bin.sum(axis=(1, 2))
        self.found[path] = measure(rgb, lab, truth) | {"auc": 100 * area / number} | more
        self.by_bin = self.by_bin + by_bin

    def row(self, kind: Kind, model: str, paths: Sequence[Path]) -> Row:
        names = self.found[paths[0]]
        figures = {name: np.array([self.found[path][name] for path in paths]) for name in names}
        return Row(kind, model, figures, self.by_bin)


@dataclass(frozen=True)
class _About:
    """What the set is, before any model."""

    digest: str
    colourfulness: list[float]
    histogram: NDArray[np.int64]
    mean_ab: tuple[float, float]


def _survey(
    paths: list[Path],
    folder: Path,
    progress: Callable[[Iterable[Path], str], Iterable[Path]],
) -> tuple[list[Path], dict[str, str], _About]:
    """Read every picture once: which can be judged, why others not, and the set's own figures."""
    readable: list[Path] = []
    left_out: dict[str, str] = {}
    digest = hashlib.sha256()
    colourfulness: list[float] = []
    means: list[Any] = []
    histogram = np.zeros_like(metrics.ab_histogram(np.zeros((1, 2))))
    for path in progress(paths, "reading"):
        name = path.relative_to(folder).as_posix()
        try:
            truth = _truth(path)
        except InputError as error:
            left_out[name] = str(error)
            continue
        readable.append(path)
        digest.update(f"{hub.sha256(path)}  {name}\n".encode())
        colourfulness.append(metrics.colourfulness(truth.rgb))
        means.append(truth.lab[..., 1:].mean(axis=(0, 1), dtype=np.float64))
        histogram += metrics.ab_histogram(truth.lab[..., 1:])
    a, b = np.mean(means, axis=0) if means else (0.0, 0.0)
    about = _About(digest.hexdigest(), colourfulness, histogram, (float(a), float(b)))
    return readable, left_out, about


def _truth(path: Path) -> Truth:
    return Truth(Photo.open(path), path.name)


def _rgb(L: Floats, ab: Floats) -> Floats:
    """Encoded sRGB in 8-bit steps, as files hold it, but 0..1."""
    lab = np.concatenate([L[..., None], ab], axis=-1, dtype=np.float32)
    return np.rint(color.lab_to_srgb(lab) * 255) / np.float32(255)


def _stretched(chroma: Chroma, L: Floats) -> Floats:
    """Small chroma of another picture at the size of L (h, w): no edges are followed."""
    return np.moveaxis(resize(np.moveaxis(chroma.ab, -1, 0), *L.shape), 0, -1)
