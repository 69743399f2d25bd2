from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.testing import assert_array_equal

from retint.formats import jpeg


def picture(height: int, width: int) -> pyvips.Image:
    rng = np.random.default_rng(height)
    smooth = rng.normal(128, 60, (height // 4 + 1, width // 4 + 1, 3)).repeat(4, 0).repeat(4, 1)
    codes = (smooth[:height, :width] + rng.normal(0, 9, (height, width, 3))).clip(0, 255)
    return pyvips.Image.new_from_array(codes.astype(np.uint8), interpretation="srgb")


def coded(height: int, width: int, **options) -> bytes:
    options = {"subsample_mode": "off", "restart_interval": -(-width // 8)} | options
    return picture(height, width).jpegsave_buffer(Q=90, **options)


def decoded(data: bytes) -> np.ndarray:
    return pyvips.Image.jpegload_buffer(data, fail_on="error").numpy()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 9), (150, 40), (161, 77), (200, 8)])
@pytest.mark.parametrize("optimize", [False, True])
def test_bands_are_decoded_alone_as_in_the_whole(height, width, optimize):
    data = coded(height, width, optimize_coding=optimize)
    whole = decoded(data)
    count = -(-height // 8)
    for wanted in ([0], [count - 1], list(range(count)), list(range(0, count, 3))):
        found = decoded(jpeg.bands(data, wanted))
        assert found.shape == (8 * len(wanted), width, 3)
        for i, band in enumerate(wanted):
            expected = whole[8 * band : 8 * band + 8]
            assert_array_equal(found[8 * i : 8 * i + len(expected)], expected)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", Path(__file__).read_bytes()])
def test_what_is_no_jpeg_is_refused(data):
    with pytest.raises(ValueError, match="JPEG"):
        jpeg.bands(data, [0])


def test_a_jpeg_without_restart_markers_is_refused():
    with pytest.raises(ValueError, match="not found"):
        jpeg.bands(coded(160, 80, restart_interval=0), [3])
