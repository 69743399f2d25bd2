"""Figures of sets, films and clouds of features: pooled, merged, against scipy and naive loops."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.spatial.distance import jensenshannon

from retint import metrics

seeds = st.integers(0, 2**32 - 1)


def pictures(seed: int, channels: int = 2, number: int = 4) -> list[np.ndarray]:
    """Blocks of colour of several sizes, 0..1, float64: (h, w, channels), or (h, w) of none."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(number):
        blocks = rng.random((2 + i % 2, 3, max(channels, 1)))
        picture = np.kron(blocks, np.ones((12, 12, 1)))
        found.append(picture if channels else picture[..., 0])
    return found


def ab(seed: int) -> list[np.ndarray]:
    return [120 * picture - 60 for picture in pictures(seed)]


def lab(seed: int) -> list[np.ndarray]:
    return [picture * (100, 120, 120) - (0, 60, 60) for picture in pictures(seed, 3)]


def rgb(seed: int) -> list[np.ndarray]:
    return pictures(seed, 3)


def lightness(seed: int) -> list[np.ndarray]:
    return [100 * picture for picture in pictures(seed, 0)]


def share(seed: int) -> list[np.ndarray]:
    return pictures(seed, 0)


Kind = Callable[[int], list[np.ndarray]]

# class, function of one picture, kinds of its arguments
MEANS: list[tuple[Any, Any, tuple[Kind, ...]]] = [
    (metrics.PSNR, metrics.psnr, (rgb, rgb)),
    (metrics.PSNRab, metrics.psnr_ab, (ab, ab)),
    (metrics.SSIM, metrics.ssim, (rgb, rgb)),
    (metrics.DeltaE2000, metrics.delta_e2000_mean, (lab, lab)),
    (metrics.DeltaE2000P95, metrics.delta_e2000_p95, (lab, lab)),
    (metrics.MSELab128, metrics.mse_lab128, (ab, ab)),
    (metrics.ArgmaxAccuracy, metrics.argmax_accuracy, (ab, ab)),
    (metrics.Colourfulness, metrics.colourfulness, (rgb,)),
    (metrics.ColourfulnessAbsolute, metrics.colourfulness_absolute, (rgb,)),
    (metrics.DeltaColourfulness, metrics.delta_colourfulness, (rgb, rgb)),
    (metrics.AUC, metrics.auc, (ab, ab)),
    (metrics.Bleeding, metrics.bleeding, (ab, lightness)),
    (metrics.SparsificationError, metrics.sparsification_error, (share, lightness)),
]
POOLED: list[tuple[Any, Any, tuple[Kind, ...]]] = [
    # first the one that takes codes, which are whole numbers
    (metrics.NonIdentical, metrics.non_identical, (rgb, rgb)),
    (metrics.ColourBias, metrics.colour_bias, (ab, ab)),
    (metrics.ChromaRatio, metrics.chroma_ratio, (ab, ab)),
    (metrics.RebalancedAUC, None, (ab, ab)),
    (metrics.ABDistance, None, (ab, ab)),
    (metrics.ConfidenceCalibration, metrics.calibration_error, (share, lightness)),
]


def arguments(kinds: tuple[Kind, ...]) -> list[tuple[np.ndarray, ...]]:
    """The arguments of four pictures."""
    return list(zip(*(kind(seed) for seed, kind in enumerate(kinds)), strict=True))


def name(value: Any) -> str | None:
    return value.__name__ if isinstance(value, type) else None


@pytest.mark.parametrize(("metric", "function", "kinds"), MEANS, ids=name)
def test_a_set_has_the_mean_of_its_pictures(metric: Any, function: Any, kinds: tuple[Kind, ...]):
    seen = metric()
    for picture in arguments(kinds):
        assert seen.update(*picture) is seen
    expected = [function(*picture) for picture in arguments(kinds)]
    assert np.isfinite(expected).all()
    assert seen.compute() == pytest.approx(np.mean(expected))
    assert seen.values == expected


