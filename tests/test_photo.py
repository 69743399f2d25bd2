"""Photo: open, small pictures, and results as whole files of the same luminance."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from retint import color
from retint.chroma import Chroma
from retint.errors import InputError, ModelError, OutputError
from retint.formats import stream, tiff
from retint.photo import Photo, upright

WILD = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def vips(array: Any) -> Any:
    """A libvips image of codes (h, w) or (h, w, bands)."""
    bands = 1 if array.ndim == 2 else array.shape[2]
    deep = array.dtype == np.uint16
    kind = ("grey16" if deep else "b-w") if bands < 3 else ("rgb16" if deep else "srgb")
    image: Any = pyvips.Image.new_from_array(np.ascontiguousarray(array))
    return image.copy(interpretation=kind)


def ramp(height: int = 48, width: int = 64, bits: int = 8) -> Any:
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    top = 2**bits - 1
    return np.rint((0.6 * x + 0.4 * y) * top).astype(np.uint8 if bits == 8 else np.uint16)


def chroma(L: Any, *, strength: float = 25.0) -> Chroma:
    ab = np.stack([np.sin(L / 10), np.cos(L / 15)], axis=-1).astype(np.float32) * strength
    return Chroma.fit(ab, np.full(L.shape, 0.5, np.float32), L)


def save(path: Path, target: Path, *, strength: float = 25.0, **options: Any) -> Any:
    photo = Photo.open(path)
    chromas = [chroma(photo.thumbnail(64, p), strength=strength) for p in range(photo.pages)]
    return photo.tint(chromas, keep_tone=options.pop("keep_tone", False)).save(target, **options)


def pixels(path: Path, page: int = 0) -> Any:
    loader: Any = pyvips.Image
    options = {"page": page} if path.suffix == ".tif" else {}
    # by bytes: libvips remembers files by name
    return loader.new_from_buffer(path.read_bytes(), "", **options).numpy()


def lightness(codes: Any) -> Any:
    top = 65535 if codes.dtype == np.uint16 else 255
    linear = color.srgb_to_linear(codes / top)
    if codes.ndim == 3:
        linear = linear[..., :3] @ color.LUMINANCE_WEIGHTS
    return color.luminance_to_lightness(linear)


# Luminance


@pytest.mark.parametrize(("bits", "suffix"), [(8, ".png"), (16, ".png"), (8, ".tif"), (16, ".tif")])
@WILD
@given(
    height=st.integers(1, 97),
    width=st.integers(1, 97),
    alpha=st.booleans(),
    strength=st.floats(0, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_luminance_size_depth_and_alpha_are_the_photographs(
    tmp_path: Path, bits: int, suffix: str, height: int, width: int, alpha: bool,
    strength: float, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    kind = np.uint8 if bits == 8 else np.uint16
    codes = rng.integers(0, 2**bits, (height, width, 2 if alpha else 1)).astype(kind)
    path, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    vips(codes).write_to_file(str(path))
    photo = Photo.open(path)
    assert (photo.bits, photo.has_alpha, photo.channels) == (bits, alpha, "grey")
    L = photo.thumbnail(32)
    ab = rng.uniform(-strength, strength, (*L.shape, 2)).astype(np.float32)
    tinted = photo.tint(Chroma.fit(ab, np.ones(L.shape, np.float32), L))
    saved = tinted.save(target)
    result = pixels(target)
    assert result.shape == (height, width, 4 if alpha else 3)
    assert result.dtype == kind
    limit = 0.30 if bits == 8 else 0.002
    assert np.abs(lightness(result[..., :3]) - lightness(codes[..., 0])).max() <= limit
    assert saved.delta_L[0] <= saved.delta_L[1] <= limit
    if alpha:
        assert np.array_equal(result[..., 3], codes[..., 1])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
@pytest.mark.parametrize("bits", [8, 16])
def test_no_colour_gives_back_the_codes(tmp_path: Path, suffix: str, bits: int) -> None:
    path, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    codes = ramp(bits=bits)
    if suffix == ".ppm":
        head = b"P5\n# a comment\n64 48\n%d\n" % (2**bits - 1)
        path.write_bytes(head + codes.astype(">u2" if bits == 16 else np.uint8).tobytes())
    else:
        vips(codes).write_to_file(str(path))
    save(path, target, strength=0.0)
    if suffix == ".ppm":
        data = target.read_bytes()
        assert b"# a comment" in data
        assert Photo.open(target).is_marked
        kind = ">u2" if bits == 16 else np.uint8
        size = codes.size * 3 * bits // 8
        result = np.frombuffer(data[-size:], kind).reshape(48, 64, 3)
    else:
        result = pixels(target)
    assert np.array_equal(result, np.repeat(codes[..., None], 3, axis=2))


def test_colours_that_are_no_numbers_leave_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    vips(ramp()).write_to_file(str(path))
    photo = Photo.open(path)
    good = chroma(photo.thumbnail(64))
    hostile = Chroma(
        np.full_like(good.ab, np.nan), good.confidence, np.full_like(good.slope, np.inf),
        good.intercept, good.low, good.high,
    )  # fmt: skip
    with pytest.raises(ModelError):
        photo.tint(hostile).save(tmp_path / "b.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_toned_print_is_read_by_luminance_and_may_keep_its_tone(
    tmp_path: Path, photographs: dict[str, Path]
) -> None:
    source = photographs["toned.jpg"]
    assert Photo.open(source).colour() == "toned"
    plain, warm = tmp_path / "plain.png", tmp_path / "warm.png"
    save(source, plain, strength=0.0)
    save(source, warm, strength=0.0, keep_tone=True)
    before = pyvips.Image.new_from_file(str(source)).numpy()
    result = pixels(plain).astype(int)
    assert np.abs(result - result.mean(axis=2, keepdims=True)).max() <= 1
    assert np.abs(lightness(pixels(plain)) - lightness(before)).max() <= 0.5
    assert np.abs(lightness(pixels(warm)) - lightness(before)).max() <= 0.5
    lab_before, lab_after = (color.srgb_to_lab(p / 255.0) for p in (before, pixels(warm)))
    assert np.abs(lab_before - lab_after)[..., 1:].mean() < 2.5
    assert lab_after[..., 2].mean() > 3


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_same_pixels_from_any_number_of_threads(tmp_path: Path, jobs: int) -> None:
    path = tmp_path / "a.tif"
    vips(ramp(700, 1500, 16)).tiffsave(str(path), tile=True, compression="deflate")
    photo = Photo.open(path)
    tinted = photo.tint(chroma(photo.thumbnail(64)))
    reference = tinted.save(tmp_path / "reference.tif").sha256
    found: list[str] = []

    def work(i: int) -> None:
        found.append(tinted.save(tmp_path / f"{i}.tif").sha256)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [reference] * jobs


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_orientation_stays_and_the_network_sees_upright(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    codes = ramp(48, 64)
    codes[:16, :16] = 255
    path, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    image = vips(codes).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.write_to_file(str(path))
    photo = Photo.open(path)
    assert photo.orientation == orientation
    seen = photo.thumbnail(64)
    right: Any = pyvips.Image.new_from_file(str(path)).autorot()
    assert seen.shape == (right.height, right.width)
    assert np.abs(seen - lightness(right.numpy())).mean() < 1
    # warm above, cold below, as seen
    ab = np.zeros((*seen.shape, 2), np.float32)
    ab[: len(ab) // 2, :, 1], ab[len(ab) // 2 :, :, 1] = 30, -30
    photo.tint(Chroma.fit(ab, np.ones(seen.shape, np.float32), seen)).save(target)
    result: Any = pyvips.Image.new_from_file(str(target))
    assert result.get("orientation") == orientation
    assert (result.width, result.height) == (64, 48)
    lab = color.srgb_to_lab(result.autorot().numpy() / 255.0)
    third = len(lab) // 3
    assert lab[:third, ..., 2].mean() > 5
    assert lab[-third:, ..., 2].mean() < -5


def test_upright_turns_as_libvips_does() -> None:
    codes = ramp(5, 7)
    for orientation in range(1, 9):
        image = vips(codes).copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
        assert np.array_equal(upright(codes, orientation), image.autorot().numpy())


# Pages


def pages_of(path: Path) -> list[tiff.Directory]:
    with path.open("rb") as file:
        return tiff.read(file).pages


@pytest.mark.parametrize("big", [False, True])
def test_every_page_is_coloured_whatever_its_size(tmp_path: Path, big: bool) -> None:
    sizes = [(48, 64), (30, 90), (100, 20)]
    parts, path, target = tmp_path / "parts.tif", tmp_path / "a.tif", tmp_path / "b.tif"
    with parts.open("w+b") as file:
        starts = list[int]()
        for height, width in sizes:
            starts.append(file.seek(0, 2))
            file.write(vips(ramp(height, width, 16)).tiffsave_buffer(bigtiff=big))
        names = [
            {285: tiff.Field(2, 7, b"page %d\0" % i), 297: tiff.Field.of(3, i, 3)} for i in range(3)
        ]
        tiff.rewrite(file, starts, names, [{}, {}, {}])
    parts.rename(path)
    photo = Photo.open(path)
    assert photo.pages == 3
    save(path, target)
    written = pages_of(target)
    assert [(p.number(257), p.number(256)) for p in written] == sizes
    assert [p.fields[285].data for p in written] == [b"page %d\0" % i for i in range(3)]
    assert [p.fields[297].numbers() for p in written] == [[i, 3] for i in range(3)]
    assert all(700 in p.fields and 34675 in p.fields for p in written)
    for i, (height, width) in enumerate(sizes):
        result = pixels(target, i)
        assert result.shape == (height, width, 3)
        assert np.abs(lightness(result) - lightness(ramp(height, width, 16))).max() <= 0.002
        assert np.ptp(result.astype(int), axis=2).max() > 1000
    with target.open("rb") as file:
        assert file.read(3)[2] == (43 if big else 42)
    assert Photo.open(target).pages == 3


@pytest.mark.parametrize("subifd", [False, True])
def test_levels_of_a_pyramid_are_made_anew(tmp_path: Path, subifd: bool) -> None:
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    vips(ramp(600, 800)).tiffsave(
        str(path), tile=True, tile_width=128, tile_height=128, pyramid=True, subifd=subifd,
        compression="deflate",
    )  # fmt: skip
    photo = Photo.open(path)
    assert photo.pages == 1
    save(path, target)
    before, after = pages_of(path), pages_of(target)
    assert len(after) == len(before)
    assert after[0].number(322) == 128
    levels = after[0].children[330] if subifd else after[1:]
    assert len(levels) >= 2
    assert [p.number(256) for p in levels][:2] == [400, 200]
    level = {"subifd": 0} if subifd else {"page": 1}
    loader: Any = pyvips.Image
    small = loader.new_from_file(str(target), **level).numpy()
    assert small.shape == (300, 400, 3)
    assert np.ptp(small.astype(int), axis=2).max() > 20


def test_a_thumbnail_page_is_not_coloured_as_a_page(tmp_path: Path) -> None:
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    with path.open("w+b") as file:
        starts = list[int]()
        for size in ((48, 64), (12, 16)):
            starts.append(file.seek(0, 2))
            file.write(vips(ramp(*size)).tiffsave_buffer())
        tiff.rewrite(file, starts, [{}, {254: tiff.Field.of(4, 1)}], [{}, {}])
    assert Photo.open(path).pages == 1
    save(path, target)
    assert [p.number(256) for p in pages_of(target)] == [64]


def test_only_tiff_holds_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    image = vips(ramp(96, 64)).copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", 48)
    image.tiffsave(str(path))
    with pytest.raises(OutputError, match=r"b\.png: PNG cannot hold 2 pages; TIFF can"):
        save(path, tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("compression", "tag"), [("none", 1), ("lzw", 5), ("deflate", 8), ("packbits", 32773),
                             ("jpeg", 7), ("ccittfax4", 8)],
)  # fmt: skip
def test_tiff_is_coded_like_its_source(tmp_path: Path, compression: str, tag: int) -> None:
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    options = {"bitdepth": 1} if compression.startswith("ccitt") else {}
    vips(ramp(200, 300)).tiffsave(str(path), compression=compression, **options)
    photo = Photo.open(path)
    assert photo.bits == 8
    saved = save(path, target)
    assert pages_of(target)[0].number(259) == tag
    limit = 3.0 if compression == "jpeg" else 0.30
    assert saved.delta_L[1] <= limit
    if compression == "jpeg":
        assert saved.delta_L[1] > 0.1


# Colour spaces


def gamma_profile(gamma: float) -> bytes:
    """A grey ICC profile of one exponent (ICC.1:2010, 8.4)."""
    curve = b"curv\0\0\0\0\0\0\0\1" + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    white = b"XYZ \0\0\0\0" + b"".join(
        round(v * 65536).to_bytes(4, "big") for v in (0.9642, 1.0, 0.8249)
    )
    text = b"text\0\0\0\0CC0\0"
    description = b"desc\0\0\0\0\0\0\0\5grey\0" + bytes(4 + 4 + 2 + 1 + 67)
    tags = {b"kTRC": curve, b"wtpt": white, b"cprt": text, b"desc": description}
    body, table = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + (start + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data + bytes(-len(data) % 4)
    head = bytearray(128)
    head[0:4] = (start + len(body)).to_bytes(4, "big")
    head[8:12] = b"\2\x10\0\0"
    head[12:24] = b"mntrGRAYXYZ "
    head[36:40] = b"acsp"
    head[68:80] = white[8:20]
    return bytes(head) + len(tags).to_bytes(4, "big") + table + body


def with_profile(image: Any, profile: bytes) -> Any:
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_a_grey_profile_is_respected(tmp_path: Path, bits: int, gamma: float) -> None:
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    codes = ramp(64, 64, bits)
    gamma = round(gamma * 256) / 256  # as profiles store it
    with_profile(vips(codes), gamma_profile(gamma)).tiffsave(str(path))
    save(path, target, strength=0.0)
    result = pixels(target)
    true = color.linear_to_srgb((codes / (2**bits - 1)) ** gamma) * (2**bits - 1)
    assert np.array_equal(result[..., 0], result[..., 1])
    assert np.array_equal(result[..., 1], result[..., 2])
    assert np.abs(result[..., 0] - true).max() <= 1
    L = color.luminance_to_lightness((codes / (2**bits - 1)) ** gamma)
    assert np.abs(lightness(result) - L).max() <= (0.30 if bits == 8 else 0.01)


def test_wide_gamut_is_converted_and_srgb_is_left_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    p3 = bytes(pyvips.Image.profile_load("p3"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, profile in (("p3", p3), ("srgb", srgb), ("bare", None)):
        path, target = tmp_path / f"{name}.png", tmp_path / f"{name}.out.png"
        image = vips(codes)
        (with_profile(image, profile) if profile else image).write_to_file(str(path))
        save(path, target, strength=0.0)
    bare, left = (pixels(tmp_path / f"{n}.out.png") for n in ("bare", "srgb"))
    assert np.array_equal(bare, left)
    seen = with_profile(vips(codes), p3).icc_transform("srgb", embedded=True, depth=16)
    result = pixels(tmp_path / "p3.out.png")
    assert np.abs(lightness(result) - lightness(seen.numpy())).max() <= 0.30


def test_cmyk_is_read_through_a_profile(tmp_path: Path) -> None:
    path, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    vips(ramp(64, 64)).colourspace("srgb").icc_export(
        output_profile="cmyk", depth=8, black_point_compensation=True, intent="relative"
    ).jpegsave(str(path), Q=95)
    photo = Photo.open(path)
    assert photo.channels == "cmyk"
    saved = save(path, target)
    assert saved.delta_L[0] < 1
    result = pixels(target)
    assert result.shape == (64, 64, 3)
    assert np.abs(lightness(result) - lightness(ramp(64, 64))).mean() < 3


def test_palette_gif_bilevel_and_bmp_become_what_can_hold_colour(tmp_path: Path) -> None:
    picture = Image.fromarray(ramp())
    picture.convert("P").save(tmp_path / "p.png")
    picture.convert("P").save(tmp_path / "p.gif")
    picture.save(tmp_path / "p.bmp")
    picture.convert("1").save(tmp_path / "one.png")
    picture.save(tmp_path / "p.jp2")
    for name, kind in (("p.png", "palette"), ("p.gif", "palette"), ("p.bmp", "grey"),
                       ("one.png", "grey"), ("p.jp2", "grey")):  # fmt: skip
        photo = Photo.open(tmp_path / name)
        assert photo.channels == kind
        data = photo.tint(chroma(photo.thumbnail(64))).to_bytes()
        result = Photo.open(data)
        assert result.format == ("tiff" if name.endswith("jp2") else "png")
        assert (result.bits, result.channels) == (8, "rgb")
        assert result.is_marked


# Bad input


def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    good = vips(ramp()).jpegsave_buffer()
    contents = {
        "empty.jpg": b"",
        "text.jpg": b"not a picture at all",
        "cut.jpg": good[:100],
        "cut.png": vips(ramp()).pngsave_buffer()[:20],
        "cut.tif": vips(ramp()).tiffsave_buffer()[:60],
        "document.pdf": b"%PDF-1.7\n" + bytes(100),
        "layers.psd": b"8BPS\0\1" + bytes(100),
        "vector.svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "float.tif": vips(ramp()).cast("float").tiffsave_buffer(),
        "many.tif": vips(np.zeros((8, 8, 7), np.uint8)).copy(
            interpretation="multiband").tiffsave_buffer(),
        "loop.tif": b"II*\0\x08\0\0\0\1\0\0\1\4\0\1\0\0\0\x40\0\0\0\x08\0\0\0",
        "short.ppm": b"P6\n64 48\n255\n" + bytes(100),
    }  # fmt: skip
    for name, data in contents.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError) as caught:
            Photo.open(path).thumbnail(64)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    for path, words in (
        (tmp_path / "nothing.jpg", "no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (tmp_path / "a\0b", "cannot be read"),
    ):
        with pytest.raises(InputError, match=words):
            Photo.open(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_link_loops_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="regular file"):
        Photo.open(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with pytest.raises(InputError):
        Photo.open(tmp_path / "loop.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_rights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    vips(ramp()).write_to_file(str(path))
    path.chmod(0)
    with pytest.raises(InputError, match="no permission"):
        Photo.open(path)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    image: Any = pyvips.Image.black(30_000, 30_000)
    image.write_to_file(str(path), compression=9)
    with pytest.raises(InputError, match=r"30000 x 30000 pixels, more than the 500000000 allowed"):
        Photo.open(path)
    assert Photo.open(path, max_pixels=10**9).width == 30_000
    (tmp_path / "small.png").write_bytes(vips(ramp()).pngsave_buffer())
    with pytest.raises(InputError, match="more than the 100 allowed"):
        Photo.open(tmp_path / "small.png", max_pixels=100)


def test_a_mislabelled_file_is_read_by_content(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(vips(ramp()).pngsave_buffer())
    photo = Photo.open(path)
    assert photo.format == "png"
    assert photo.notes == ("named .jpg, but a PNG",)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".gif", ".avif"])
def test_a_cut_scan_is_an_error_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 300)).astype(np.uint8)
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    vips(noise).write_to_file(str(whole))
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError, match="cut"):
        save(path, out / "b.png")
    assert list(out.iterdir()) == []


def test_a_scan_that_ends_while_it_is_coloured_is_an_error(tmp_path: Path) -> None:
    # the small picture was had before: what fails is the full-size pass
    path = tmp_path / "a.jpg"
    rng = np.random.default_rng(0)
    data = vips(rng.integers(0, 256, (2000, 600)).astype(np.uint8)).jpegsave_buffer()
    path.write_bytes(data)
    photo = Photo.open(path)
    tinted = photo.tint(chroma(photo.thumbnail(64)))
    path.write_bytes(data[: len(data) // 2])
    for suffix in (".jpg", ".png", ".tif", ".webp", ".ppm"):
        with pytest.raises(InputError, match=r"a\.jpg: cannot be decoded"):
            tinted.save(tmp_path / f"b{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]


def test_names_of_any_bytes(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    name = os.fsdecode(folder + b"/na\xefve \xff.png")
    try:
        Path(name).write_bytes(vips(ramp()).pngsave_buffer())
    except OSError:
        pytest.skip("this file system wants UTF-8 names")
    target = Path(os.fsdecode(folder + b"/\xfe.png"))
    saved = save(Path(name), target)
    assert saved.path == target
    assert Photo.open(target).is_marked
    Path(name).write_bytes(b"rubbish")
    with pytest.raises(InputError) as caught:
        Photo.open(Path(name))
    assert str(caught.value).encode()


# Writing


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard", "folder"])
def test_the_source_is_never_replaced(tmp_path: Path, link: str) -> None:
    path = tmp_path / "a.png"
    vips(ramp()).write_to_file(str(path))
    before = path.read_bytes()
    target = path if link == "itself" else tmp_path / "b.png"
    if link == "symbolic":
        target.symlink_to(path)
    elif link == "hard":
        target.hardlink_to(path)
    elif link == "folder":
        (tmp_path / "linked").symlink_to(tmp_path, target_is_directory=True)
        target = tmp_path / "linked" / "a.png"
    with pytest.raises(OutputError, match="is the source"):
        save(path, target)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".retint*"))


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    vips(np.dstack([ramp(), ramp()])).write_to_file(str(path))
    with pytest.raises(OutputError, match="JPEG cannot hold transparency"):
        save(path, tmp_path / "b.jpg")
    with pytest.raises(OutputError, match="no such file or directory"):
        save(path, tmp_path / "nowhere" / "b.png")
    with pytest.raises(OutputError, match="'gif' is not a format that is written"):
        save(path, tmp_path / "b.png", format="gif")
    photo = Photo.open(path)
    with pytest.raises(ValueError, match="2 Chromas for 1 pages"):
        photo.tint([chroma(photo.thumbnail(64))] * 2)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".ppm"])
def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    rng = np.random.default_rng(0)
    vips(rng.integers(0, 256, (400, 400)).astype(np.uint8)).write_to_file(str(path))
    room = 20_000

    def small(descriptor: int, *arguments: Any, **options: Any) -> Any:
        file: Any = os_fdopen(descriptor, *arguments, **options)
        write = file.write

        def limited(data: Any) -> int:
            if file.tell() + len(memoryview(data).cast("B")) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(write(data))

        return Wrapped(file, limited)

    class Wrapped:
        def __init__(self, file: Any, write: Any) -> None:
            self.file, self.write = file, write

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def __enter__(self) -> "Wrapped":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

    os_fdopen = os.fdopen
    monkeypatch.setattr(os, "fdopen", small)
    with pytest.raises(OutputError, match="no space left") as caught:
        save(path, tmp_path / f"b{suffix}")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


INTERRUPTED = """
import signal, sys
from pathlib import Path
import numpy as np
# a job in the background inherits SIGINT ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
from retint.chroma import Chroma
from retint.photo import Photo
photo = Photo.open(sys.argv[1])
L = photo.thumbnail(64)
ab, sure = np.zeros((*L.shape, 2), np.float32), np.ones(L.shape, np.float32)
tinted = photo.tint(Chroma.fit(ab, sure, L))
print("ready", flush=True)
try:
    while True:
        tinted.save(sys.argv[2])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "out"
    out.mkdir()
    image: Any = pyvips.Image.gaussnoise(3000, 3000, mean=128, sigma=30).cast("uchar")
    image.copy(interpretation="b-w").tiffsave(str(path))
    command = [sys.executable, "-c", INTERRUPTED, str(path), str(out / "b.tif")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait(20) == 0
    assert {p.name for p in out.iterdir()} <= {"b.tif"}


def test_a_result_has_the_rights_that_others_have(tmp_path: Path) -> None:
    path, target = tmp_path / "a.png", tmp_path / "b.png"
    vips(ramp()).write_to_file(str(path))
    (tmp_path / "ordinary").write_bytes(b"")
    save(path, target)
    assert target.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_blocks_of_any_width_hold_whole_rows_of_jpeg() -> None:
    for width in (1, 500, 4000, 100_000, 10**7):
        rows = stream.rows_per_block(width)
        assert rows % 16 == 0
        assert 16 <= rows <= 1024


# Colour


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("kind", ["grey", "grey as rgb", "rgb"])
def test_a_held_photograph_gives_the_same_pixels(tmp_path: Path, suffix: str, kind: str) -> None:
    codes = ramp(90, 700)
    if kind != "grey":
        codes = np.stack([codes, codes if kind == "grey as rgb" else codes[::-1], codes], axis=2)
    source = tmp_path / f"a{suffix}"
    vips(codes).write_to_file(str(source))
    colours = chroma(Photo.open(source).thumbnail(64))
    streamed = Photo.open(source)
    held = Photo.open(source)
    held.hold()
    np.testing.assert_allclose(held.thumbnail(64), streamed.thumbnail(64), atol=1)
    for photo in (streamed, held, held):  # once held, once let go
        photo.tint(colours).save(tmp_path / f"out{suffix}")
        result = pixels(tmp_path / f"out{suffix}")
        if photo is streamed:
            expected = result
        np.testing.assert_array_equal(result, expected)


def test_pages_beyond_what_is_held_are_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.tif"
    vips(ramp(60, 80)).write_to_file(str(source))
    monkeypatch.setattr("retint.photo.HELD", 60 * 80 - 1)
    large = Photo.open(source)
    large.hold()
    monkeypatch.setattr("retint.photo.HELD", 60 * 80)
    small = Photo.open(source)
    small.hold()
    source.unlink()
    assert small.thumbnail().shape == (60, 80)
    with pytest.raises(InputError):
        large.thumbnail()


def test_a_damaged_photograph_is_told_when_it_is_held(tmp_path: Path) -> None:
    source = tmp_path / "cut.png"
    vips(ramp(400, 500)).write_to_file(str(source))
    source.write_bytes(source.read_bytes()[:-600])
    with pytest.raises(InputError, match=r"cut\.png: cannot be decoded"):
        Photo.open(source).hold()


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (255, 30), (256, 30), (1021, 16)])
def test_lossy_lightness_is_that_of_the_file_decoded_again(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    noise = np.random.default_rng(4).normal(0, 20, size)
    codes = (ramp(*size) * 0.7 + 40 + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(codes).save(tmp_path / "a.jpg", quality=70)
    saved = save(tmp_path / "a.jpg", tmp_path / "out.jpg")
    source, result = pixels(tmp_path / "a.jpg"), pixels(tmp_path / "out.jpg")
    rows = np.arange(size[0])
    if size[0] >= 256:
        rows = rows[(rows % (8 * (size[0] // 256)) < 8) & (rows % 2 == 0)]
    off = np.abs(lightness(result[rows]) - lightness(source.reshape(size)[rows]))
    assert saved.delta_L == pytest.approx((off.mean(), off.max()), abs=1e-3)
    whole = np.abs(lightness(result) - lightness(source.reshape(size)))
    assert saved.delta_L[0] == pytest.approx(whole.mean(), rel=0.15)


def test_tone_of_drawn_photographs(photographs: dict[str, Path]) -> None:
    tones = {name: Photo.open(path).colour() for name, path in photographs.items()}
    assert tones == {
        "grey.jpg": "grey", "grey.png": "grey", "grey16.tif": "grey", "toned.jpg": "toned",
        "colour.jpg": "colour",
    }  # fmt: skip


def test_a_colour_target_beside_a_grey_print_is_colour(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat(ramp(600, 800)[..., None], 3, axis=2)
    codes = np.clip(codes + rng.normal(0, 5, codes.shape[:2])[..., None], 0, 255).astype(np.uint8)
    vips(codes).jpegsave(str(tmp_path / "grey.jpg"), Q=75)
    for i, patch in enumerate([(200, 30, 30), (30, 160, 60), (30, 60, 190), (230, 200, 20)]):
        codes[560:592, 40 + 40 * i : 72 + 40 * i] = patch  # 0.85 % of the picture
    vips(codes).jpegsave(str(tmp_path / "target.jpg"), Q=75)
    assert Photo.open(tmp_path / "grey.jpg").colour() == "grey"
    assert Photo.open(tmp_path / "target.jpg").colour() == "colour"


def test_a_sepia_that_faded_unevenly_is_toned(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:1:300j, 0:1:400j]
    L = 20 + 65 * (0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y)) + rng.normal(0, 3, x.shape)
    for hue in ((4.0, 14.0), (-3.0, -18.0), (6.0, -4.0)):  # sepia, cyanotype, selenium
        strength = (0.7 + 0.5 * x) * np.sin(np.pi * np.clip(L, 5, 95) / 100)
        lab = np.stack([L, *(strength * h for h in hue)], axis=-1)
        rgb = np.rint(color.lab_to_srgb(lab) * 255).astype(np.uint8)
        path = tmp_path / "a.jpg"
        vips(rgb).jpegsave(str(path), Q=80)
        assert Photo.open(path).colour() == "toned"


def test_tone_of_real_photographs(shared: Path) -> None:
    legacy = [Photo.open(p).colour() for p in sorted((shared / "legacy").glob("*.jpg"))]
    colour = [Photo.open(p).colour() for p in sorted((shared / "eval").glob("*.jpg"))[:100]]
    assert legacy.count("colour") <= 0.03 * len(legacy)
    assert colour.count("colour") >= 0.97 * len(colour)
