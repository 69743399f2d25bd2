"""How far a colouring is from the truth, how colourful, how clean, how sure: without weights.

Colour arrays are channel-last: lab (..., 3) with L* 0..100, ab (..., 2) in Lab units, rgb (..., 3)
encoded sRGB in 0..1. float32 in is computed in float32, anything else in float64. A figure of a
picture raises ValueError for arrays that are empty, not finite or of different shapes.

Each figure of a picture is a function; a class of its name takes it over the pictures of a set by
`update`, `compute` and, for work that was split, `merge`.
"""

from retint.metrics.accumulate import PictureMean
from retint.metrics.accuracy import (
    AUC,
    AUC_LIMIT,
    RebalancedAUC,
    auc,
    auc_by_bin,
    auc_rebalanced,
    pooled_auc,
)
from retint.metrics.ciede2000 import delta_e2000
from retint.metrics.confidence import (
    ConfidenceCalibration,
    Reliability,
    SparsificationError,
    calibration_error,
    nearness,
    reliability,
    sparsification_error,
)
from retint.metrics.consistency import CDC, cdc
from retint.metrics.difference import (
    PSNR,
    PSNR_LIMIT,
    ArgmaxAccuracy,
    Bias,
    ColourBias,
    DeltaE2000,
    DeltaE2000P95,
    MSELab128,
    NonIdentical,
    PSNRab,
    Share,
    argmax_accuracy,
    colour_bias,
    delta_e2000_mean,
    delta_e2000_p95,
    mse_lab128,
    non_identical,
    psnr,
    psnr_ab,
)
from retint.metrics.edges import Bleeding, bleeding
from retint.metrics.gaussians import FrechetDistance, Gaussian, frechet_distance
from retint.metrics.palette import (
    BIN,
    SMOOTHING,
    ABDistance,
    ab_distance,
    ab_histogram,
    class_weights,
    jensen_shannon,
)
from retint.metrics.structure import SSIM, ssim
from retint.metrics.vividness import (
    ChromaRatio,
    Colourfulness,
    ColourfulnessAbsolute,
    DeltaColourfulness,
    chroma,
    chroma_ratio,
    colourfulness,
    colourfulness_absolute,
    delta_colourfulness,
)

__all__ = [
    "AUC",
    "AUC_LIMIT",
    "BIN",
    "CDC",
    "PSNR",
    "PSNR_LIMIT",
    "SMOOTHING",
    "SSIM",
    "ABDistance",
    "ArgmaxAccuracy",
    "Bias",
    "Bleeding",
    "ChromaRatio",
    "ColourBias",
    "Colourfulness",
    "ColourfulnessAbsolute",
    "ConfidenceCalibration",
    "DeltaColourfulness",
    "DeltaE2000",
    "DeltaE2000P95",
    "FrechetDistance",
    "Gaussian",
    "MSELab128",
    "NonIdentical",
    "PSNRab",
    "PictureMean",
    "RebalancedAUC",
    "Reliability",
    "Share",
    "SparsificationError",
    "ab_distance",
    "ab_histogram",
    "argmax_accuracy",
    "auc",
    "auc_by_bin",
    "auc_rebalanced",
    "bleeding",
    "calibration_error",
    "cdc",
    "chroma",
    "chroma_ratio",
    "class_weights",
    "colour_bias",
    "colourfulness",
    "colourfulness_absolute",
    "delta_colourfulness",
    "delta_e2000",
    "delta_e2000_mean",
    "delta_e2000_p95",
    "frechet_distance",
    "jensen_shannon",
    "mse_lab128",
    "nearness",
    "non_identical",
    "pooled_auc",
    "psnr",
    "psnr_ab",
    "reliability",
    "sparsification_error",
    "ssim",
]