@pytest.mark.parametrize(("metric", "function", "kinds"), MEANS + POOLED, ids=name)
def test_merged_parts_are_the_whole(metric: Any, function: Any, kinds: tuple[Kind, ...]):
    parts = [metric().update(*picture) for picture in arguments(kinds)]
    merged = metric()
    for part in parts[::-1]:  # in another order, and through a process
        assert merged.merge(pickle.loads(pickle.dumps(part))) is merged
    whole = metric()
    for picture in arguments(kinds):
        whole.update(*picture)
    assert merged.merge(metric()).compute() == pytest.approx(whole.compute(), rel=1e-12)
    again = metric().update(*arguments(kinds)[0])
    assert parts[0].compute() == again.compute()  # a part is not changed by being merged


@pytest.mark.parametrize(("metric", "function", "kinds"), MEANS + POOLED, ids=name)
def test_nothing_measured_is_an_error(metric: Any, function: Any, kinds: tuple[Kind, ...]):
    with pytest.raises(ValueError, match="no picture has been measured"):
        metric().compute()


@pytest.mark.parametrize(("metric", "function", "kinds"), MEANS + POOLED, ids=name)
def test_empty_and_unlike_pictures_are_errors(metric: Any, function: Any, kinds: tuple[Kind, ...]):
    first = arguments(kinds)[0]
    with pytest.raises(ValueError, match="no pixels"):
        metric().update(*(v[:0] for v in first))
    if len(first) == 2 and metric is not metrics.ABDistance:  # which compares sets
        with pytest.raises(ValueError, match="differ"):
            metric().update(first[0], first[1][:-1])


@pytest.mark.parametrize(("metric", "function", "kinds"), [*MEANS, *POOLED[1:]], ids=name)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_an_error(
    metric: Any, function: Any, kinds: tuple[Kind, ...], bad: float
):
    for i in range(len(kinds)):
        first = [v.copy() for v in arguments(kinds)[0]]
        first[i].flat[7] = bad
        with pytest.raises(ValueError, match="finite"):
            metric().update(*first)


def test_a_picture_without_error_counts_100_db():
    one, other = rgb(0)[0], rgb(1)[0]
    seen = metrics.PSNR().update(one, one).update(one, other)
    assert seen.compute() == pytest.approx((100 + metrics.psnr(one, other)) / 2)


def test_pictures_without_the_figure_are_left_out_of_the_mean():
    confidence, error = share(0)[0], lightness(1)[0]
    seen = metrics.SparsificationError().update(confidence, 0 * error).update(confidence, error)
    assert seen.compute() == metrics.sparsification_error(confidence, error)
    nothing = metrics.SparsificationError().update(confidence, 0 * error)
    assert np.isnan(nothing.compute())


def test_chroma_ratio_of_a_set_is_not_ruled_by_pale_pictures():
    truth = ab(0)[0]
    seen = metrics.ChromaRatio().update(0.5 * truth, truth).update(0.1 * truth, 0.01 * truth)
    assert seen.compute() == pytest.approx(0.6 / 1.01)
    assert seen.update(truth, 0 * truth).compute() == pytest.approx(1.6 / 1.01)
    assert np.isnan(metrics.ChromaRatio().update(truth, 0 * truth).compute())


def test_ab_distance_pools_pixels():
    ones, others = ab(0), ab(1)
    seen = metrics.ABDistance()
    for one, other in zip(ones, others, strict=True):
        seen.update(one, other)
    histograms = [sum(metrics.ab_histogram(picture) for picture in side) for side in (ones, others)]
    assert seen.compute() == pytest.approx(metrics.ab_distance(*histograms))


def reference_calibration(confidence: np.ndarray, right: np.ndarray) -> float:
    """Guo et al. 2017, bin by bin."""
    total = 0.0
    for i in range(15):
        above = confidence < (i + 1) / 15 if i < 14 else confidence <= 1
        inside = (confidence >= i / 15) & above
        if inside.any():
            total += inside.sum() * abs(confidence[inside].mean() - right[inside].mean())
    return total / len(confidence)


