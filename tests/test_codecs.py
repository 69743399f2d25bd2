"""Formats: told apart by content, read whole, a JPEG's quality read back."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retint.errors import InputError
from retint.formats import codecs, containers
from retint.formats.codecs import (
    Bytes,
    decode,
    format_by_name,
    jp2_depth,
    jpeg_quality,
    pnm_header,
    sniff,
)
from retint.formats.stream import Ahead, RowSource, raw_tiff


def picture(height: int = 20, width: int = 30, bands: int = 1, bits: int = 8) -> Any:
    rng = np.random.default_rng(height * width)
    kind = np.uint8 if bits == 8 else np.uint16
    codes = rng.integers(0, 2**bits, (height, width, bands)).astype(kind)
    spaces = {(1, 8): "b-w", (3, 8): "srgb", (1, 16): "grey16", (3, 16): "rgb16"}
    image: Any = pyvips.Image.new_from_array(codes)
    return image.copy(interpretation=spaces[bands, bits])


def test_formats_are_told_by_content() -> None:
    image = picture(bands=3)
    for name, data in {
        "jpeg": image.jpegsave_buffer(),
        "png": image.pngsave_buffer(),
        "tiff": image.tiffsave_buffer(bigtiff=True),
        "webp": image.webpsave_buffer(),
        "avif": image.heifsave_buffer(compression="av1"),
        "gif": image.gifsave_buffer(),
        "pnm": b"P6 30 20 255\n" + bytes(1800),
    }.items():
        assert sniff(data[:64]) == name
    for name, kind in (("BMP", "bmp"), ("JPEG2000", "jp2")):
        file = io.BytesIO()
        Image.new("RGB", (30, 20)).save(file, name)
        assert sniff(file.getvalue()[:64]) == kind
    assert sniff(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic") == "heic"


@given(st.binary(max_size=64))
def test_telling_formats_never_fails(head: bytes) -> None:
    assert sniff(head) in {*codecs.FORMATS, "heic", None}
    assert codecs.refusal(head).startswith("is ")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("jpg", "jpeg"),
        (".TIF", "tiff"),
        ("avif", "avif"),
        ("pgm", "pnm"),
        ("gif", None),
        ("x", None),
    ],
)
def test_formats_by_name(name: str, found: str | None) -> None:
    chosen = format_by_name(name)
    assert (chosen and chosen.name) == found


@pytest.mark.parametrize("quality", [*range(1, 100, 7), 75, 90, 95, 99, 100])
def test_quality_of_a_jpeg_is_read_back(quality: int) -> None:
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG", quality=quality)
    assert containers.read_jpeg(file)[1].quality == quality
    data = picture(bands=3).jpegsave_buffer(Q=quality)
    assert containers.read_jpeg(io.BytesIO(data))[1].quality == quality


def test_quality_of_other_tables_is_the_nearest() -> None:
    table = bytes(min(255, int(v) + 1) for v in codecs.LUMINANCE_TABLE)
    assert 45 <= jpeg_quality(table) <= 50
    assert jpeg_quality(bytes([1] * 64)) == 100


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), bands=st.sampled_from([1, 3, 4]),
    bits=st.sampled_from([8, 16]), rows=st.sampled_from([16, 32]), big=st.booleans(),
)  # fmt: skip
def test_rows_made_in_python_reach_libvips_unchanged(
    height: int, width: int, bands: int, bits: int, rows: int, big: bool
) -> None:
    rng = np.random.default_rng(height * width)
    kind = np.uint8 if bits == 8 else np.uint16
    codes = rng.integers(0, 2**bits, (height, width, bands)).astype(kind)
    blocks = (codes[y : y + rows].copy().data.cast("B") for y in range(0, height, rows))
    header = raw_tiff(width, height, bands, bits, rows=rows, big=big)
    source = RowSource(header, Ahead(blocks), codes.nbytes)
    assert np.array_equal(source.image().numpy().reshape(codes.shape), codes)
    assert source.error is None
    assert source.exhausted


def test_an_error_while_rows_are_made_is_not_swallowed() -> None:
    def blocks() -> Any:
        yield bytes(16 * 30 * 3)
        raise ZeroDivisionError("in the middle")

    source = RowSource(
        raw_tiff(30, 40, 3, 8, rows=16), (memoryview(b) for b in Ahead(blocks())), 40 * 30 * 3
    )
    with pytest.raises(pyvips.Error):
        source.image().jpegsave_buffer()
    assert isinstance(source.error, ZeroDivisionError)
    assert not source.exhausted


# PNM


@pytest.mark.parametrize("kind", ["P1", "P2", "P3", "P4", "P5", "P6"])
@pytest.mark.parametrize("top", [255, 65535, 100, 1000])
def test_pnm_as_netpbm_writes_it(tmp_path: Path, kind: str, top: int) -> None:
    rng = np.random.default_rng(0)
    bands = 3 if kind in ("P3", "P6") else 1
    if kind in ("P1", "P4"):
        values = rng.integers(0, 2, (5, 11, 1))
        body = (
            "\n".join(" ".join(map(str, row)) for row in values[..., 0]).encode()
            if kind == "P1"
            else np.packbits(values[..., 0].astype(np.uint8), axis=1).tobytes()
        )
        head, expected = f"{kind}\n# ink is 1\n11 5\n", (1 - values) * 255
    else:
        values = rng.integers(0, top + 1, (5, 11, bands))
        body = (
            " ".join(map(str, values.ravel())).encode()
            if kind in ("P2", "P3")
            else values.astype(">u2" if top > 255 else np.uint8).tobytes()
        )
        head = f"{kind} 11 #width\n5\n{top}\n"
        expected = values * ((65535 if top > 255 else 255) / top)
    path = tmp_path / "a.pnm"
    path.write_bytes(head.encode() + body)
    decoded = decode(Bytes(path), "pnm")
    assert np.abs(decoded.image.numpy().reshape(expected.shape) - expected).max() < 0.501
    assert pnm_header(io.BytesIO(path.read_bytes())).comments


@pytest.mark.parametrize(
    "data",
    [b"P6", b"P6 0 5 255\n", b"P6 5 5\n", b"P6 5 5 70000\n", b"P6 5 x 255\n", b"P5 5 5 255\nabc",
     b"P2 2 2 255\n1 2 3", b"P2 2 2 255\n1 2 3 x", b"P3 1 1 255\nnan nan nan",
     b"P6 99999999999999 9 255\n"],
)  # fmt: skip
def test_a_damaged_pnm_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        decode(Bytes(None, data), "pnm").image.numpy()


# What only Pillow reads


@pytest.mark.parametrize(("mode", "kept"), [("L", True), ("RGB", True), ("I;16", True)])
def test_jpeg_2000_keeps_its_depth(tmp_path: Path, mode: str, kept: bool) -> None:
    path = tmp_path / "a.jp2"
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 65536 if mode == "I;16" else 256, (40, 40, 3 if mode == "RGB" else 1))
    codes = codes.astype(np.uint16 if mode == "I;16" else np.uint8)
    Image.fromarray(codes if mode == "RGB" else codes[..., 0]).save(path, irreversible=False)
    result = decode(Bytes(path), "jp2").image.numpy().reshape(codes.shape)
    assert result.dtype == codes.dtype
    assert np.array_equal(result, codes) is kept


def test_jpeg_2000_that_would_lose_depth_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "deep.jp2"
    Image.new("RGB", (40, 40)).save(path)
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\x4f\xff\x51")
    assert jp2_depth(bytes(data)) == (8, 3)
    data[at + 42] = data[at + 45] = data[at + 48] = 15
    path.write_bytes(data)
    assert jp2_depth(bytes(data)) == (16, 3)
    with pytest.raises(InputError, match=r"deep\.jp2: JPEG 2000 with 3 x 16 bits would lose depth"):
        decode(Bytes(path), "jp2")


WITHOUT_PILLOW = """
import sys
sys.modules["PIL"] = None
from retint.formats.codecs import pillow_reads
from retint.photo import Photo
from retint.errors import InputError
assert pillow_reads() == ()
try:
    Photo.open(sys.argv[1])
