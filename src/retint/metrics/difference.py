"""How far a colouring is from the true colours, pixel by pixel."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from retint.metrics.accumulate import PerPicture, PictureMean, greatest, mean
from retint.metrics.arrays import alike, pair, some
from retint.metrics.ciede2000 import delta_e2000

PSNR_LIMIT = 100.0
"""What a picture without any error counts in the mean over a set, in dB."""


def psnr(rgb: ArrayLike, truth: ArrayLike) -> float:
    """Peak signal-to-noise ratio of two pictures of one shape, peak 1, in dB; inf when equal."""
    return _psnr(rgb, truth, 1.0)


def psnr_ab(ab: ArrayLike, truth: ArrayLike) -> float:
    """The same of a* and b* alone, in dB; the peak is 255, as if they were kept in eight bits."""
    return _psnr(ab, truth, 255.0)


def delta_e2000_mean(lab: ArrayLike, truth: ArrayLike) -> float:
    """Mean CIEDE2000 over the pixels of a picture; see `delta_e2000`."""
    return float(delta_e2000(*pair(lab, truth)).mean(dtype=np.float64))


def delta_e2000_p95(lab: ArrayLike, truth: ArrayLike) -> float:
    """CIEDE2000 that 95 % of a picture's pixels do not exceed: its worst places."""
    return float(np.percentile(delta_e2000(*pair(lab, truth)), 95))


def mse_lab128(ab: ArrayLike, truth: ArrayLike) -> float:
    """Mean squared error of a*/128 and b*/128: the loss of networks that end in tanh."""
    return _mse(ab, truth) / 128**2


def colour_bias(ab: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Mean error of a* and of b*, Lab units: a cast to red or green, to yellow or blue."""
    ab, truth = pair(ab, truth)
    a, b = (float((ab[..., i] - truth[..., i]).mean(dtype=np.float64)) for i in range(2))
    return a, b


def non_identical(codes: ArrayLike, truth: ArrayLike) -> float:
    """Share of pixels, 0..1, that differ in any channel by any amount (tolerance 0).

    codes and truth: (..., 3), 8-bit codes as files hold them.
    """
    codes, truth = np.asarray(codes), np.asarray(truth)
    some(codes)
    alike(codes, truth)
    different = codes != truth
    return float((different[..., 0] | different[..., 1] | different[..., 2]).mean())


def argmax_accuracy(ab: ArrayLike, truth: ArrayLike) -> float:
    """Share of pixels, 0..1, where the greater of a* and b* is the same one as in the truth.

    What Keras counts as "accuracy" of a network with two channels; where both are equal, as in
    grey, a* counts as the greater.
    """
    ab, truth = pair(ab, truth)
    return float(((ab[..., 1] > ab[..., 0]) == (truth[..., 1] > truth[..., 0])).mean())


class PSNR(PictureMean):
    """Mean of `psnr` over pictures; one without error counts 100 dB."""

    @staticmethod
    def measure(rgb: ArrayLike, truth: ArrayLike) -> float:
        """`psnr`, at most 100."""
        return min(PSNR_LIMIT, psnr(rgb, truth))


class PSNRab(PictureMean):
    """Mean of `psnr_ab` over pictures; one without error counts 100 dB."""

    @staticmethod
    def measure(ab: ArrayLike, truth: ArrayLike) -> float:
        """`psnr_ab`, at most 100."""
        return min(PSNR_LIMIT, psnr_ab(ab, truth))


class DeltaE2000(PictureMean):
    """Mean of `delta_e2000_mean` over pictures."""

    measure = staticmethod(delta_e2000_mean)


class DeltaE2000P95(PictureMean):
    """Mean of `delta_e2000_p95` over pictures."""

    measure = staticmethod(delta_e2000_p95)


class MSELab128(PictureMean):
    """Mean of `mse_lab128` over pictures."""

    measure = staticmethod(mse_lab128)


class ArgmaxAccuracy(PictureMean):
    """Mean of `argmax_accuracy` over pictures."""

    measure = staticmethod(argmax_accuracy)


class Bias(NamedTuple):
    """Mean error of a* and of b*, in Lab units."""

    a: float
    b: float


class ColourBias(PerPicture[tuple[float, float]]):
    """Mean of `colour_bias` over pictures."""

    measure = staticmethod(colour_bias)

    def compute(self) -> Bias:
        """Mean error of a* and of b*; ValueError before the first picture."""
        return Bias(mean([a for a, _ in self.values]), mean([b for _, b in self.values]))


class Share(NamedTuple):
    """Mean and maximum over a set of a share of pixels, 0..1."""

    mean: float
    maximum: float


class NonIdentical(PerPicture[float]):
    """Mean and maximum of `non_identical` over pictures."""

    measure = staticmethod(non_identical)

    def compute(self) -> Share:
        """Mean and maximum; ValueError before the first picture."""
        return Share(mean(self.values), greatest(self.values))


def _mse(values: ArrayLike, truth: ArrayLike) -> float:
    values, truth = pair(values, truth)
    return float(np.mean(np.square(values - truth), dtype=np.float64))


def _psnr(picture: ArrayLike, truth: ArrayLike, peak: float) -> float:
    error = _mse(picture, truth)
    return float("inf") if error == 0 else 10 * float(np.log10(peak * peak / error))
