"""What is measured of one colouring, and of one true picture: records that add up to a set's."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import metrics
from retint.bench.contestants import Colouring
from retint.bench.sets import Truth
from retint.metrics.palette import BINS

Record: TypeAlias = dict[str, Any]
"""Plain values for JSON. `figures`: of the picture, by name, None where one is undefined. Others
are sums over its pixels in whole numbers, so that a set's are the same in any order.
"""

Packed: TypeAlias = list[list[int]]
"""Where an array of whole numbers is not zero, flattened, and what stands there."""

Counts: TypeAlias = NDArray[np.int64]

KEY = "figures 3"
"""Of what is measured here: a run that goes on takes nothing that was measured otherwise."""

PARTS = 1000
"""Sums of what is no whole number are kept in thousandths."""


class Judge(Protocol):
    """What measures colourings one by one, and keeps nothing between them: it goes to other
    processes, and what it found earlier is read from a journal.

    `name`: of what it finds. `key`: of all that its findings depend on, such as hashes of files.
    `note`: a sentence for the report.
    """

    name: str
    key: str
    note: str

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        """Measure one picture. Plain values for JSON; numbers are figures of the picture."""
        ...

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        """Figures of a set, from what `measure` gave of the pictures that there are."""
        ...


def describe(truth: Truth) -> Record:
    """Of a true picture: its size, its figures, and `colours`, its ab histogram."""
    ab = truth.lab[..., 1:]
    a, b = ab.mean(axis=(0, 1), dtype=np.float64)
    figures = {
        "colourfulness": metrics.colourfulness(truth.rgb),
        "chroma": float(metrics.chroma(ab).mean(dtype=np.float64)),
        "bleeding": metrics.bleeding(ab, truth.lab[..., 0]),
        "mean_a": float(a),
        "mean_b": float(b),
    }
    return {
        "size": list(truth.size),
        "figures": _defined(figures),
        "colours": packed(metrics.ab_histogram(ab)),
    }


def measure(truth: Truth, colouring: Colouring) -> Record:
    """Of a colouring: every figure of a picture, and what a set's are made of.

    `colours`: its ab histogram; `right`: the area that each bin of the true colours adds to the
    AuC; `calibration`, of a model that says how sure it is: the sums of its reliability curve.
    """
    rgb, lab = colouring.rgb, colouring.lab
    ab, true_ab = (np.ascontiguousarray(v[..., 1:]) for v in (lab, truth.lab))  # read often
    delta_e = metrics.delta_e2000(lab, truth.lab)
    by_bin = metrics.auc_by_bin(ab, true_ab)
    area, number = by_bin.sum(axis=(1, 2))
    bias_a, bias_b = metrics.colour_bias(ab, true_ab)
    colourfulness = metrics.colourfulness(rgb)
    figures = {
        "delta_e": float(delta_e.mean(dtype=np.float64)),
        "delta_e_p95": float(np.percentile(delta_e, 95)),
        "psnr": min(metrics.PSNR_LIMIT, metrics.psnr(rgb, truth.rgb)),
        "psnr_ab": min(metrics.PSNR_LIMIT, metrics.psnr_ab(ab, true_ab)),
        "ssim": metrics.ssim(rgb, truth.rgb),
        "mse_lab128": metrics.mse_lab128(ab, true_ab),
        "non_identical": metrics.non_identical(np.rint(rgb * 255), np.rint(truth.rgb * 255)),
        "argmax_accuracy": metrics.argmax_accuracy(ab, true_ab),
        "auc": 100 * float(area / number),
        "colourfulness": colourfulness,
        "colourfulness_absolute": metrics.colourfulness_absolute(rgb),
        "delta_colourfulness": abs(colourfulness - metrics.colourfulness(truth.rgb)),
        "chroma": float(metrics.chroma(ab).mean(dtype=np.float64)),
        "bias_a": bias_a,
        "bias_b": bias_b,
        "bleeding": metrics.bleeding(ab, truth.lab[..., 0]),
        "delta_L": float(np.abs(lab[..., 0] - truth.lab[..., 0]).mean(dtype=np.float64)),
    }
    record: Record = {
        "colours": packed(metrics.ab_histogram(ab)),
        "right": packed(np.rint(PARTS * by_bin[0])),
    }
    if colouring.confidence is not None:
        error = metrics.chroma(ab - true_ab)
        calibration = metrics.ConfidenceCalibration().update(colouring.confidence, error)
        figures["calibration_error"] = calibration.compute()
        figures["sparsification_error"] = metrics.sparsification_error(colouring.confidence, error)
        record["calibration"] = packed(np.rint(PARTS * calibration.summed()))
    if colouring.ms is not None:
        figures["ms"] = colouring.ms
    return {"figures": _defined(figures)} | record


def packed(counts: NDArray[Any]) -> Packed:
    """Pack an array of whole numbers."""
    flat = counts.ravel().astype(np.int64)
    places = np.flatnonzero(flat)
    return [places.tolist(), flat[places].tolist()]


def add(counts: Counts, part: Packed) -> None:
    """Add what was packed to an array of its shape."""
    places, values = part
    counts.ravel()[places] += np.array(values, np.int64)


def weighed(part: Packed, weights: NDArray[np.float64]) -> float:
    """Sum of what was packed, each place weighted."""
    places, values = part
    return float(weights.ravel()[places] @ np.array(values, np.float64))


def no_counts() -> Counts:
    """An ab histogram of no pixels."""
    return np.zeros((BINS, BINS), np.int64)


def _defined(figures: Mapping[str, float]) -> dict[str, float | None]:
    """nan as None: JSON knows no other way."""
    return {name: value if np.isfinite(value) else None for name, value in figures.items()}
