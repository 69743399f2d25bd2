"""Structure and bleeding: an independent implementation, naive loops, real photographs."""

from typing import Any

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, shift
from skimage.metrics import structural_similarity

from retint import color, metrics


def reference_ssim(one: np.ndarray, other: np.ndarray) -> float:
    similarity: Any = structural_similarity(
        one,
        other,
        data_range=1,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(similarity)


def photographs() -> list[np.ndarray]:
    """Photographs at half their size, lab float32."""
    names = ("astronaut", "coffee", "chelsea", "rocket")
    found = [getattr(skimage.data, name)() for name in names]
    halves = [rgb[: h // 2 * 2, : w // 2 * 2] for rgb in found for h, w in [rgb.shape[:2]]]
    means = [np.mean([v[i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0) for v in halves]
    return [color.srgb_to_lab(v.astype(np.float32) / 255) for v in means]


@pytest.mark.parametrize("shape", [(11, 11, 3), (12, 40, 3), (67, 23, 3)])
def test_ssim_agrees_with_scikit_image(shape: tuple[int, ...]):
    rng = np.random.default_rng(0)
    one = gaussian_filter(rng.random(shape), (2, 2, 0))
    other = np.clip(one + rng.normal(0, 0.03, shape), 0, 1)
    expected = reference_ssim(one, other)
    assert metrics.ssim(one, other) == pytest.approx(expected, abs=1e-10)
    in_single = metrics.ssim(one.astype(np.float32), other.astype(np.float32))
    assert in_single == pytest.approx(expected, abs=2e-3)


def test_ssim_of_a_photograph_agrees_in_single_precision():
    rgb = skimage.data.astronaut()[::2, ::2].astype(np.float32) / 255
    other = np.clip(rgb * np.float32(0.9) + np.float32(0.02), 0, 1)
    expected = reference_ssim(rgb.astype(np.float64), other.astype(np.float64))
    assert metrics.ssim(rgb, other) == pytest.approx(expected, abs=1e-4)


def test_ssim_of_a_small_picture_is_one_window_over_its_mirror_images():
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 7, 10, 3))
    steps = np.arange(-5, 6)
    window = np.exp(-(steps[:, None] ** 2 + steps**2) / (2 * 1.5**2))
    window /= window.sum()
    similarities = []
    for c in range(3):
        x, y = (np.pad(v[..., c], [(2, 2), (0, 1)], mode="symmetric") for v in (one, other))
        mx, my = (window * x).sum(), (window * y).sum()
        vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
        covariance = (window * (x - mx) * (y - my)).sum()
        luminance = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
        similarities.append(luminance * (2 * covariance + 0.03**2) / (vx + vy + 0.03**2))
    assert metrics.ssim(one, other) == pytest.approx(np.mean(similarities))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_ssim_is_symmetric_one_at_equality_and_never_above(h: int, w: int, seed: int):
    one, other = np.random.default_rng(seed).random((2, h, w, 3))
    assert metrics.ssim(one, one) == pytest.approx(1)
    assert metrics.ssim(one, other) == pytest.approx(metrics.ssim(other, one))
    assert -1 <= metrics.ssim(one, other) <= 1


def test_ssim_of_constant_pictures_is_a_number():
    black, white = np.zeros((20, 20, 3)), np.ones((20, 20, 3))
    assert metrics.ssim(black, black) == 1
    assert metrics.ssim(black, white) == pytest.approx(0.01**2 / (1 + 0.01**2))


def cartoon(seed: int = 0, size: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles of one lightness and one colour each: ab and L."""
    rng = np.random.default_rng(seed)
    lab = np.zeros((size, size + 17, 3))
    for _ in range(12):
        top, left = rng.integers(0, size, 2)
        height, width = rng.integers(10, 40, 2)
        lab[top : top + height, left : left + width] = rng.uniform((5, -60, -60), (95, 60, 60))
    return lab[..., 1:], lab[..., 0]


def tiles(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Dark and light squares by turns, each of its own colour: ab and L."""
    rng = np.random.default_rng(seed)
    dark = np.indices((6, 8)).sum(axis=0) % 2
    L = np.where(dark, rng.uniform(10, 40, dark.shape), rng.uniform(60, 90, dark.shape))
    ab = rng.uniform(-60, 60, (6, 8, 2))
    return np.kron(ab, np.ones((12, 12, 1))), np.kron(L, np.ones((12, 12)))


def reference_bleeding(ab: np.ndarray, L: np.ndarray) -> float:
    """The definition read aloud, pixel by pixel."""
    whole = at_edge = number = 0.0
    for X, G in ((ab, L), (ab.swapaxes(0, 1), L.T)):
        for y in range(G.shape[0]):
            for x in range(4, G.shape[1] - 5):
                line, colour = G[y, x - 4 : x + 6], X[y, x - 4 : x + 6]
                steps = abs(np.diff(line))
                height = abs(line[9] - line[0])
                left, right = line[:4], line[6:]
                varied = max(left.max() - left.min(), right.max() - right.min())
                if steps[4] < max(steps[3], steps[5], 10 / 3) or height < 10:
                    continue
                if varied <= height / 5 and line.min() >= 10 and line.max() <= 92:
                    near, less_far, far = (colour[5 + k] - colour[4 - k] for k in (1, 3, 4))
                    whole += far @ less_far
                    at_edge += near @ (far + less_far) / 2
                    number += 1
    share_of_a_ramp = (3 * 9 + 3 * 7) / 2 / (9 * 7)
    ramp = number * max(1, 0.1 * np.hypot(ab[..., 0], ab[..., 1]).mean()) ** 2
    return ((whole - at_edge) / (1 - share_of_a_ramp) + ramp) / (whole + ramp)


@pytest.mark.parametrize("seed", range(5))
def test_bleeding_is_its_definition(seed: int):
    ab, L = cartoon(seed)
    rng = np.random.default_rng(seed)
    ab = gaussian_filter(ab, (1, 1, 0)) + rng.normal(0, 2, ab.shape)
    L = gaussian_filter(L, 0.4) + rng.normal(0, 0.5, L.shape)
    assert metrics.bleeding(ab, L) == pytest.approx(reference_bleeding(ab, L))


@pytest.mark.parametrize("seed", range(5))
def test_colour_that_stops_at_edges_does_not_bleed_and_blurred_or_shifted_colour_does(seed: int):
    ab, L = tiles(seed)
    assert 0 <= metrics.bleeding(ab, L) < 0.01  # what is left is the ramp for faint colours
    blurred = [metrics.bleeding(gaussian_filter(ab, (s, s, 0)), L) for s in (1, 2, 4, 8)]
    assert blurred[0] > 0.15
    assert blurred == sorted(blurred)
    assert blurred[-1] == pytest.approx(1, abs=0.1)
    shifted = [metrics.bleeding(shift(ab, (s, s, 0), mode="nearest"), L) for s in (2, 3)]
    assert shifted == pytest.approx([1.5, 1.5], abs=0.3)


def test_grey_and_one_colour_everywhere_do_not_win():
    ab, L = cartoon()
    assert metrics.bleeding(0 * ab, L) == 1
    assert metrics.bleeding(0 * ab + (8, 12), L) == pytest.approx(1)
    faint = np.random.default_rng(0).normal(0, 0.1, ab.shape)
    assert metrics.bleeding(faint, L) == pytest.approx(1, abs=0.01)


def test_one_colour_everywhere_does_not_win_as_it_is_seen_in_srgb_either():
    for lab in photographs():
        lab[..., 1:] = (4, 18)
        codes = np.rint(255 * color.lab_to_srgb(lab))
        washed = color.srgb_to_lab((codes / 255).astype(np.float32))
        assert metrics.bleeding(washed[..., 1:], lab[..., 0]) == pytest.approx(1, abs=0.05)


@given(st.floats(0.5, 2), st.booleans(), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=30)
def test_bleeding_does_not_change_with_vividness_hue_or_the_way_the_picture_is_held(
    vividness: float, turn: bool, flip: bool, swap: bool
):
    ab, L = cartoon()
    ab = gaussian_filter(ab, (1.5, 1.5, 0))
    other, guide = (ab.swapaxes(0, 1), L.T) if turn else (ab, L)
    other, guide = (other[::-1, ::-1], guide[::-1, ::-1]) if flip else (other, guide)
    other = vividness * (-other[..., ::-1] if swap else other)
    assert metrics.bleeding(other, guide) == pytest.approx(metrics.bleeding(ab, L), abs=0.01)


def test_true_colours_of_photographs_bleed_least():
    trues = []
    for lab in photographs():
        ab, L = lab[..., 1:].astype(np.float64), lab[..., 0]
        true = metrics.bleeding(ab, L)
        assert true < metrics.bleeding(gaussian_filter(ab, (1, 1, 0)), L) - 0.1
        assert metrics.bleeding(gaussian_filter(ab, (4, 4, 0)), L) > 0.85
        assert metrics.bleeding(np.roll(ab, (3, 3), (0, 1)), L) > 0.8
        grainy = ab + np.random.default_rng(0).normal(0, 3, ab.shape)
        assert metrics.bleeding(grainy, L) == pytest.approx(true, abs=0.05)
        trues.append(true)
    assert np.mean(trues) < 0.35


def test_without_edges_bleeding_is_not_defined():
    ab, L = cartoon()
    assert np.isnan(metrics.bleeding(ab, 0 * L + 50))
    assert np.isnan(metrics.bleeding(ab[:5, :5], L[:5, :5]))
    seen = metrics.Bleeding().update(ab, 0 * L).update(ab, L)
    assert seen.compute() == metrics.bleeding(ab, L)
    assert np.isnan(metrics.Bleeding().update(ab, 0 * L).compute())
    with pytest.raises(ValueError, match="sizes differ"):
        metrics.bleeding(ab, L[1:])
