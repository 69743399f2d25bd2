"""Options in every form are the same; the rooms joined give the colours that were asked for."""

import math
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from retint import predict
from retint.chroma import Chroma
from retint.cli._options import from_argv, to_argv
from retint.colorizer import Colorizer, Options, borrow
from retint.errors import InputError, ModelError, OptionsError
from retint.files import colorize_file
from retint.formats.codecs import FORMATS
from retint.photo import Photo
from retint.walk import walk

SURE = np.ones((1, 1, 96, 128))
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
OPTIONS = st.builds(
    Options,
    model=WORDS,
    longest=st.none() | st.integers(16, 4096),
    saturation=st.floats(0, 4),
    mute_uncertain=st.floats(0, 1),
    keep_tone=st.booleans(),
    alternative=st.integers(0, 8),
    if_colour=st.sampled_from(["skip", "copy", "recolour"]),
    format=st.none() | st.sampled_from([f.name for f in FORMATS.values() if f.depths]),
    quality=st.none() | st.integers(1, 100),
    device=WORDS,
    max_pixels=st.integers(1, 10**12),
)


class Fake:
    """A predictor of six lines."""

    name = version = weights_sha256 = device = "fake"

    def __init__(self, a: float = 20, b: float = -10, confidence: float = 1) -> None:
        self.ab, self.confidence = (a, b), confidence

    def __call__(self, L: Any, hints: Any = None, tilt: Any = None) -> predict.Prediction:
        ab = np.concatenate([np.full_like(L, value) for value in self.ab], axis=1)
        return predict.Prediction(ab, np.full_like(L, self.confidence))


@given(OPTIONS)
def test_options_to_argv_and_back_are_the_same(options: Options):
    assert from_argv(to_argv(options)) == options


@given(OPTIONS)
def test_options_to_json_and_back_are_the_same(options: Options):
    assert Options.from_json(options.to_json()) == options
    assert Options.from_dict(options.to_dict()) == options


def test_defaults_need_no_words():
    assert to_argv(Options()) == []
    assert from_argv([]) == Options() == Options.from_json("{}")


def test_every_option_is_described():
    for item in fields(Options):
        assert item.metadata["help"].endswith((".", "]", "]."))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("saturation", -0.1, "between 0.0 and 4.0"),
        ("saturation", math.nan, "between 0.0 and 4.0"),
        ("saturation", "1", "not float"),
        ("mute_uncertain", 1.1, "between 0.0 and 1.0"),
        ("longest", 15, "between 16 and 4096"),
        ("longest", 256.0, "not int"),
        ("quality", 0, "between 1 and 100"),
        ("quality", True, "not int"),
        ("max_pixels", 0, "at least 1"),
        ("keep_tone", 1, "not bool"),
        ("if_colour", "paint", "not one of skip, copy, recolour"),
        ("format", "bmp", "not one of jpeg, png, tiff, webp, avif, pnm"),
        ("model", None, "not str"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(name: str, value: object, words: str):
    with pytest.raises(OptionsError, match=f"^{name} is .*{words}"):
        Options.from_dict({name: value})


@pytest.mark.parametrize("text", ["", "[]", "1", '{"mood": "blue"}', '{"saturation": null}'])
def test_json_that_is_no_options_is_refused(text: str):
    with pytest.raises(OptionsError):
        Options.from_json(text)


def test_a_format_has_one_name():
    assert Options(format="JPG") == Options(format="jpeg") == Options(format=".jpe")


def test_what_changes_no_pixel_is_not_counted():
    recorded = Options(model="x", device="cpu", max_pixels=5, saturation=1).to_dict()
    assert Options().same_pixels(recorded)
    for name, value in (("saturation", 0.5), ("longest", 100), ("keep_tone", True)):
        assert not Options.from_dict({name: value}).same_pixels(recorded)
    assert not Options().same_pixels({})


def test_a_receipt_older_than_an_option_says_its_default():
    recorded = Options().to_dict()
    del recorded["alternative"]
    assert Options().same_pixels(recorded)
    assert not Options(alternative=1).same_pixels(recorded)


def test_the_colour_asked_for_is_the_colour_given(photographs: dict[str, Path], tmp_path: Path):
    photo = Photo.open(photographs["grey16.tif"])
    Colorizer(Fake(8, -6)).colorize(photo).save(tmp_path / "a.tif")
    result = Photo.open(tmp_path / "a.tif")
    lab = result.thumbnail_lab(64)
    assert np.abs(lab[..., 0] - photo.thumbnail(64)).max() < 0.05
    # near black and white the gamut has no room for it
    inside = (lab[..., 0] > 20) & (lab[..., 0] < 90)
    assert np.abs(lab[inside, 1:] - (8, -6)).max() < 0.2


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        (Options(saturation=0.5), 0.5),
        (Options(saturation=0.0), 0.0),
        (Options(mute_uncertain=1.0), 0.0),
    ],
)
def test_options_adjust_the_colour(
    photographs: dict[str, Path], tmp_path: Path, options: Options, factor: float
):
    photo = Photo.open(photographs["grey16.tif"])
    model = Fake(8, -6, confidence=0 if options.mute_uncertain else 1)
    Colorizer(model, options).colorize(photo).save(tmp_path / "a.tif")
    lab = Photo.open(tmp_path / "a.tif").thumbnail_lab(64)
    inside = (lab[..., 0] > 20) & (lab[..., 0] < 90)
    assert np.abs(lab[inside, 1:] - (8 * factor, -6 * factor)).max() < 0.2
    # what predict gives is not adjusted yet
    assert np.allclose(Colorizer(model, options).predict(photo).ab, (8, -6))


