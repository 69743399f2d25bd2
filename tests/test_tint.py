import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from retint import color, kernel
from retint.chroma import Chroma
from retint.errors import ModelError
from retint.kernel import TILE
from retint.tint import MEASURED_COLUMNS, MEASURED_ROWS, Tinter

sides = st.integers(1, 97)
small_sides = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)
depths = st.sampled_from([8, 16])
reaches = st.sampled_from([0, 1, 20, 60, 200, 1e9])
KEPT = {8: 0.30, 16: 0.002}


def random_chroma(h: int, w: int, seed: int = 0, reach: float = 200) -> Chroma:
    rng = np.random.default_rng(seed)
    ab = rng.uniform(-reach, reach, (h, w, 2)).astype(np.float32)
    return Chroma.fit(ab, rng.random((h, w)), rng.uniform(0, 100, (h, w)))


def random_codes(shape: tuple[int, ...], bits: int, seed: int = 0) -> np.ndarray:
    """Every brightness alike, black and white more often than by chance."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-(2**bits) // 8, 2**bits * 9 // 8, shape)
    return codes.clip(0, 2**bits - 1).astype(f"uint{bits}")


def tinted(codes: np.ndarray, chroma: Chroma, bits_out: int, **options) -> np.ndarray:
    height, width = codes.shape[:2]
    return Tinter(chroma, width, height, bits_out=bits_out, **options)(codes, 0)


def lightness(codes: np.ndarray) -> np.ndarray:
    linear = color.srgb_to_linear(codes / np.iinfo(codes.dtype).max)
    return color.luminance_to_lightness(
        linear @ color.LUMINANCE_WEIGHTS if codes.ndim == 3 else linear
    )


def reference(codes: np.ndarray, chroma: Chroma, bits_out: int) -> np.ndarray:
    """The same in plain steps: L*, grown ab, Lab to sRGB; codes not yet rounded."""
    L = lightness(codes)
    lab = np.dstack([L, chroma.grow(L, 0, len(L))])
    return color.lab_to_srgb(lab) * (2**bits_out - 1)


def grey(Y: float, bits: int) -> np.ndarray:
    return np.array([[Y * (2**bits - 1)]]).round().astype(f"uint{bits}")


@given(sides, sides, small_sides, small_sides, depths, depths, st.booleans(), seeds)
@settings(deadline=None, max_examples=200)
def test_lightness_stays_whatever_the_model_says(height, width, h, w, bits, out, rgb, seed):
    codes = random_codes((height, width, 3) if rgb else (height, width), bits, seed)
    result = tinted(codes, random_chroma(h, w, seed), out)
    assert result.shape == (height, width, 3)
    assert result.dtype == f"uint{out}"
    assert np.abs(lightness(result) - lightness(codes)).max() <= KEPT[out]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("hue", range(0, 360, 15))
def test_lightness_of_every_code_stays_at_every_hue(bits, hue):
    codes = np.arange(2**bits, dtype=f"uint{bits}").reshape(2 ** (bits // 2), -1)
    for reach in (1, 15, 60, 200):
        ab = reach * np.array([np.cos(np.radians(hue)), np.sin(np.radians(hue))])
        chroma = Chroma.fit(ab.reshape(1, 1, 2), np.ones((1, 1)), np.full((1, 1), 50.0))
        result = tinted(codes, chroma, bits)
        assert np.abs(lightness(result) - lightness(codes)).max() <= KEPT[bits]


@given(sides, sides, small_sides, small_sides, depths, depths, st.booleans(), seeds)
@settings(deadline=None)
def test_is_the_reference_done_in_one_pass(height, width, h, w, bits, out, rgb, seed):
    codes = random_codes((height, width, 3) if rgb else (height, width), bits, seed)
    chroma = random_chroma(h, w, seed, reach=60)
    off = np.abs(tinted(codes, chroma, out) - reference(codes, chroma, out))
    # Half a code is rounding. A steep slope times the table's step of lightness adds some at 16.
    assert off.max() <= (0.65 if out == 8 else 16)
    assert off.mean() <= 0.35 if off.size > 300 else True


@pytest.mark.skipif(kernel.compiled is None, reason="retint was built without a C compiler")
@given(sides, small_sides, depths, depths, st.booleans(), st.booleans(), reaches, seeds)
@settings(deadline=None, max_examples=200)
def test_the_compiled_kernel_gives_the_pixels_of_numpy(h, w, bits, out, rgb, toned, reach, seed):
    size = 40, 23 * h  # on both sides of the compiled kernel's 256 pixels at a time
    codes = random_codes((*size, 3) if rgb else size, bits, seed)
    chroma = random_chroma(1 + h % 12, w, seed, reach)
    tone = np.random.default_rng(seed).uniform(-100, 100, (256, 2)) if toned else None
    found = tinted(codes, chroma, out, tone=tone)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "compiled", None)
        assert_array_equal(found, tinted(codes, chroma, out, tone=tone))


@pytest.mark.skipif(kernel.compiled is None, reason="retint was built without a C compiler")
@pytest.mark.parametrize("bits", [8, 16])
def test_the_compiled_kernel_gives_every_code_as_numpy_does(bits):
    codes = np.arange(2**bits, dtype=f"uint{bits}").reshape(2 ** (bits // 2), -1)
    for reach in (0, 1, 10, 60, 200, 1e9):
        chroma = random_chroma(16, 16, reach=reach)
        found = tinted(codes, chroma, bits)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "compiled", None)
            assert_array_equal(found, tinted(codes, chroma, bits))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("with_numpy", [False, True])
def test_one_band_is_taken_where_every_pixel_is_grey(bits, with_numpy, monkeypatch):
    if with_numpy:
        monkeypatch.setattr(kernel, "compiled", None)
    grey = random_codes((130, 77), bits)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    assert_array_equal(kernel.one_band(rgb), grey)
    assert_array_equal(kernel.one_band(rgb[:, 5:40]), grey[:, 5:40])
    for y, x, band in ((0, 0, 0), (64, 5, 1), (129, 76, 2)):
        spot = rgb.copy()
        spot[y, x, band] ^= 1
        assert kernel.one_band(spot) is None


@pytest.mark.skipif(kernel.compiled is None, reason="retint was built without a C compiler")
def test_the_compiled_kernel_refuses_arrays_that_do_not_fit():
    codes = random_codes((4, 6, 3), 8)
    with pytest.raises(ValueError, match="shape"):
        kernel.compiled.take_grey(codes, np.empty((4, 5), np.uint8))
    small, columns = np.zeros((8, 2), np.float32), np.zeros(6, np.int32)
    across, down = np.zeros(6, np.float32), np.zeros(4, np.float32)
    for left, tables in (
        (columns, kernel.tables((2, 1), 8, None)),
        (columns + 2, kernel.tables((3, 1), 8, None)),
        (columns, kernel.tables((3, 1), 16, None)),
    ):
        with pytest.raises(ValueError, match="shape"):
            kernel.compiled.tint(
                codes, np.empty_like(codes), small, small, small, small, left, across, down, *tables
            )


@pytest.mark.parametrize("bits", [8, 16])
def test_every_grey_code_without_chroma_comes_back(bits):
    codes = np.arange(2**bits, dtype=f"uint{bits}").reshape(2 ** (bits // 2), -1)
    still = tinted(codes, random_chroma(5, 4, reach=0), bits)
    assert_array_equal(still, np.repeat(codes[..., None], 3, axis=2))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_grey_code_comes_back_beside_colour(bits):
    ab = np.zeros((4, 8, 2), np.float32)
    ab[:, 5:] = 60, -40
    chroma = Chroma.fit(ab, np.ones((4, 8)), np.full((4, 8), 50.0))
    codes = random_codes((256, 512), bits)
    result = tinted(codes, chroma, bits)
    assert_array_equal(result[:, :224], np.repeat(codes[:, :224, None], 3, axis=2))
    assert np.ptp(result[:, 400:].astype(int), axis=2).mean() > 10


@given(depths, depths, seeds)
@settings(deadline=None)
def test_rgb_without_chroma_is_grey_of_its_own_luminance(bits, out, seed):
    codes = random_codes((32, 32, 3), bits, seed)
    result = tinted(codes, random_chroma(2, 2, reach=0), out).astype(int)
    Y = color.srgb_to_linear(codes / (2**bits - 1)) @ color.LUMINANCE_WEIGHTS
    assert (np.ptp(result, axis=2) == 0).all()
    assert np.abs(result[..., 0] - color.linear_to_srgb(Y) * (2**out - 1)).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_neutral_rgb_is_tinted_as_grey(bits):
    codes = random_codes((40, 50), bits)
    chroma = random_chroma(5, 6, reach=60)
    neutral = np.repeat(codes[..., None], 3, axis=2)
    off = np.abs(tinted(neutral, chroma, 8).astype(int) - tinted(codes, chroma, 8))
    assert off.max() <= 1


def test_depths_are_scaled():
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    still = random_chroma(1, 1, reach=0)
    assert_array_equal(tinted(codes, still, 16)[..., 1], codes.astype(np.uint16) * 257)
    assert_array_equal(tinted(codes.astype(np.uint16) * 257, still, 8)[..., 1], codes)


def test_chroma_lands_on_the_lab_it_names():
    ab = np.array([[[20, 30]]], np.float32)
    chroma = Chroma.fit(ab, np.ones((1, 1)), np.full((1, 1), 60.0))
    lab = color.srgb_to_lab(tinted(grey(0.5, 16), chroma, 16) / 65535)
    assert_allclose(lab[0, 0, 1:], [20, 30], atol=0.01)


@given(st.integers(1, 40), st.integers(1, 40), seeds)
@settings(deadline=None, max_examples=30)
def test_rows_in_any_strips_and_order_come_out_the_same(height, strip, seed):
    codes = random_codes((height, 31), 8, seed)
    chroma = random_chroma(7, 5, seed)
    whole = tinted(codes, chroma, 8)
    tinter = Tinter(chroma, 31, height, bits_out=8)
    starts = list(range(0, height, strip))
    np.random.default_rng(seed).shuffle(starts)
    for y in starts:
        assert_array_equal(tinter(codes[y : y + strip], y), whole[y : y + strip])


def test_a_picture_wider_than_a_tile_has_no_seams():
    codes = random_codes((3, 2 * TILE + 5), 8)
    chroma = random_chroma(2, 9)
    off = np.abs(tinted(codes, chroma, 8) - reference(codes, chroma, 8))
    assert off.max() <= 0.55


def test_threads_change_nothing():
    codes = random_codes((400, 300), 16)
    chroma = random_chroma(20, 15)
    alone = Tinter(chroma, 300, 400, bits_out=16)
    expected = alone(codes, 0)
    shared = Tinter(chroma, 300, 400, bits_out=16)
    result = np.zeros_like(expected)

    def work(first: int) -> None:
        for y in range(first, 400, 40):
            result[y : y + 10] = shared(codes[y : y + 10], y)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_array_equal(result, expected)
    assert shared.delta_L == alone.delta_L


@pytest.mark.parametrize("bits", [8, 16])
def test_delta_L_is_what_a_reader_would_measure(bits):
    codes = random_codes((60, 70), bits)
    tinter = Tinter(random_chroma(6, 7), 70, 60, bits_out=bits)
    assert tinter.delta_L == (0, 0)
    delta = np.abs(lightness(tinter(codes, 0)) - lightness(codes))
    assert tinter.delta_L == pytest.approx((delta.mean(), delta.max()))


def test_delta_L_of_a_large_photograph_is_an_even_sample():
    codes = random_codes((3 * MEASURED_ROWS + 1, 3 * MEASURED_COLUMNS - 1), 8)
    tinter = Tinter(random_chroma(6, 7), codes.shape[1], codes.shape[0], bits_out=8)
    out = tinter(codes, 0)
    delta = np.abs(lightness(out[::3, ::2]) - lightness(codes[::3, ::2]))
    assert tinter.delta_L == pytest.approx((delta.mean(), delta.max()))


def test_tone_is_added_by_lightness():
    tone = np.stack([np.linspace(0, 20, 256), np.linspace(30, 0, 256)], axis=1)
    codes = np.array([[20000, 30000, 45000]], np.uint16)
    lab = color.srgb_to_lab(tinted(codes, random_chroma(1, 1, reach=0), 16, tone=tone) / 65535)
    L = lightness(codes)
    assert_allclose(lab[..., 1], 0.2 * L, atol=0.02)
    assert_allclose(lab[..., 2], 30 - 0.3 * L, atol=0.02)


@given(depths, st.booleans(), seeds)
@settings(deadline=None, max_examples=20)
def test_tone_leaves_lightness_alone(bits, rgb, seed):
    rng = np.random.default_rng(seed)
    codes = random_codes((30, 40, 3) if rgb else (30, 40), bits, seed)
    tone = rng.uniform(-100, 100, (256, 2))
    result = tinted(codes, random_chroma(3, 4, seed), bits, tone=tone)
    assert np.abs(lightness(result) - lightness(codes)).max() <= KEPT[bits]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["slope", "intercept", "low", "high"])
def test_chroma_that_is_not_finite_is_refused(bad, field):
    chroma = random_chroma(3, 4)
    getattr(chroma, field)[1, 2, 0] = bad
    with pytest.raises(ModelError, match="finite"):
        Tinter(chroma, 10, 10, bits_out=8)


def test_absurd_but_finite_chroma_is_shrunk_like_any_other():
    ab = np.full((2, 2, 2), 1e30, np.float32) * [[[1, -1]]]
    ab[0] *= -1
    chroma = Chroma.fit(ab, np.ones((2, 2)), np.array([[10.0, 90.0], [50.0, 20.0]]))
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    result = tinted(codes, chroma, 8)
    assert np.abs(lightness(result) - lightness(codes)).max() <= KEPT[8]
