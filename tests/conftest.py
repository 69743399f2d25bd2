"""What the tests share: material outside the repository, a tiny model, a few drawn photographs."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# One thread is fastest for networks as small as the tests'; set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real photographs and weights outside the repository, named by RETINT_SHARED."""
    named = os.environ.get("RETINT_SHARED")
    if not named:
        pytest.skip("RETINT_SHARED is not set: no material from outside the repository")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"RETINT_SHARED: {folder} is not a folder")
    return folder


# What Chromium does by itself, it shall not do in a test.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def fake_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a real one's face: ab = 30 sin(L/10), 20 cos(L/15); confidence 0.5 + L/200."""
    from onnx import TensorProto, checker, helper, save

    def constant(name: str, value: float):
        return helper.make_tensor(name, TensorProto.FLOAT, [], [value])

    def tensor(name: str, channels: int):
        return helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["n", channels, "height", "width"]
        )

    nodes = [
        helper.make_node("Div", ["L", "ten"], ["L_over_10"]),
        helper.make_node("Sin", ["L_over_10"], ["sin"]),
        helper.make_node("Mul", ["sin", "thirty"], ["a"]),
        helper.make_node("Div", ["L", "fifteen"], ["L_over_15"]),
        helper.make_node("Cos", ["L_over_15"], ["cos"]),
        helper.make_node("Mul", ["cos", "twenty"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["ab"], axis=1),
        helper.make_node("Div", ["L", "two_hundred"], ["L_over_200"]),
        helper.make_node("Add", ["L_over_200", "half"], ["confidence"]),
    ]
    numbers = {
        "ten": 10,
        "thirty": 30,
        "fifteen": 15,
        "twenty": 20,
        "two_hundred": 200,
        "half": 0.5,
    }
    graph = helper.make_graph(
        nodes,
        "fake",
        inputs=[tensor("L", 1)],
        outputs=[tensor("ab", 2), tensor("confidence", 1)],
        initializer=[constant(name, value) for name, value in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    card = {
        "name": "fake",
        "version": "1",
        "family": "sinusoid",
        "license": "MIT",
        "weights_license": "MIT",
        "parameters": 0,
        "size": {"multiple_of": 32},
        "working_size": 256,
        "description": "A sinusoid of L for tests",
        "data": "none",
        "encoder_origin": "none",
        "recipe": "none",
        "trained": "not at all",
        "figures": {},
        "not_for": "anything but tests",
        "paper": [],
    }
    helper.set_model_props(model, {"retint.card": json.dumps(card)})
    checker.check_model(model)
    path = tmp_path_factory.mktemp("model") / "fake.onnx"
    save(model, path)
    return path


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Draw a landscape of sky, hill, disc and grain: float64 (height, width, 3), sRGB 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    sky = np.stack([0.45 + 0.3 * y, 0.6 + 0.25 * y, 0.9 - 0.1 * y], axis=-1)
    ground = np.stack([0.25 + 0.2 * x, 0.45 - 0.15 * x, 0.15 + 0.05 * y], axis=-1)
    picture = np.where((y > 0.55 + 0.1 * np.sin(6 * x))[..., None], ground, sky)
    disc = (x - 0.7) ** 2 + (y - 0.35) ** 2 < 0.02
    picture[disc] = (0.85, 0.3, 0.2)
    return np.clip(picture + rng.normal(0, 0.02, (height, width, 1)), 0, 1)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small drawn photographs by name: grey.jpg, grey.png, grey16.tif, toned.jpg, colour.jpg."""
    import pyvips

    folder = tmp_path_factory.mktemp("photographs")
    rgb = scene(96, 128)
    grey = rgb @ (0.2126, 0.7152, 0.0722)
    toned = grey[..., None] ** (0.8, 1.0, 1.25)  # warm mid-tones; black and white stay neutral

    def picture(values: np.ndarray, top: int) -> pyvips.Image:
        codes = np.rint(values * top).astype(np.uint8 if top == 255 else np.uint16)
        if top == 255:
            return pyvips.Image.new_from_array(codes)
        return pyvips.Image.new_from_array(codes).copy(interpretation="grey16")

    pictures = {
        "grey.jpg": picture(grey, 255),
        "grey.png": picture(grey, 255),
        "grey16.tif": picture(grey, 65535),
        "toned.jpg": picture(toned, 255).copy(interpretation="srgb"),
        "colour.jpg": picture(rgb, 255).copy(interpretation="srgb"),
    }
    for name, image in pictures.items():
        image.write_to_file(str(folder / name))
    return {name: folder / name for name in pictures}
