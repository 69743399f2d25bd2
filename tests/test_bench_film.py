"""Photographs without true colours: what is found of models whose behaviour is known."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from conftest import scene
from retint import color, metrics
from retint.bench.film import look, table
from retint.bench.stability import stability
from retint.colorizer import Colorizer, Options
from retint.errors import InputError
from retint.photo import Photo
from retint.predict import Prediction


class Known:
    """A predictor whose a* is a function of row and column (both 0..1) and lightness; b* is 0."""

    name = "known"
    version = "1"
    weights_sha256 = "0" * 64
    device = "cpu"

    def __init__(self, a: Any) -> None:
        self.a = a

    def __call__(self, L: np.ndarray, hints: Any = None, tilt: Any = None) -> Prediction:
        height, width = L.shape[2:]
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        a = np.broadcast_to(self.a(y, x, L[0, 0]), (height, width))
        ab = np.stack([a, np.zeros_like(a)])[None].astype(np.float32)
        return Prediction(ab, np.ones_like(L))


def model(a: Any, **options: Any) -> Colorizer:
    return Colorizer(Known(a), Options(longest=96, **options))


def flat(y: Any, x: Any, L: Any) -> Any:
    """The same everywhere."""
    return 20.0


def leftish(y: Any, x: Any, L: Any) -> Any:
    """From 10 at the left to 30 at the right, whatever is there."""
    return 10 + 20 * x


def by_lightness(y: Any, x: Any, L: Any) -> Any:
    """As a network should: it depends on what is there alone."""
    return L / 2


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five grey photographs and a file that is none."""
    folder = tmp_path_factory.mktemp("film")
    for k in range(5):
        grey = scene(96, 128, seed=k).mean(axis=-1) * (1 - k / 12)
        image = pyvips.Image.new_from_array(np.rint(grey * 255).astype(np.uint8))
        image.write_to_file(str(folder / f"{k}.png"))
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return sorted(folder.iterdir())


def test_stability_is_what_it_must_be_for_known_colours(film: list[Path]):
    photo = Photo.open(film[0])
    still = stability(model(flat), photo)
    assert still["chroma"] == pytest.approx(20)
    assert (still["mirror"], still["crop"], still["scale"]) == pytest.approx((0, 0, 0), abs=1e-4)

    moved = stability(model(leftish), photo)
    assert moved["chroma"] == pytest.approx(20, rel=0.01)
    # |(10 + 20 x) - (10 + 20 (1 - x))| = 20 |2 x - 1|, whose mean is 10
    assert moved["mirror"] == pytest.approx(10, rel=0.02)
    # 3 of 100 columns: what was at x is at (x - 0.03) / 0.97, a mean difference of 0.3 Lab units
    assert moved["crop"] == pytest.approx(0.3, rel=0.15)
    assert moved["scale"] == pytest.approx(0, abs=0.1)


def test_what_depends_on_the_things_alone_stays(film: list[Path]):
    photo = Photo.open(film[0])
    found = stability(model(by_lightness), photo)
    assert found["mirror"] == found["crop"] == 0
    assert 0 < found["scale"] < 0.1 * found["chroma"]  # finer grain is seen
    small = stability(Colorizer(Known(leftish), Options(longest=128)), photo)
    assert np.isnan(small["scale"])  # there are no 160 pixels
    assert small["mirror"] > 1


def test_paler_colours_are_not_steadier(film: list[Path]):
    vivid, pale = (look(film, {"it": model(leftish, saturation=s)}) for s in (1.0, 0.3))
    for change in ("mirror", "crop", "scale"):
        vivid_change, pale_change = (
            found["film"]["it"]["figures"][f"change_{change}"] for found in (vivid, pale)
        )
        assert vivid_change == pytest.approx(pale_change, rel=0.01)
    assert vivid["film"]["it"]["figures"]["change_mirror"] == pytest.approx(0.5, rel=0.03)


def test_grey_has_no_stability(film: list[Path]):
    found = look(film, {"grey": model(lambda y, x, L: 0.0), "faint": model(lambda y, x, L: 1.0)})
    for name in ("grey", "faint"):
        contestant = found["film"][name]
        assert "change_mirror" not in contestant["figures"]
        assert contestant["per_picture"]["change_mirror"] == [None] * 5
        assert contestant["figures"]["left_grey"] == 1
    assert "| grey " in table(found)