@settings(deadline=None)
@given(st.integers(1, 200), seeds)
def test_calibration_error_is_that_of_a_naive_loop(number: int, seed: int):
    rng = np.random.default_rng(seed)
    confidence, error = rng.random(number), rng.exponential(15, number)
    confidence[:2] = (0, 1)[:number]
    right = np.exp(-(error**2) / 450)
    found = metrics.calibration_error(confidence, error)
    assert found == pytest.approx(reference_calibration(confidence, right))
    assert 0 <= found <= 1


def test_calibration_of_models_that_know_nothing_and_everything():
    error = np.array([[0.0, 15.0, 30.0, 200.0]])
    near = metrics.nearness(error)
    assert near == pytest.approx(np.array([[1, np.exp(-0.5), np.exp(-2), 0]]), abs=1e-12)
    assert metrics.calibration_error(near, error) == pytest.approx(0, abs=1e-12)
    sure = metrics.calibration_error(np.ones_like(error), error)
    assert sure == pytest.approx(1 - near.mean())
    with pytest.raises(ValueError, match=r"0\.\.1"):
        metrics.calibration_error(2 * near, error)


def test_reliability_is_the_curve_behind_it():
    confidence = np.array([0.0, 0.02, 0.5, 0.51, 1.0])
    error = np.array([40.0, 30.0, 20.0, 10.0, 0.0])
    curve = metrics.reliability(confidence, error)
    filled = np.flatnonzero(curve.share)
    assert filled.tolist() == [0, 7, 14]
    assert curve.share.sum() == pytest.approx(1)
    assert curve.confidence[filled] == pytest.approx([0.01, 0.505, 1])
    assert curve.error[filled] == pytest.approx([35, 15, 0])
    near = np.exp(-(error**2) / 450)
    assert curve.nearness[filled] == pytest.approx([near[:2].mean(), near[2:4].mean(), 1])
    assert np.isnan(np.delete(curve.nearness, filled)).all()
    area = (curve.share * abs(curve.confidence - curve.nearness))[filled].sum()
    assert area == pytest.approx(metrics.calibration_error(confidence, error))


@settings(deadline=None)
@given(st.integers(2, 60), seeds)
def test_sparsification_error_is_that_of_taking_pixels_away_one_by_one(number: int, seed: int):
    rng = np.random.default_rng(seed)
    confidence = rng.permutation(number) / number
    error = rng.exponential(10, number)

    def area(order: np.ndarray) -> float:
        return float(np.mean([error[order[taken:]].mean() for taken in range(number)]))

    perfect = area(np.argsort(-error))
    found = metrics.sparsification_error(confidence, error)
    assert found == pytest.approx(
        (area(np.argsort(confidence)) - perfect) / (error.mean() - perfect), abs=1e-9
    )
    assert metrics.sparsification_error(1 - error / error.max(), error) == pytest.approx(
        0, abs=1e-3
    )
    assert metrics.sparsification_error(np.ones(number), error) == pytest.approx(1)
    assert metrics.sparsification_error(error / error.max(), error) > 1


def test_where_all_errors_are_alike_there_is_nothing_to_sort():
    assert np.isnan(metrics.sparsification_error([0.2, 0.9], [5.0, 5.0]))


