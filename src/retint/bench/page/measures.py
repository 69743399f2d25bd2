"""What the page's figures are called, how they are written, and what they mean in plain words."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from retint.bench.statistics import Interval

Better: TypeAlias = Literal["low", "high", "one", "zero"]

BEST = {
    "low": "lower is better",
    "high": "higher is better",
    "one": "1 is the truth's",
    "zero": "0 is best",
}


@dataclass(frozen=True)
class Measure:
    """A figure: its heading, which values are good, how many digits it has, what it says."""

    label: str
    better: Better
    digits: int
    meaning: str
    percent: bool = False

    def text(self, value: float) -> str:
        """A value as the tables write it."""
        sign = "+" if self.better == "zero" else ""
        scaled = 100 * value if self.percent else value
        return f"{scaled:{sign}.{self.digits}f}".replace("-", "−")

    def distance(self, value: float) -> float:
        """How far from best: what a column is sorted by, smallest first."""
        match self.better:
            case "low":
                return value
            case "high":
                return -value
            case "one":
                return abs(value - 1)
            case "zero":
                return abs(value)

    def range(self, found: Interval) -> str:
        """An interval as the tables write it; empty where it is not known."""
        if found.low != found.low or found.high != found.high:
            return ""
        return f"{self.text(found.low)} … {self.text(found.high)}"


MEASURES: dict[str, Measure] = {
    "delta_e": Measure(
        "dE",
        "low",
        2,
        "CIEDE2000, the colour difference that the eye sees: its mean over a picture's pixels, "
        "then over the pictures. About 2 is just noticed.",
    ),
    "delta_e_p95": Measure(
        "dE p95",
        "low",
        1,
        "What dE stays below on 95 % of a picture's pixels: its worst places.",
    ),
    "psnr": Measure(
        "PSNR",
        "high",
        2,
        "Peak signal-to-noise ratio of RGB, in dB. It rewards pale, safe colours.",
    ),
    "psnr_ab": Measure("PSNR ab", "high", 2, "The same of a* and b* alone, in dB."),
    "ssim": Measure(
        "SSIM",
        "high",
        3,
        "Structural similarity of RGB (Wang et al. 2004), 1 when equal. As the lightness is given, "
        "it is high for everyone.",
    ),
    "colourfulness_ratio": Measure(
        "× colourful",
        "one",
        2,
        "Colourfulness (Hasler & Suesstrunk 2003, signed) over that of the true pictures: below 1 "
        "is paler, above 1 louder than the truth.",
    ),
    "delta_colourfulness": Measure(
        "|Δ colourfulness|",
        "low",
        1,
        "How far a picture's colourfulness is from the true one, either way.",
    ),
    "auc_rebalanced": Measure(
        "AuC rebal.",
        "high",
        2,
        "Share of pixels whose ab error is at most t, averaged over t = 0..150, every colour "
        "counting alike however rare, in per cent (Zhang et al. 2016): grey gains nothing by "
        "being safe.",
    ),
    "auc": Measure("AuC raw", "high", 2, "The same with every pixel counting alike, in per cent."),
    "ab_distance": Measure(
        "palette",
        "low",
        3,
        "Jensen-Shannon distance between the colours of all colourings and those of all true "
        "pictures, wherever they lie: 0 the same palette, 1 no colour in common.",
    ),
    "bleeding": Measure(
        "bleeding",
        "low",
        2,
        "Steps of colour where the lightness has none, over the picture's own chroma.",
    ),
    "bias_a": Measure(
        "bias a", "zero", 1, "Mean error of a*: a cast towards red (+) or green (−)."
    ),
    "bias_b": Measure(
        "bias b", "zero", 1, "Mean error of b*: a cast towards yellow (+) or blue (−)."
    ),
    "calibration_error": Measure(
        "calibration",
        "low",
        3,
        "Expected calibration error: how far the model's confidence is from how right it was.",
    ),
    "sparsification_error": Measure(
        "sparsification",
        "low",
        2,
        "How badly the confidence sorts pixels by error: 0 perfectly, 1 no better than chance.",
    ),
    "delta_L": Measure("dL", "low", 2, "Mean |dL*|: 8 bits alone cost about 0.1."),
    "agreement": Measure(
        "agreement, %",
        "high",
        1,
        "Share of pictures in which a classifier names the same thing first as in the true one.",
        percent=True,
    ),
    "agreement_top5": Measure(
        "agreement, top 5, %",
        "high",
        1,
        "The same where it is among the first five.",
        percent=True,
    ),
    "named": Measure(
        "named, %", "high", 1, "Share of labelled pictures that a classifier names.", percent=True
    ),
    "lpips": Measure("LPIPS", "low", 3, "Learned perceptual distance (Zhang et al. 2018)."),
    "frechet": Measure(
        "Fréchet", "low", 1, "Fréchet distance between features of the colourings and the truths."
    ),
    "fid": Measure("FID", "low", 1, "Fréchet distance between Inception features."),
    "hint_psnr": Measure("PSNR, one hint", "high", 2, "PSNR with one true colour told."),
    "hints_psnr": Measure("PSNR, all hints", "high", 2, "PSNR with all true colours told."),
    "hint_psnr_rise": Measure("rise, one hint", "high", 2, "What one true colour adds to PSNR."),
    "hints_psnr_rise": Measure("rise, all hints", "high", 2, "What all of them add to PSNR."),
    "hint_delta_e": Measure("dE, one hint", "low", 2, "dE with one true colour told."),
    "hints_delta_e": Measure("dE, all hints", "low", 2, "dE with all true colours told."),
    "hint_delta_e_fall": Measure("fall, one hint", "high", 2, "What one true colour takes off dE."),
    "hints_delta_e_fall": Measure("fall, all hints", "high", 2, "What all of them take off dE."),
    "hint_followed": Measure(
        "followed",
        "one",
        2,
        "What became of a false colour in its own place, in parts of the change asked for.",
    ),
    "hint_near": Measure(
        "near, %",
        "high",
        0,
        "Share of the change by one false colour that lies within a tenth of the longer side.",
        percent=True,
    ),
    "hint_far": Measure(
        "far, %",
        "low",
        0,
        "Share of that change that lies beyond a quarter of the longer side.",
        percent=True,
    ),
    "hint_kept": Measure(
        "kept, %",
        "high",
        0,
        "Share of that change, at equal distances, that lies on what is joined to the place "
        "through its lightness: 50 knows no edges.",
        percent=True,
    ),
    "alternatives_apart": Measure(
        "apart", "high", 1, "Mean distance of two of a model's alternatives, in Lab units."
    ),
    "alternatives_unsure": Measure(
        "apart where unsure",
        "high",
        2,
        "Correlation of that distance with 1 − confidence, over a picture's pixels.",
    ),
    "alternatives_delta_e": Measure(
        "best dE", "low", 2, "dE of the alternative that is nearest to the truth."
    ),
    "alternatives_delta_e_fall": Measure(
        "fall to the best", "high", 2, "What the nearest one's dE is below the first one's."
    ),
    "alternatives_even_fall": Measure(
        "fall, even",
        "low",
        2,
        "The same where the first is moved as far as each other one, but everywhere alike: what "
        "several attempts gain by being several.",
    ),
    "mse_lab128": Measure("MSE lab-128", "low", 4, "Mean squared error of a*/128 and b*/128."),
    "non_identical": Measure(
        "differing pixels, %", "low", 2, "Share of pixels that differ at all.", percent=True
    ),
    "non_identical_max": Measure(
        "most differing, %", "low", 2, "The same of the picture where it is largest.", percent=True
    ),
    "argmax_accuracy": Measure(
        "argmax accuracy, %",
        "high",
        1,
        "Share of pixels where the greater of a* and b* is the true one: what Keras counts as "
        "accuracy.",
        percent=True,
    ),
    "colourfulness": Measure("colourfulness", "high", 1, "Colourfulness itself."),
    "colourfulness_absolute": Measure(
        "colourfulness, absolute",
        "high",
        1,
        "The variant with absolute opponent colours, not comparable with the other.",
    ),
    "chroma": Measure("chroma", "high", 1, "Mean chroma, in Lab units."),
    "chroma_ratio": Measure("chroma ratio", "one", 2, "Mean chroma over the true pictures'."),
    "ms_median": Measure(
        "ms", "low", 0, "Milliseconds for a picture: thumbnail, network and fit; the median."
    ),
}
"""In the order of the columns. A figure that is not here stands in the list of every figure."""

COLUMNS = (
    "delta_e",
    "delta_e_p95",
    "psnr",
    "ssim",
    "colourfulness_ratio",
    "delta_colourfulness",
    "auc_rebalanced",
    "auc",
    "ab_distance",
    "bleeding",
    "bias_a",
    "bias_b",
    "agreement",
    "lpips",
    "ms_median",
)
"""Of the ranking; what no row has is left out."""

CHARTED = ("delta_e", "psnr", "ssim", "auc", "colourfulness", "bleeding", "lpips")
"""What the distributions can show."""

FILM: dict[str, Measure] = {
    "colourfulness": Measure(
        "colourfulness", "high", 1, "Hasler & Suesstrunk 2003; photographs of today have about 40."
    ),
    "left_grey": Measure(
        "left grey, %", "low", 0, "Share of pixels with a chroma below 5.", percent=True
    ),
    "spread": Measure(
        "spread", "high", 1, "Mean distance from a colouring's own mean colour, Lab units."
    ),
    "bleeding": MEASURES["bleeding"],
    "mean_a": Measure("mean a", "zero", 1, "Mean a*: a cast towards red (+) or green (−)."),
    "mean_b": Measure("mean b", "zero", 1, "Mean b*: a cast towards yellow (+) or blue (−)."),
    "change_mirror": Measure(
        "mirror, %",
        "low",
        0,
        "How far colours move when the photograph is mirrored, over their chroma.",
        percent=True,
    ),
    "change_crop": Measure(
        "crop, %", "low", 0, "The same when 3 % of it are cut off.", percent=True
    ),
    "change_scale": Measure(
        "scale, %", "low", 0, "The same when it is shown 1.25 times as large.", percent=True
    ),
}
"""Figures of photographs without true colours."""