except InputError as error:
    print(error)
"""


def test_without_pillow_bmp_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    Image.new("L", (8, 8)).save(path)
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PILLOW, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"{path}: BMP is read only where Pillow is installed\n"


# Damage: no mutated file does anything but decode or raise InputError


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["jpeg", "png", "tiff", "webp", "gif", "pnm", "pyramid"]),
    cut=st.one_of(st.none(), st.integers(0, 2000)),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=8),
)
def test_mutated_files_are_read_or_refused(
    kind: str, cut: int | None, changes: list[tuple[int, int]]
) -> None:
    from retint.photo import Photo

    image = picture(24, 24, 3)
    data = bytearray(
        {
            "jpeg": lambda: image.jpegsave_buffer(),
            "png": lambda: image.pngsave_buffer(),
            "tiff": lambda: image.tiffsave_buffer(compression="lzw"),
            "webp": lambda: image.webpsave_buffer(),
            "gif": lambda: image.gifsave_buffer(),
            "pnm": lambda: b"P6 24 24 255\n" + image.numpy().tobytes(),
            "pyramid": lambda: image.tiffsave_buffer(
                tile=True, pyramid=True, tile_width=16, tile_height=16
            ),
        }[kind]()
    )
    for at, value in changes:
        data[at % len(data)] = value
    refusal = ""
    try:
        photo = Photo.open(bytes(data[:cut]), max_pixels=10**6)
        photo.thumbnail(16)
        photo.colour()
        assert photo.orientation in range(1, 9)
        assert not photo.is_marked
    except InputError as error:
        refusal = str(error)
    assert refusal == "" or refusal.startswith("<bytes>: ")
    assert "\n" not in refusal
