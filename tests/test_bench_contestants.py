"""Contestants: models, folders of anyone's colourings, and what each of them must beat."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import pyvips

from conftest import scene
from painters import write
from retint import color, metrics
from retint.bench.contestants import Folder, Grey, Kind, MeanColour, Model, Shuffled, Source
from retint.bench.sets import PictureSet
from retint.colorizer import Colorizer, Options
from retint.errors import InputError
from retint.predict import load


@pytest.fixture
def pictures(tmp_path: Path) -> PictureSet:
    for i, name in enumerate(["a/1.png", "a/2.png", "b/3.png", "b/1.png"]):
        write(tmp_path / "set" / name, scene(40 + 4 * i, 60, seed=i))
    return PictureSet.of_folder(tmp_path / "set")


def delivered(pictures: PictureSet, file: str, target: Path) -> None:
    """Write a half-saturated version of a picture."""
    lab = pictures.open(file).lab
    write(target, color.lab_to_srgb(lab * np.array([1, 0.5, 0.5], np.float32)))


def test_grey_and_mean_colour_keep_lightness_and_have_their_colour(pictures: PictureSet):
    truth = pictures.open("a/1.png")
    for contestant, ab in ((Grey(), (0, 0)), (MeanColour((6, -4)), (6, -4))):
        found = contestant.colour(truth)
        assert found.rgb.shape == truth.rgb.shape
        assert np.abs(found.lab[..., 0] - truth.lab[..., 0]).mean() < 0.3
        assert np.median(found.lab[..., 1:], axis=(0, 1)) == pytest.approx(ab, abs=0.6)
        codes = found.rgb * 255
        assert np.abs(codes - np.rint(codes)).max() < 1e-4


def test_a_folder_is_matched_by_path_then_by_name_and_judged_as_delivered(
    pictures: PictureSet, tmp_path: Path
):
    out = tmp_path / "out"
    delivered(pictures, "a/1.png", out / "a/1.webp")  # by path, another ending
    delivered(pictures, "a/2.png", out / "2.png")  # by name
    delivered(pictures, "b/3.png", out / "elsewhere/3.tif")
    delivered(pictures, "b/1.png", out / "1.png")  # two pictures of the set have this name
    folder = Folder("theirs", out, pictures.files)
    assert [folder.has(file) for file in pictures.files] == [True, True, False, True]
    assert folder.extra == ["1.png"]
    truth = pictures.open("a/2.png")
    found = folder.colour(truth)
    raw = pyvips.Image.new_from_file(str(out / "2.png")).numpy()
    assert np.array_equal(np.rint(found.rgb * 255).astype(np.uint8), raw)
    assert metrics.chroma_ratio(found.lab[..., 1:], truth.lab[..., 1:]) == pytest.approx(0.5, 0.1)
    with pytest.raises(InputError, match=r"has no colouring of b/1\.png"):
        folder.colour(pictures.open("b/1.png"))


def test_what_a_folder_delivers_wrongly_is_told_apart(pictures: PictureSet, tmp_path: Path):
    out = tmp_path / "out"
    write(out / "a/1.png", scene(40, 61))
    delivered(pictures, "a/2.png", out / "a/2.png")
    delivered(pictures, "a/2.png", out / "a/2.jpg")
    (out / "b").mkdir()
    (out / "b/3.png").write_bytes(b"no picture at all")
    folder = Folder("theirs", out, pictures.files)
    for file, says in [
        ("a/1.png", "is 61 x 40 pixels, the picture 60 x 40"),
        ("a/2.png", r"has 2 colourings of a/2\.png: a/2\.jpg, a/2\.png"),
        ("b/3.png", r"b/3\.png: .*not"),
        ("b/1.png", "has no colouring"),
    ]:
        with pytest.raises(InputError, match=says):
            folder.colour(pictures.open(file))
    with pytest.raises(InputError, match="no pictures"):
        Folder("theirs", tmp_path / "nowhere", pictures.files)


def test_pictures_that_differ_in_their_endings_alone_are_not_mixed_up(tmp_path: Path):
    for name in ("x.png", "x.webp", "y.png"):
        write(tmp_path / "set" / name, scene(20, 20))
        write(tmp_path / "out" / name, scene(20, 20))
    pictures = PictureSet.of_folder(tmp_path / "set")
    folder = Folder("theirs", tmp_path / "out", pictures.files)
    assert folder.found == {"x.png": ["x.png"], "x.webp": ["x.webp"], "y.png": ["y.png"]}


def test_the_default_model_is_coloured_as_the_command_does(pictures: PictureSet, tmp_path: Path):
    from retint.files import colorize

    colorizer = Colorizer(load("default", device="cpu"), Options(if_colour="recolour"))
    found = Model("default", colorizer).colour(pictures.open("b/3.png"))
    colorize(pictures.root / "b/3.png", tmp_path / "out.png", if_colour="recolour")
    codes = pyvips.Image.new_from_file(str(tmp_path / "out.png")).numpy().astype(int)
    assert np.abs(codes - np.rint(found.rgb * 255)).max() <= 1
    assert found.confidence is not None
    assert found.confidence.shape == codes.shape[:2]
    assert found.ms
    assert found.ms > 0


class Painter:
    """A source whose colour of a picture is as many Lab units of a* as its place in the set."""

    kind: Kind = "model"
    name = model = "painter"

    def __init__(self, files: list[str], without: str = "") -> None:
        self.files, self.without = files, without

    def has(self, file: str) -> bool:
        return file != self.without

    def ab(self, truth):
        found = np.zeros((5, 7, 2), np.float32)
        found[..., 0] = 5 * self.files.index(truth.file)
        return found

    def colour(self, truth):
        raise AssertionError

    def fingerprint(self, file: str) -> str:
        return f"painter {file}"


def test_shuffled_colours_come_from_the_picture_before(pictures: PictureSet):
    files = list(pictures.files)
    source: Source = Painter(files)
    shuffled = Shuffled(source, files, pictures)
    assert shuffled.name == "painter, shuffled"
    for place, file in enumerate(files):
        a = np.median(shuffled.colour(pictures.open(file)).lab[..., 1])
        assert a == pytest.approx(5 * ((place - 1) % 4), abs=1)
    assert shuffled.fingerprint(files[1]) != shuffled.fingerprint(files[2])

    lacking = Shuffled(Painter(files, without=files[1]), files, pictures)
    assert lacking.giver == {files[0]: files[3], files[2]: files[0], files[3]: files[2]}
    with pytest.raises(InputError, match="no other colouring"):
        lacking.colour(pictures.open(files[1]))
    assert Shuffled(source, files[:1], pictures).giver == {}


def test_contestants_go_to_other_processes(pictures: PictureSet):
    model = Model("default", Colorizer(load("default", device="cpu")))
    contestant = Shuffled(model, list(pictures.files), pictures)
    truth = pictures.open("a/1.png")
    again = pickle.loads(pickle.dumps(contestant))
    assert np.array_equal(again.colour(truth).rgb, contestant.colour(truth).rgb)
    assert again.fingerprint("a/1.png") == contestant.fingerprint("a/1.png")