def test_photographs_left_grey_count_for_little(film: list[Path]):
    """Of dark photographs nearly grey and unsteady, of light ones vivid and steady."""

    def mixed(y: Any, x: Any, L: Any) -> Any:
        return 40.0 if L.mean() > 45 else 5 * x

    found = look(film, {"mixed": model(mixed)})["film"]["mixed"]
    each = [value for value in found["per_picture"]["change_mirror"] if value is not None]
    assert min(each) == pytest.approx(0, abs=1e-3)
    assert max(each) > 0.9  # of a mean chroma of 2.5, a distance of 2.5
    assert found["figures"]["change_mirror"] < np.mean(each) / 2
    interval = found["intervals"]["change_mirror"]
    assert interval["low"] < interval["value"] < interval["high"]
    assert interval["value"] == found["figures"]["change_mirror"]


def test_figures_of_film_are_those_of_the_colours(film: list[Path]):
    found = look(film, {"flat": model(flat), "left": model(leftish), "fit": model(by_lightness)})
    flat_figures, left, fit = (found["film"][name]["figures"] for name in ("flat", "left", "fit"))
    assert flat_figures["mean_a"] == pytest.approx(20, abs=1)  # black and white have no room for it
    assert flat_figures["spread"] < 1.5
    assert left["spread"] == pytest.approx(5, abs=1)  # mean of |20 x - 10|
    assert fit["bleeding"] < 0.5 < left["bleeding"]
    rgb = color.lab_to_srgb(np.array([[[60, 20, 0]]], np.float32))
    assert flat_figures["colourfulness"] == pytest.approx(metrics.colourfulness(rgb), rel=0.3)
    assert found["files"] == [f"{k}.png" for k in range(5)]
    assert list(found["left_out"]) == ["torn.jpg"]
    json.dumps(found, allow_nan=False)
    text = table(found)
    assert "torn.jpg" in text
    assert re.search(r"5[01] % \(", text)  # of leftish, mirrored


def test_folders_of_anyones_colourings_are_looked_at_too(film: list[Path], tmp_path: Path):
    for path in film[:4]:
        grey = pyvips.Image.new_from_file(str(path)).numpy()
        lab = color.srgb_to_lab(np.stack([grey] * 3, -1) / np.float32(255))
        red = color.lab_to_srgb(lab + np.array((0, 15, 0), np.float32))
        image = pyvips.Image.new_from_array(np.rint(red * 255).astype(np.uint8))
        image = image.crop(0, 0, 50, 50) if path.stem == "3" else image
        image.copy(interpretation="srgb").write_to_file(str(tmp_path / path.name))
    found = look(film, {"flat": model(flat)}, {"theirs": tmp_path})
    theirs = found["film"]["theirs"]
    assert theirs["figures"]["mean_a"] == pytest.approx(15, abs=1)
    assert "change_mirror" not in theirs["figures"]
    assert set(theirs["left_out"]) == {"3.png", "4.png"}  # of another size; not there
    assert theirs["per_picture"]["colourfulness"][3:] == [None, None]
    assert found["film"]["flat"]["left_out"] == {}
    assert "3.png" in table(found)


def test_a_model_that_fails_is_named_and_the_others_stay(film: list[Path]):
    found = look(film, {"flat": model(flat), "broken": model(lambda y, x, L: L * np.nan)})
    assert list(found["film"]) == ["flat"]
    assert "no numbers" in found["failed"]["broken"]
    assert "broken failed: " in table(found)


def test_several_processes_find_the_same(film: list[Path], fake_onnx: Path):
    from retint.predict import OnnxPredictor

    models = {"fake": Colorizer(OnnxPredictor(fake_onnx, threads=1), Options(longest=64))}
    seen: list[tuple[str, int, int]] = []
    found = look(film, models, jobs=2, progress=lambda *step: seen.append(step))
    assert found == look(film, models)
    assert seen[0] == ("looking", 0, 6)
    assert seen[-1] == ("looking", 6, 6)


def test_no_photograph_is_an_error(film: list[Path]):
    with pytest.raises(InputError, match="none of the 1 photographs can be read"):
        look(film[-1:], {"flat": model(flat)})