def test_the_longest_side_is_the_options_then_the_cards(
    photographs: dict[str, Path], fake_onnx: Path
):
    photo = Photo.open(photographs["grey.png"])  # 128 x 96
    model = predict.load(fake_onnx, threads=1)
    assert Colorizer(model).predict(photo).ab.shape == (96, 128, 2)  # its card says 256
    assert Colorizer(model, Options(longest=64)).predict(photo).ab.shape == (48, 64, 2)
    assert Colorizer(Fake(), Options(longest=16)).predict(photo).ab.shape == (12, 16, 2)


def test_pages_are_coloured_each(tmp_path: Path):
    pages = [np.full((40, 60), level, np.uint8) for level in (60, 190)]
    joined = pyvips.Image.new_from_array(np.concatenate(pages))
    joined.copy(interpretation="b-w").tiffsave(str(tmp_path / "a.tif"), page_height=40)

    class ByLight(Fake):
        def __call__(self, L: Any, hints: Any = None, tilt: Any = None) -> predict.Prediction:
            self.ab = (15, 0) if L.mean() < 50 else (0, 15)
            return super().__call__(L)

    photo = Photo.open(tmp_path / "a.tif")
    assert photo.pages == 2
    Colorizer(ByLight()).colorize(photo).save(tmp_path / "b.tif")
    result = Photo.open(tmp_path / "b.tif")
    dark, light = (result.thumbnail_lab(32, page)[8, 8, 1:] for page in (0, 1))
    assert np.allclose(dark, (15, 0), atol=1)
    assert np.allclose(light, (0, 15), atol=1)


@pytest.mark.parametrize(
    "answer",
    [
        SimpleNamespace(ab=np.zeros((1, 2, 5, 5)), confidence=np.zeros((1, 1, 5, 5))),
        SimpleNamespace(ab=np.zeros((1, 2, 96, 128)), confidence=np.zeros((96, 128))),
        SimpleNamespace(ab=np.full((1, 2, 96, 128), math.nan), confidence=SURE),
        SimpleNamespace(
            ab=np.zeros((1, 2, 96, 128)), confidence=np.full((1, 1, 96, 128), math.inf)
        ),
    ],
)
def test_a_model_that_gives_no_colours_is_refused(photographs: dict[str, Path], answer: Any):
    model: Any = Fake()
    photo = Photo.open(photographs["grey.png"])

    class Hostile(Fake):
        def __call__(self, L: Any, hints: Any = None, tilt: Any = None) -> Any:
            return answer

    model = Hostile()
    with pytest.raises(ModelError, match="fake"):
        Colorizer(model).predict(photo)