def film(seed: int, length: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.random((8, 9, 3))
    return [np.clip(first + 0.02 * i + rng.normal(0, 0.05), 0, 1) for i in range(length)]


def divergences(frames: list[np.ndarray], gap: int) -> list[float]:
    codes = [np.rint(255 * frame).astype(int).reshape(-1, 3) for frame in frames]
    counts = [[np.bincount(v[:, c], minlength=256) for c in range(3)] for v in codes]
    return [
        float(np.mean([jensenshannon(one[c], other[c]) ** 2 for c in range(3)]))
        for one, other in zip(counts, counts[gap:], strict=False)
    ]


@pytest.mark.parametrize("length", [5, 9])
def test_cdc_is_scipys_divergence_over_gaps_of_1_2_and_4(length: int):
    frames = film(0, length)
    expected = np.mean([np.mean(divergences(frames, gap)) for gap in (1, 2, 4)])
    assert metrics.cdc(frames) == pytest.approx(expected)


def test_cdc_of_films_done_by_hand():
    black, white = np.zeros((4, 4, 3)), np.ones((4, 4, 3))
    assert metrics.cdc([white] * 6) == 0
    # black and white by turns: nothing in common one frame on, everything two and four on
    assert metrics.cdc([black, white] * 4) == pytest.approx(np.log(2) / 3)
    assert metrics.cdc([black, white]) == pytest.approx(np.log(2))  # the gaps it has
    with pytest.raises(ValueError, match="at least two frames"):
        metrics.cdc([black])


def test_films_are_merged_without_comparing_their_frames():
    one, other = film(0, 6), film(1, 8)
    merged = metrics.CDC()
    for frames in (one, other):
        seen = metrics.CDC()
        for frame in frames:
            seen.update(frame)
        merged.merge(seen)
    expected = [np.mean(divergences(one, gap) + divergences(other, gap)) for gap in (1, 2, 4)]
    assert merged.compute() == pytest.approx(np.mean(expected))


def moments(seed: int, number: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    features = np.random.default_rng(seed).normal(seed, 1 + seed, (number, d))
    features[:, 1:] += 0.7 * features[:, :-1]
    return features.mean(axis=0), np.cov(features, rowvar=False)


@pytest.mark.parametrize(("number", "d"), [(50, 2), (200, 16), (10, 16)])  # the last is singular
def test_frechet_distance_agrees_with_scipys_square_root(number: int, d: int):
    (m1, C1), (m2, C2) = moments(0, number, d), moments(1, number, d)
    # a tiny diagonal keeps scipy's root of a singular product real
    C1, C2 = C1 + 1e-9 * np.eye(d), C2 + 1e-9 * np.eye(d)
    expected = np.sum((m1 - m2) ** 2) + np.trace(C1 + C2 - 2 * np.real(sqrtm(C1 @ C2)))
    found = metrics.frechet_distance(m1, C1, m2, C2)
    assert found == pytest.approx(expected, rel=1e-4)
    assert metrics.frechet_distance(m2, C2, m1, C1) == pytest.approx(found)
    assert metrics.frechet_distance(m1, C1, m1, C1) == pytest.approx(0, abs=1e-6)


@settings(deadline=None)
@given(st.floats(-9, 9), st.floats(0, 9), st.floats(-9, 9), st.floats(0, 9))
def test_frechet_distance_of_one_dimension(m1: float, s1: float, m2: float, s2: float):
    found = metrics.frechet_distance([m1], [[s1**2]], [m2], [[s2**2]])
    assert found == pytest.approx((m1 - m2) ** 2 + (s1 - s2) ** 2, abs=1e-6)


def test_features_that_come_in_parts_have_the_moments_of_all():
    features = np.random.default_rng(0).normal(1000, 1, (60, 5))
    seen = metrics.Gaussian().update(features[:7])
    seen.merge(metrics.Gaussian().update(features[7:8]).update(features[8:40]))
    seen.merge(metrics.Gaussian()).update(features[40:])
    mean, covariance = seen.compute()
    assert mean == pytest.approx(features.mean(axis=0))
    assert covariance == pytest.approx(np.cov(features, rowvar=False))
    with pytest.raises(ValueError, match="at least two"):
        metrics.Gaussian().update(features[:1]).compute()


def test_frechet_distance_of_sets_of_features():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, (80, 4)), rng.normal(0.5, 2, (90, 4))
    parts = [
        metrics.FrechetDistance().update(one[:30], other[:60]),
        metrics.FrechetDistance().update(one[30:], other[60:]),
    ]
    expected = metrics.frechet_distance(
        one.mean(axis=0), np.cov(one, rowvar=False), other.mean(axis=0), np.cov(other, rowvar=False)
    )
    assert parts[0].merge(parts[1]).compute() == pytest.approx(expected)
