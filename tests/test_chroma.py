import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageOps

from retint import color
from retint.chroma import Chroma
from retint.errors import ModelError

sides = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)


def random_chroma(h: int, w: int, seed: int = 0, reach: float = 200) -> Chroma:
    rng = np.random.default_rng(seed)
    ab = rng.uniform(-reach, reach, (h, w, 2)).astype(np.float32)
    return Chroma.fit(ab, rng.random((h, w)), rng.uniform(0, 100, (h, w)))


def scene(size: int) -> np.ndarray:
    """Lab (size, size, 3): a red disc of fine stripes before a blue-green wall."""
    y, x = np.mgrid[:size, :size] / size
    disc = np.hypot(x - 0.45, y - 0.55) < 0.28
    stripes = 6 * np.sin(60 * x + 20 * y)
    lab = np.where(disc[..., None], [45, 50, 35], [75, -25, -15]) + stripes[..., None] * [1, 0, 0]
    return lab.astype(np.float32)


def shrunk(lab: np.ndarray, times: int) -> np.ndarray:
    h, w, _ = lab.shape
    return lab.reshape(h // times, times, w // times, times, 3).mean(axis=(1, 3))


def fitted(lab: np.ndarray) -> Chroma:
    return Chroma.fit(lab[..., 1:], np.ones(lab.shape[:2]), lab[..., 0])


@given(sides, sides, st.integers(1, 40), st.integers(1, 40), seeds)
@settings(deadline=None)
def test_growing_stays_within_the_small_colours_range(h, w, height, width, seed):
    chroma = random_chroma(h, w, seed)
    L = np.random.default_rng(seed).uniform(0, 100, (height, width)).astype(np.float32)
    grown = chroma.grow(L, 0, height)
    slack = 1e-3
    assert grown.shape == (height, width, 2)
    assert (grown >= chroma.ab.min(axis=(0, 1)) - slack).all()
    assert (grown <= chroma.ab.max(axis=(0, 1)) + slack).all()


@given(sides, sides, seeds, st.floats(-200, 200, width=32), st.floats(-200, 200, width=32))
@settings(deadline=None)
def test_growing_keeps_constants_constant(h, w, seed, a, b):
    rng = np.random.default_rng(seed)
    ab = np.full((h, w, 2), (a, b), np.float32)
    chroma = Chroma.fit(ab, np.ones((h, w)), rng.uniform(0, 100, (h, w)))
    grown = chroma.grow(rng.uniform(0, 100, (31, 17)).astype(np.float32), 0, 31)
    assert_array_equal(grown, np.broadcast_to(np.array([a, b], np.float32), grown.shape))


@given(sides, sides, seeds)
@settings(deadline=None)
def test_the_small_colour_comes_back_at_its_own_size(h, w, seed):
    rng = np.random.default_rng(seed)
    L = rng.uniform(0, 100, (h, w)).astype(np.float32)
    ab = rng.uniform(-100, 100, (h, w, 2)).astype(np.float32)
    assert_allclose(Chroma.fit(ab, np.ones((h, w)), L).grow(L, 0, h), ab, atol=1e-2)


def test_rows_grown_apart_are_the_rows_grown_together():
    chroma = random_chroma(9, 7)
    L = np.random.default_rng(1).uniform(0, 100, (50, 33)).astype(np.float32)
    apart = [chroma.grow(L[y : y + 7], y, 50) for y in range(0, 50, 7)]
    assert_array_equal(np.concatenate(apart), chroma.grow(L, 0, 50))


def test_colour_stops_at_edges_and_neither_bleeds_nor_fades():
    truth = scene(384)
    small = shrunk(truth, 6)
    grown = fitted(small).grow(truth[..., 0], 0, 384)
    flat = fitted(np.dstack([np.full(small.shape[:2], 50), small[..., 1:]]))
    unguided = flat.grow(truth[..., 0], 0, 384)
    error = np.abs(grown - truth[..., 1:]).mean()
    assert error < 0.35 * np.abs(unguided - truth[..., 1:]).mean()
    vividness = np.hypot(*np.moveaxis(grown, -1, 0)).mean()
    assert vividness == pytest.approx(np.hypot(truth[..., 1], truth[..., 2]).mean(), rel=0.02)


def test_photographs_grow_nearer_to_the_truth_than_bicubic():
    data = pytest.importorskip("skimage.data")
    mine, bicubic = [], []
    for photograph in (data.coffee(), data.astronaut(), data.chelsea(), data.rocket()):
        h, w = (n // 4 * 4 for n in photograph.shape[:2])
        truth = color.srgb_to_lab(photograph[:h, :w].astype(np.float32) / 255)
        small = shrunk(truth, 4)
        mine.append(np.abs(fitted(small).grow(truth[..., 0], 0, h) - truth[..., 1:]).mean())
        cubic = [
            np.asarray(Image.fromarray(small[..., i]).resize((w, h), Image.Resampling.BICUBIC))
            for i in (1, 2)
        ]
        bicubic.append(np.abs(np.stack(cubic, -1) - truth[..., 1:]).mean())
    assert np.mean(mine) < 0.95 * np.mean(bicubic)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_oriented_undoes_what_a_viewer_does(orientation):
    chroma = random_chroma(5, 3)
    stored = chroma.oriented(orientation)
    for name, upright in vars(chroma).items():
        plane = getattr(stored, name).reshape(*stored.confidence.shape, -1)[..., 0]
        picture = Image.fromarray(plane.copy())
        picture.getexif()[0x0112] = orientation
        shown = np.asarray(ImageOps.exif_transpose(picture))
        assert_array_equal(shown, upright.reshape(5, 3, -1)[..., 0])


def test_oriented_grows_as_the_turned_photograph():
    chroma = random_chroma(6, 8)
    L = np.random.default_rng(2).uniform(0, 100, (40, 60)).astype(np.float32)
    turned = chroma.oriented(6).grow(np.ascontiguousarray(np.rot90(L)), 0, 60)
    assert_allclose(turned, np.rot90(chroma.grow(L, 0, 40)), atol=0.05)


def test_saturation_scales_the_grown_colour():
    chroma = random_chroma(6, 8)
    L = np.random.default_rng(2).uniform(0, 100, (20, 30)).astype(np.float32)
    assert_allclose(chroma.adjusted(0.5).grow(L, 0, 20), 0.5 * chroma.grow(L, 0, 20), atol=1e-3)
    assert not chroma.adjusted(0).grow(L, 0, 20).any()
    assert chroma.adjusted() is chroma


def test_muting_fades_what_is_uncertain_and_leaves_what_is_certain():
    ab = np.full((4, 8, 2), 40, np.float32)
    confidence = np.repeat([[0.0, 0.5, 0.9, 1.0]], 4, axis=0).repeat(2, axis=1)
    chroma = Chroma.fit(ab, confidence, np.full((4, 8), 50.0))
    muted = chroma.adjusted(mute_uncertain=1)
    assert_allclose(muted.ab[0, ::2, 0], [0, 20, 40 * 0.972, 40], atol=1e-4)
    half = chroma.adjusted(mute_uncertain=0.5)
    assert_allclose(half.ab, (chroma.ab + muted.ab) / 2, atol=1e-4)
    assert muted.grow(np.full((8, 16), 50, np.float32), 0, 8).max() <= 40


@pytest.mark.parametrize("size", [(300, 200), (37, 61), (5, 4), (1, 1)])
def test_colours_of_another_picture_of_any_size(size):
    lab = np.asarray(Image.fromarray(scene(120).astype(np.uint8)).resize(size)).astype(np.float32)
    lab[..., 1:] = 20, -30
    L = scene(120)[::3, ::2, 0]
    chroma = Chroma.from_picture(lab, L)
    assert chroma.ab.shape == (40, 60, 2)
    assert_allclose(chroma.ab, np.broadcast_to([20, -30], (40, 60, 2)), atol=1e-4)
    assert (chroma.confidence == 1).all()


def test_colours_of_another_picture_land_where_they_belong():
    truth = scene(240)
    chroma = Chroma.from_picture(truth[::2, ::2], shrunk(truth, 4)[..., 0])
    assert np.abs(chroma.grow(truth[..., 0], 0, 240) - truth[..., 1:]).mean() < 1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_colours_that_are_not_numbers_are_refused(bad):
    ab = np.zeros((3, 3, 2), np.float32)
    ab[1, 1, 0] = bad
    with pytest.raises(ModelError, match="finite"):
        Chroma.fit(ab, np.ones((3, 3)), np.full((3, 3), 50.0))


def test_sizes_that_differ_are_refused():
    with pytest.raises(ValueError, match="sizes differ"):
        Chroma.fit(np.zeros((3, 4, 2)), np.ones((3, 4)), np.zeros((4, 3)))