# Somebody else's colours


def test_borrowed_colours_are_put_onto_the_original(photographs: dict[str, Path], tmp_path: Path):
    """The colour photograph's own colours, taken from a small JPEG of it, come back to its grey."""
    colour = Photo.open(photographs["colour.jpg"])
    grey = tmp_path / "grey.tif"
    pixels = pyvips.Image.new_from_file(str(photographs["grey16.tif"]))
    pixels.tiffsave(str(grey), xres=12, yres=12)
    small = tmp_path / "small.jpg"
    image: Any = pyvips.Image.new_from_file(str(photographs["colour.jpg"]))
    image.resize(0.5).jpegsave(str(small), Q=95)

    (job,) = walk([grey], tmp_path / "out", colours_from=small)
    receipt = colorize_file(job, None, Options())
    assert receipt.status == "done", receipt.reason
    assert receipt.model == "with the colours of small.jpg"
    assert receipt.device == ""
    result = Photo.open(receipt.target)
    assert (result.bits, result.width, result.height) == (16, 128, 96)
    L = Photo.open(grey).thumbnail(128)
    assert np.abs(result.thumbnail(128) - L).max() < 0.05
    difference = result.thumbnail_lab(64)[..., 1:] - colour.thumbnail_lab(64)[..., 1:]
    assert np.abs(difference).mean() < 4
    assert b"with the colours of small.jpg" in result.metadata().xmp
    assert b"fake" not in result.metadata().xmp


def test_partners_are_found_by_name(photographs: dict[str, Path], tmp_path: Path):
    for folder, name in (
        ("scans", "a.tif"), ("scans", "b.tif"), ("scans/box", "a.tif"), ("scans", "two.tif"),
        ("theirs", "a.png"), ("theirs/box", "a.jpg"), ("theirs", "two.png"), ("theirs", "two.jpg"),
    ):  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True, parents=True)
        (tmp_path / folder / name).write_bytes(photographs["colour.jpg"].read_bytes())
    jobs = walk([tmp_path / "scans"], tmp_path / "out", colours_from=tmp_path / "theirs")
    partners = {job.source.relative_to(tmp_path).as_posix(): job.colours for job in jobs}
    assert partners == {
        "scans/a.tif": tmp_path / "theirs" / "a.png",
        "scans/box/a.tif": tmp_path / "theirs" / "box" / "a.jpg",
        "scans/b.tif": None,
        "scans/two.tif": None,
    }
    problems = {job.source.name: job.problem for job in jobs if job.colours is None}
    assert problems["b.tif"] == f"has no colouring in {tmp_path / 'theirs'}"
    assert problems["two.tif"].startswith("has several colourings: ")
    failed = colorize_file(next(j for j in jobs if j.source.name == "b.tif"), None, Options())
    assert failed.status == "failed"
    assert failed.reason == problems["b.tif"]


def test_pages_and_colourings_must_agree(photographs: dict[str, Path], tmp_path: Path):
    joined: Any = pyvips.Image.black(20, 40)
    joined.tiffsave(str(tmp_path / "two.tif"), page_height=20)
    two, one = Photo.open(tmp_path / "two.tif"), Photo.open(photographs["colour.jpg"])
    with pytest.raises(InputError, match=r"colour\.jpg: has 1 pages, the photograph 2"):
        borrow(two, one, Options())


def test_a_colouring_of_any_shape_fits(photographs: dict[str, Path]):
    photo = Photo.open(photographs["grey.png"])
    lab = np.zeros((7, 5, 3), np.float32)
    lab[..., 1:] = 12, 34
    assert np.allclose(Chroma.from_picture(lab, photo.thumbnail(64)).ab, (12, 34), atol=0.1)
