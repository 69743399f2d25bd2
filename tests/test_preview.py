"""Previews are the results: the same pixels at full size, and the same made smaller."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from conftest import scene
from retint import preview
from retint.chroma import Chroma
from retint.photo import Photo, upright
from retint.preview import Preview

HEIGHT, WIDTH = 400, 560


def drawn(path: Path, kind: str, orientation: int = 1) -> Photo:
    """A photograph: grey, or toned but for a white border above, so that its blocks differ."""
    rgb = scene(HEIGHT, WIDTH)
    grey = rgb.mean(axis=2, keepdims=True)
    rgb = np.repeat(grey, 3, axis=2)
    if "toned" in kind:
        rgb = np.clip(rgb * (1.05, 0.95, 0.8), 0, 1)
        rgb[:180] = 1
    if "single" in kind:
        rgb = grey
    if "alpha" in kind:
        rgb = np.concatenate([rgb, np.linspace(0.1, 1, HEIGHT)[:, None, None] + 0 * grey], axis=2)
    top, dtype = (65535, np.uint16) if "deep" in kind else (255, np.uint8)
    vips: Any = pyvips.Image
    image = vips.new_from_array(np.rint(rgb * top).astype(dtype))
    grey_space, space = ("grey16", "rgb16") if "deep" in kind else ("b-w", "srgb")
    image = image.copy(interpretation=grey_space if "single" in kind else space)
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.write_to_file(str(path))
    return Photo.open(path)


def guess(photo: Photo) -> Chroma:
    L = photo.thumbnail(128)
    ab = np.stack([40 * np.sin(L / 9), 30 * np.cos(L / 7)], axis=-1)
    return Chroma.fit(ab, L / 100, L)


def result(photo: Photo, chroma: Chroma, **more: Any) -> np.ndarray:
    """The whole result, upright."""
    vips: Any = pyvips.Image
    image = vips.new_from_buffer(photo.tint(chroma, **more).to_bytes("png"), "").numpy()
    return upright(image, photo.orientation)


@pytest.mark.parametrize("kind", ["single", "grey", "toned", "toned alpha", "single alpha"])
def test_a_part_at_full_size_has_the_pixels_of_the_result(tmp_path: Path, kind: str):
    photo = drawn(tmp_path / "a.png", kind)
    chroma = guess(photo).adjusted(1.3, 0.4)
    whole = result(photo, chroma, keep_tone=True)
    look = Preview(photo)
    part = look.part(101 / WIDTH, 33 / HEIGHT, 333 / WIDTH, 287 / HEIGHT, 1000)
    assert part.is_full_size
    assert part[:4] == (101, 33, 434, 320)
    assert np.array_equal(look.colour(part, chroma, keep_tone=True), whole[33:320, 101:434])
    photo.hold()
    assert np.array_equal(look.colour(part, chroma, keep_tone=True), whole[33:320, 101:434])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright(tmp_path: Path, orientation: int):
    photo = drawn(tmp_path / "a.tif", "toned", orientation)
    chroma = guess(photo)
    whole = result(photo, chroma)
    look = Preview(photo)
    width, height = look.size
    assert whole.shape[:2] == (height, width)
    part = look.part(17 / width, 60 / height, 200 / width, 300 / height, 1000)
    assert np.array_equal(look.colour(part, chroma), whole[60:360, 17:217])
    smaller = look.part(17 / width, 60 / height, 200 / width, 300 / height, 150)
    assert (smaller.columns, smaller.rows) == (100, 150)
    assert look.colour(smaller, chroma).shape == (150, 100, 3)
    assert look.unsure(smaller, chroma).shape == (150, 100, 4)
    source = upright(photo.codes()[0].image.numpy(), orientation)
    assert np.array_equal(look.source(part), source[60:360, 17:217])


@pytest.mark.parametrize("kind", ["grey", "toned", "deep"])
def test_smaller_it_is_the_result_made_smaller(tmp_path: Path, kind: str):
    photo = drawn(tmp_path / "a.png", kind)
    chroma = guess(photo)
    look = Preview(photo)
    part = look.part(0.25, 0, 0.5, 1, 200)
    found = look.colour(part, chroma).astype(float)
    vips: Any = pyvips.Image
    whole = np.ascontiguousarray(result(photo, chroma)[:, 140:420])
    if whole.dtype == np.uint16:
        whole = np.rint(whole / 257).astype(np.uint8)
    true = vips.new_from_memory(whole.data, 280, 400, 3, "uchar").resize(0.5).numpy()
    assert found.shape == true.shape == (200, 140, 3)
    assert np.abs(found - true).mean() < 1.5


def test_deep_ones_are_shown_in_eight_bits(tmp_path: Path):
    photo = drawn(tmp_path / "a.png", "deep single")
    chroma = guess(photo)
    look = Preview(photo)
    part = look.part(0, 0, 1, 1, 1000)
    deep = result(photo, chroma)
    assert deep.dtype == np.uint16
    assert np.abs(look.colour(part, chroma) - deep / 257).max() < 0.6


def test_a_small_one_needs_no_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    photo = drawn(tmp_path / "a.png", "grey")
    chroma = guess(photo)
    monkeypatch.setattr(photo, "decode", None)
    look = Preview(photo)
    assert look.colour(look.part(0, 0, 1, 1, 112), chroma).shape == (80, 112, 3)
    assert look.nbytes == 80 * 112 * 3


def test_the_whole_of_a_large_jpeg_is_decoded_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    vips: Any = pyvips.Image
    grey = np.rint(255 * scene(1200, 1600).mean(axis=2)).astype(np.uint8)
    vips.new_from_array(grey).jpegsave(str(tmp_path / "a.jpg"), Q=95)
    photo = Photo.open(tmp_path / "a.jpg")
    chroma = guess(photo)
    look = Preview(photo)
    part = look.part(0, 0, 1, 1, 530)
    slowly = look.colour(part, chroma).astype(int)
    look.release()
    monkeypatch.setattr(preview, "LARGE", 1000)
    decoded: list[int] = []
    decode = photo.decode

    def counted(page: int = 0, *, shrink: int = 1) -> Any:
        decoded.append(shrink)
        return decode(page, shrink=shrink)

    monkeypatch.setattr(photo, "decode", counted)
    quickly = look.colour(part, chroma).astype(int)
    assert decoded == [2]
    assert quickly.shape == slowly.shape == (398, 530, 3)
    assert np.abs(quickly - slowly).mean() < 1


def test_large_ones_lie_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    photo = drawn(tmp_path / "a.png", "toned")
    chroma = guess(photo)
    look = Preview(photo, folder=tmp_path)
    parts = look.part(0.1, 0.1, 0.5, 0.5, 1000), look.part(0.1, 0.1, 0.5, 0.5, 100)
    found = [look.colour(part, chroma) for part in parts]
    assert look.nbytes > HEIGHT * WIDTH * 3
    monkeypatch.setattr(preview, "IN_MEMORY", 1000)
    look.release()
    assert look.nbytes == 0
    again = [look.colour(part, chroma) for part in parts]
    assert all(map(np.array_equal, found, again))
    assert look.nbytes < HEIGHT * WIDTH
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_veil_hides_what_is_unsure(tmp_path: Path):
    photo = drawn(tmp_path / "a.png", "grey")
    L = photo.thumbnail(128)
    confidence = np.linspace(0, 1, L.shape[1])[None] + 0 * L
    chroma = Chroma.fit(np.zeros((*L.shape, 2)), confidence, L)
    look = Preview(photo)
    veil = look.unsure(look.part(0, 0, 1, 1, 280), chroma)
    assert (veil[..., :3] == 255).all()
    assert (veil[:, 0, 3] == 255).all()
    assert (veil[:, -1, 3] == 0).all()
    assert (np.diff(veil[..., 3].astype(int), axis=1) <= 0).all()


def test_a_part_has_a_pixel_at_least(tmp_path: Path):
    look = Preview(drawn(tmp_path / "a.png", "grey"))
    assert look.part(1, 1, 1, 1, 100) == (WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT, 1, 1)
    assert look.part(0, 0, 0, 1, 100) == (0, 0, 1, HEIGHT, 1, 100)
    assert look.part(0, 0, 1, 1, 100) == (0, 0, WIDTH, HEIGHT, 100, 71)
