import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose

from retint import color

unit = st.floats(0, 1)
colours = hnp.arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=unit)
lightness = st.floats(0, 100)
chroma = st.floats(-200, 200)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # CIE Lab (D65) of sRGB's corners, as Lindbloom's calculator prints them
        ((1, 1, 1), (100, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0, 1, 1), (91.11, -48.09, -14.13)),
        ((1, 0, 1), (60.32, 98.23, -60.82)),
        ((1, 1, 0), (97.14, -21.55, 94.48)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_lab_of_the_primaries_is_the_published_one(rgb, lab):
    assert_allclose(color.srgb_to_lab(rgb), lab, atol=0.03)


@pytest.mark.parametrize(
    ("encoded", "linear"),
    [(0, 0), (0.04045, 0.0031308), (0.5, 0.2140411), (0.7353570, 0.5), (1, 1)],
)
def test_transfer_curve_has_the_standards_values(encoded, linear):
    assert_allclose(color.srgb_to_linear(encoded), linear, atol=1e-7)
    assert_allclose(color.linear_to_srgb(linear), encoded, atol=5e-7)


@pytest.mark.parametrize(
    ("Y", "L"), [(0, 0), (0.008856, 8), (0.1841865, 50), (0.18, 49.4961), (1, 100)]
)
def test_lightness_has_the_published_values(Y, L):
    assert_allclose(color.luminance_to_lightness(Y), L, atol=1e-3)
    assert_allclose(color.lightness_to_luminance(L), Y, atol=1e-5)


def test_lab_agrees_with_scikit_image():
    skcolor = pytest.importorskip("skimage.color")
    rgb = np.random.default_rng(0).random((2000, 3))
    # scikit-image rounds matrix and white differently; that is worth up to 0.05 Lab units.
    assert_allclose(color.srgb_to_lab(rgb), skcolor.rgb2lab(rgb), atol=0.05)
    assert_allclose(color.srgb_to_linear(rgb) @ color.RGB_TO_XYZ.T, skcolor.rgb2xyz(rgb), atol=4e-4)


@given(colours)
@settings(deadline=None)
def test_lab_there_and_back(rgb):
    assert_allclose(color.lab_to_srgb(color.srgb_to_lab(rgb)), rgb, atol=1e-6)


@given(colours)
@settings(deadline=None)
def test_xyz_there_and_back(rgb):
    assert_allclose(color.xyz_to_linear(color.linear_to_xyz(rgb)), rgb, atol=1e-12)


@given(unit)
@settings(deadline=None)
def test_curves_there_and_back(v):
    assert_allclose(color.linear_to_srgb(color.srgb_to_linear(v)), v, atol=1e-6)
    assert_allclose(
        color.luminance_to_lightness(color.lightness_to_luminance(100 * v)), 100 * v, atol=1e-9
    )


@given(unit)
@settings(deadline=None)
def test_greys_have_no_chroma(v):
    L, a, b = color.srgb_to_lab([v, v, v])
    assert_allclose([a, b], 0, atol=1e-9)
    assert_allclose(L, color.luminance_to_lightness(color.srgb_to_linear(v)), atol=1e-9)


@given(lightness, chroma, chroma)
@settings(deadline=None)
def test_any_lab_gives_srgb_of_the_same_lightness(L, a, b):
    rgb = color.lab_to_srgb([L, a, b])
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    Y = color.srgb_to_linear(rgb) @ color.LUMINANCE_WEIGHTS
    # 1e-4: the standard's two transfer curve branches do not quite meet at 0.0031308.
    assert_allclose(color.luminance_to_lightness(Y), L, atol=1e-4)


@given(hnp.arrays(np.float64, (3,), elements=st.floats(-2, 3)))
@settings(deadline=None)
def test_shrinking_keeps_luminance_and_hue_and_touches_nothing_inside(rgb):
    Y = rgb @ color.LUMINANCE_WEIGHTS
    shrunk = color.shrink_to_gamut(rgb)
    assert shrunk.min() >= 0
    assert shrunk.max() <= 1
    if 0 <= Y <= 1:
        assert_allclose(shrunk @ color.LUMINANCE_WEIGHTS, Y, atol=1e-9)
        assert_allclose(np.cross(shrunk - Y, rgb - Y), 0, atol=1e-9)
    if rgb.min() >= 0 and rgb.max() <= 1:
        assert_allclose(shrunk, rgb, atol=1e-12)


def test_shrinking_goes_no_further_than_the_gamut_asks():
    assert color.shrink_to_gamut([1.6, 0.3, 0.2]).max() == pytest.approx(1)
    assert color.shrink_to_gamut([0.4, 0.3, -0.2]).min() == pytest.approx(0)


def test_single_precision_stays_single_and_warns_of_nothing():
    ramp = np.linspace(0, 1, 33, dtype=np.float32)
    rgb = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab = color.srgb_to_lab(rgb)
        back = color.lab_to_srgb(lab)
    assert lab.dtype == back.dtype == np.float32
    assert_allclose(back, rgb, atol=1e-4)
    assert_allclose(lab, color.srgb_to_lab(rgb.astype(np.float64)), atol=2e-3)
