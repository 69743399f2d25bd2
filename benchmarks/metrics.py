"""What each metric costs on one picture: `python benchmarks/metrics.py`, a Markdown table out.

CPU milliseconds of one core, the least of 25 runs, float32, 400 x 300 pixels.
"""

import os
import time
from collections.abc import Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is there

import numpy as np
import skimage.data
from skimage.transform import resize

from retint import color, metrics

RUNS = 25

OF_A_SET = ("CDC.update", "frechet_distance (d = 256)")


def milliseconds(measure: Callable[[], object]) -> float:
    """CPU time of the fastest run."""
    measure()
    times: list[float] = []
    for _ in range(RUNS):
        start = time.process_time()
        measure()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def cases() -> dict[str, Callable[[], object]]:
    """Every metric on a photograph and a paler, reddish colouring of it."""
    rgb: Any = resize(skimage.data.coffee(), (300, 400), anti_aliasing=True)
    truth = color.srgb_to_lab(np.asarray(rgb, np.float32))
    guess = truth * np.array([1, 0.6, 0.6], np.float32) + np.array([0, 4, 1], np.float32)
    seen, true = color.lab_to_srgb(guess), color.lab_to_srgb(truth)
    codes, true_codes = (np.rint(255 * v).astype(np.uint8) for v in (seen, true))
    ab, true_ab, L = guess[..., 1:], truth[..., 1:], truth[..., 0]
    error = metrics.chroma(ab - true_ab)
    grain = np.random.default_rng(0).normal(0, 0.2, error.shape)
    confidence = np.clip(metrics.nearness(error) + grain, 0, 1).astype(np.float32)
    features = np.random.default_rng(0).normal(0, 1, (500, 256))
    gaussian = metrics.Gaussian().update(features).compute()
    return {
        "psnr": lambda: metrics.psnr(seen, true),
        "psnr_ab": lambda: metrics.psnr_ab(ab, true_ab),
        "ssim": lambda: metrics.ssim(seen, true),
        "delta_e2000": lambda: metrics.delta_e2000(guess, truth),
        "mse_lab128": lambda: metrics.mse_lab128(ab, true_ab),
        "non_identical": lambda: metrics.non_identical(codes, true_codes),
        "argmax_accuracy": lambda: metrics.argmax_accuracy(ab, true_ab),
        "colour_bias": lambda: metrics.colour_bias(ab, true_ab),
        "colourfulness": lambda: metrics.colourfulness(seen),
        "colourfulness_absolute": lambda: metrics.colourfulness_absolute(seen),
        "delta_colourfulness": lambda: metrics.delta_colourfulness(seen, true),
        "chroma_ratio": lambda: metrics.chroma_ratio(ab, true_ab),
        "auc": lambda: metrics.auc(ab, true_ab),
        "auc_by_bin": lambda: metrics.auc_by_bin(ab, true_ab),
        "ABDistance.update": lambda: metrics.ABDistance().update(ab, true_ab),
        "bleeding": lambda: metrics.bleeding(ab, L),
        "calibration_error": lambda: metrics.calibration_error(confidence, error),
        "sparsification_error": lambda: metrics.sparsification_error(confidence, error),
        "CDC.update": lambda: metrics.CDC().update(seen),
        "frechet_distance (d = 256)": lambda: metrics.frechet_distance(*gaussian, *gaussian),
    }


if __name__ == "__main__":
    found = {name: milliseconds(measure) for name, measure in cases().items()}
    print("| metric | ms |\n| --- | --: |")
    for name, ms in found.items():
        print(f"| {name} | {ms:.1f} |")
    whole = sum(ms for name, ms in found.items() if name not in OF_A_SET)
    print(f"| all that are of a picture | {whole:.0f} |")
