"""The default model gives the colours that it gave: `python tests/test_golden.py` writes them anew.

What is kept is small: the ab of free photographs, averaged over squares. A hash of the result would
break at every rounding, and one of its grey would not see the colour at all. The photographs are
made small without libvips: other rounding of the lightness, by one code here and there, moves a
square that lies between two colours by up to 3 Lab units.
"""

import json
from functools import cache
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retint import hub
from retint.color import srgb_to_lab
from retint.demo import EXHIBITS
from retint.predict import OnnxPredictor, load, resize

KEPT = Path(__file__).parent / "fixtures" / "golden-default.json"
LONGEST = 16
"""Squares along the longer side."""

TOLERANCE = 0.2
"""Lab units: four times what is lost by rounding. What onnxruntime makes of the network at each of
its levels of optimisation differs by 0.00002."""

FILES = [exhibit.file for exhibit in EXHIBITS if exhibit.file.endswith(".png")]
"""Decoded alike everywhere."""

pytest.importorskip("skimage", exc_type=ImportError)


def colours(file: str) -> np.ndarray:
    """The model's for one photograph: (2, h, w), Lab units."""
    codes = np.asarray(Image.open(BytesIO((resources.files("skimage.data") / file).read_bytes())))
    rgb = np.broadcast_to(codes.reshape(*codes.shape[:2], -1), (*codes.shape[:2], 3)) / 255
    L = srgb_to_lab(rgb)[..., 0].astype(np.float32)
    L = resize(L, *sides(L.shape, model().card.working_size))
    ab = model()(L[None, None]).ab[0]
    return resize(ab, *sides(L.shape, LONGEST))


def sides(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    height, width = (max(1, round(side * longest / max(shape))) for side in shape)
    return height, width


@cache
def model() -> OnnxPredictor:
    return load("default", device="cpu")


def kept() -> dict[str, np.ndarray]:
    return {file: np.array(ab) for file, ab in json.loads(KEPT.read_text("utf-8"))["ab"].items()}


def renew() -> None:
    """Keep what the default model gives now."""
    rows = ",\n".join(
        f'"{file}": {json.dumps(np.round(colours(file).astype(float), 1).tolist())}'
        for file in FILES
    )
    KEPT.write_text(f'{{"weights_sha256": "{model().weights_sha256}",\n"ab": {{\n{rows}\n}}}}\n')


def test_what_is_kept_is_of_the_default_model():
    of = json.loads(KEPT.read_text("utf-8"))["weights_sha256"]
    assert of == hub.find("default").card.sha256, "another default: python tests/test_golden.py"
    assert list(kept()) == FILES


@pytest.mark.parametrize("file", FILES)
def test_the_default_model_gives_the_colours_it_gave(file: str):
    found, expected = colours(file), kept()[file]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < TOLERANCE


def test_colours_of_another_photograph_are_told_apart():
    found = kept()["astronaut.png"]
    mirrored = found[..., ::-1]
    assert np.abs(found - mirrored).max() > 5 * TOLERANCE
    assert np.abs(found).max() > 10


if __name__ == "__main__":
    renew()
