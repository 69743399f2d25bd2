"""Metrics against published values and independent implementations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import jensenshannon
from skimage.color import deltaE_ciede2000
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

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


def test_mean_and_95th_percentile_of_delta_e2000():
    one = random_lab(2000).reshape(40, 50, 3)
    other = one + np.random.default_rng(1).normal(0, 8, one.shape)
    expected = np.sort(deltaE_ciede2000(one, other), axis=None)
    assert metrics.delta_e2000_mean(one, other) == pytest.approx(expected.mean())
    # of 2000 the 1900th and its successor, numbers 1899.05 of 0..1999
    p95 = expected[1899] + 0.05 * (expected[1900] - expected[1899])
    assert metrics.delta_e2000_p95(one, other) == pytest.approx(p95)


def test_mse_lab128_is_the_loss_of_networks_that_end_in_tanh():
    truth, ab = random_lab(500)[:, 1:], random_lab(500, seed=1)[:, 1:]
    expected = mean_squared_error(truth / 128, ab / 128)
    assert metrics.mse_lab128(ab, truth) == pytest.approx(expected)
    assert metrics.mse_lab128([[12.8, 0.0]], [[0.0, 0.0]]) == pytest.approx(0.005)


def test_non_identical_counts_pixels_that_differ_by_one_step_in_one_channel():
    truth = np.full((2, 5, 3), 128, np.uint8)
    codes = truth.copy()
    assert metrics.non_identical(codes, truth) == 0
    codes[0, 0, 1] += 1
    codes[1, 3] -= 7
    assert metrics.non_identical(codes, truth) == pytest.approx(0.2)
    seen = metrics.NonIdentical().update(codes, truth).update(truth, truth)
    assert seen.compute() == (pytest.approx(0.1), pytest.approx(0.2))


def test_argmax_accuracy_is_what_keras_calls_accuracy():
    rng = np.random.default_rng(0)
    ab, truth = rng.integers(-3, 4, (2, 30, 20, 2)).astype(float)  # with ties
    agree = [
        int(ab[place].argmax() == truth[place].argmax()) for place in np.ndindex(truth.shape[:2])
    ]
    assert metrics.argmax_accuracy(ab, truth) == pytest.approx(np.mean(agree))
    # the trap: grey is "right" wherever the truth has a* >= b*
    assert metrics.argmax_accuracy([[0, 0], [0, 0]], [[9, 1], [1, 9]]) == 0.5


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
    grey = np.full((5, 5, 3), 0.4)
    assert metrics.colourfulness(grey) == 0
    vivid = metrics.colourfulness(one_orange)
    assert metrics.delta_colourfulness(grey, one_orange) == vivid
    assert metrics.delta_colourfulness(one_orange, grey) == vivid
    assert metrics.delta_colourfulness(one_orange, one_orange) == 0


def test_colourfulness_agrees_with_a_plain_reading_of_the_paper():
    rgb = np.random.default_rng(0).random((9, 11, 3))
    red_green, yellow_blue = [], []
    for R, G, B in 255 * rgb.reshape(-1, 3):
        red_green.append(R - G)
        yellow_blue.append(0.5 * (R + G) - B)
    for measure, opponents in (
        (metrics.colourfulness, (red_green, yellow_blue)),
        (metrics.colourfulness_absolute, (np.abs(red_green), np.abs(yellow_blue))),
    ):
        (m1, s1), (m2, s2) = [(np.mean(v), np.std(v)) for v in opponents]
        expected = np.sqrt(s1**2 + s2**2) + 0.3 * np.sqrt(m1**2 + m2**2)
        assert measure(rgb) == pytest.approx(expected)


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


def test_rebalanced_auc_takes_the_sets_own_prior_or_a_given_one():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 30, (6, 50, 2)).clip(-100, 100)
    ab = truth + rng.normal(0, 20, truth.shape)
    own, given_one = metrics.RebalancedAUC(), metrics.RebalancedAUC(np.ones((23, 23)))
    for i in range(6):
        own.update(ab[i], truth[i])
        given_one.update(ab[i], truth[i])
    histogram = metrics.ab_histogram(truth)
    assert own.compute() == pytest.approx(metrics.auc_rebalanced(ab, truth, histogram))
    # every colour of a flat prior weighs the same, but for the borders that smoothing makes
    assert given_one.compute() == pytest.approx(metrics.auc(ab, truth), abs=0.02)


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


histograms = st.lists(st.integers(0, 1000), min_size=9, max_size=9).filter(any)


@settings(deadline=None)
@given(histograms, histograms)
def test_ab_distance_is_scipys_jensen_shannon_distance(one: list[int], other: list[int]):
    distance = metrics.ab_distance(one, other)
    assert distance == pytest.approx(jensenshannon(one, other, base=2), abs=1e-7)
    assert 0 <= distance <= 1 + 1e-12
    assert metrics.ab_distance(other, one) == pytest.approx(distance)


@settings(deadline=None)
@given(histograms, histograms, histograms, st.integers(1, 50))
def test_ab_distance_is_a_metric_of_shares(
    one: list[int], other: list[int], third: list[int], times: int
):
    assert metrics.ab_distance(one, times * np.array(one)) == pytest.approx(0, abs=1e-7)
    way_round = metrics.ab_distance(one, third) + metrics.ab_distance(third, other)
    assert metrics.ab_distance(one, other) <= way_round + 1e-9


def test_ab_distance_of_sets_without_a_colour_in_common_is_one():
    red, blue = np.full((4, 5, 2), (60.0, 40.0)), np.full((7, 3, 2), (20.0, -60.0))
    assert metrics.ab_distance(
        metrics.ab_histogram(red), metrics.ab_histogram(blue)
    ) == pytest.approx(1)
    # which picture has which colour does not matter
    swapped = metrics.ABDistance().update(red, 0 * red).update(0 * red, red)
    assert swapped.compute() == 0
    with pytest.raises(ValueError, match="count something"):
        metrics.ab_distance(np.zeros(9), np.ones(9))


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_differences_are_nought_at_equality_and_symmetric(h: int, w: int, seed: int):
    rng = np.random.default_rng(seed)
    one, other = rng.uniform(-100, 100, (2, h, w, 2))
    for measure in (metrics.psnr_ab, metrics.mse_lab128, metrics.argmax_accuracy, metrics.auc):
        assert measure(one, other) == pytest.approx(measure(other, one))
    assert metrics.mse_lab128(one, one) == 0
    assert metrics.argmax_accuracy(one, one) == 1
    assert metrics.auc(one, one) == 100
    assert metrics.colour_bias(one, other) == pytest.approx(
        tuple(-v for v in metrics.colour_bias(other, one))
    )
