"""Metrics against published values and independent implementations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio

from retint import metrics

# Sharma, Wu & Dalal 2005, table 1: L, a, b of the one, of the other, and their difference.
SHARMA = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


def random_lab(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform((0, -100, -100), (100, 100, 100), (n, 3))


def test_delta_e2000_has_sharmas_published_values():
    one, other, published = SHARMA[:, :3], SHARMA[:, 3:6], SHARMA[:, 6]
    assert_allclose(metrics.delta_e2000(one, other), published, atol=5.1e-5)
    assert_allclose(metrics.delta_e2000(other, one), published, atol=5.1e-5)


@pytest.mark.parametrize("spread", [0.1, 5, 80])
def test_delta_e2000_agrees_with_scikit_image(spread: float):
    one = random_lab(20_000)
    other = one + np.random.default_rng(1).normal(0, spread, one.shape)
    one[:100, 1:] = 0
    other[50:150, 1:] = 0
    expected = deltaE_ciede2000(one, other)
    assert_allclose(metrics.delta_e2000(one, other), expected, atol=1e-9)
    in_single = metrics.delta_e2000(one.astype(np.float32), other.astype(np.float32))
    assert in_single.dtype == np.float32
    # where two hues lie opposite each other the formula jumps, and rounding picks the side
    assert np.quantile(np.abs(in_single - expected), 0.999) < 1e-3


def test_psnr_agrees_with_scikit_image_and_knows_equality():
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 17, 31, 3))
    assert metrics.psnr(one, other) == pytest.approx(
        peak_signal_noise_ratio(one, other, data_range=1)
    )
    ab, truth = 100 * one[..., :2], 100 * other[..., :2]
    assert metrics.psnr_ab(ab, truth) == pytest.approx(
        peak_signal_noise_ratio(ab, truth, data_range=255)
    )
    assert metrics.psnr(one, one) == np.inf


def test_colourfulness_of_pictures_done_by_hand():
    half_red_half_cyan = np.zeros((2, 4, 3))
    half_red_half_cyan[:, :2] = (1, 0, 0)
    half_red_half_cyan[:, 2:] = (0, 1, 1)
    # R - G = +-255 and (R + G) / 2 - B = +-127.5: means 0, deviations 255 and 127.5; the absolute
    # ones are constant, so they have means only
    spread = np.hypot(255, 127.5)
    assert metrics.colourfulness(half_red_half_cyan) == pytest.approx(spread)
    assert metrics.colourfulness_absolute(half_red_half_cyan) == pytest.approx(0.3 * spread)
    one_orange = np.full((5, 5, 3), (1, 0.5, 0))
    assert metrics.colourfulness(one_orange) == pytest.approx(0.3 * np.hypot(127.5, 191.25))
    assert metrics.colourfulness_absolute(one_orange) == metrics.colourfulness(one_orange)
    assert metrics.colourfulness(np.full((5, 5, 3), 0.4)) == 0


def test_chroma_ratio_and_bias():
    truth = np.array([[[3.0, 4.0], [0.0, 10.0]]])
    assert metrics.chroma_ratio(2 * truth, truth) == pytest.approx(2)
    assert np.isnan(metrics.chroma_ratio(truth, 0 * truth))
    assert metrics.colour_bias(truth + np.array([1.5, -2]), truth) == pytest.approx((1.5, -2))


def swept(error: np.ndarray, weights: np.ndarray) -> float:
    """AuC as the paper tells it: a curve drawn threshold by threshold, and the area under it."""
    thresholds = np.linspace(0, 150, 3001)
    curve = [weights[error <= t].sum() / weights.sum() for t in thresholds]
    return 100 * float(np.trapezoid(curve, thresholds)) / 150


def test_auc_is_the_area_under_the_swept_curve():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 30, (40, 50, 2)).clip(-100, 100)
    ab = truth + rng.normal(0, 60, truth.shape)
    error = np.hypot(*np.moveaxis(ab - truth, -1, 0))
    assert (error > 150).any()
    assert metrics.auc(ab, truth) == pytest.approx(swept(error, np.ones_like(error)), abs=0.02)
    histogram = metrics.ab_histogram(truth)
    weights = np.empty_like(error)
    table = metrics.class_weights(histogram)
    for place in np.ndindex(error.shape):
        a, b = truth[place]
        weights[place] = table[round(a / 10) + 11, round(b / 10) + 11]
    rebalanced = metrics.auc_rebalanced(ab, truth, histogram)
    assert rebalanced == pytest.approx(swept(error, weights), abs=0.02)
    assert metrics.auc(truth, truth) == metrics.auc_rebalanced(truth, truth, histogram) == 100


def test_auc_pools_over_pictures():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 30, (6, 50, 2)).clip(-100, 100)
    ab = truth + rng.normal(0, 20, truth.shape)
    histogram = metrics.ab_histogram(truth)
    pooled = sum(metrics.auc_by_bin(ab[i], truth[i]) for i in range(6))
    assert metrics.pooled_auc(pooled, metrics.class_weights(histogram)) == pytest.approx(
        metrics.auc_rebalanced(ab, truth, histogram)
    )


def test_class_weights_let_rare_colours_count_alike():
    truth = np.zeros((1000, 2))
    truth[:10] = (80, 60)
    histogram = metrics.ab_histogram(truth)
    assert histogram.sum() == 1000
    assert histogram[11, 11] == 990
    assert histogram[19, 17] == 10
    weights = metrics.class_weights(histogram)
    assert weights[19, 17] / weights[11, 11] == pytest.approx(99)
    assert (weights * histogram).sum() / 1000 == pytest.approx(1)
    # grey everywhere is right on 99 % of the pixels, and on half of the colours
    assert metrics.auc(0 * truth, truth) == pytest.approx(99 + 1 / 3)
    grey = metrics.auc_rebalanced(0 * truth, truth, histogram)
    assert grey == pytest.approx(50 * (1 + 1 / 3))


def test_colours_beyond_the_histogram_count_at_its_edge():
    histogram = metrics.ab_histogram([[500.0, -500.0]])
    assert histogram[-1, 0] == 1
