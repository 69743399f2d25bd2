"""The demo's page in a real Chromium: the slider reveals by keyboard, mouse and touch."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import pyvips

from phones import on_a_phone
from retint import demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytest.importorskip("skimage", exc_type=ImportError)
playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fake_onnx: Path) -> str:
    folder = tmp_path_factory.mktemp("browser")
    wall = [demo.hang(exhibit, folder, model=str(fake_onnx)) for exhibit in demo.EXHIBITS[:2]]
    return demo.write_page(folder, wall).as_uri()


def colourful(slider: "Locator") -> tuple[float, float]:
    """Mean spread between the channels in the slider's left and right half, as it is on screen."""
    shot = pyvips.Image.new_from_buffer(slider.screenshot(), "").numpy()[..., :3].astype(float)
    spread = np.ptp(shot, axis=2)[: shot.shape[0] * 3 // 10]  # above line's handle and labels
    middle = spread.shape[1] // 2
    return spread[:, : middle - 4].mean(), spread[:, middle + 4 :].mean()


def test_keyboard_moves_the_line_and_reveals(browser: "Browser", url: str):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(url)
    slider = page.locator(".slider").first
    left, right = colourful(slider)
    assert left < 1 < 5 < right

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("Home")
    assert min(colourful(slider)) > 5
    page.keyboard.press("End")
    assert max(colourful(slider)) < 1
    page.keyboard.press("ArrowLeft")
    assert slider.locator("input").input_value() == "99"
    assert slider.locator("input").get_attribute("aria-valuetext") == "99 % grey"
    page.close()


def test_mouse_drags_the_line(browser: "Browser", url: str):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(url)
    slider = page.locator(".slider").first
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] - 50, middle, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.9, middle)  # released: it follows no more
    assert slider.locator("input").input_value() == "0"
    assert min(colourful(slider)) > 5
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_fits_and_touch_moves_the_line(
    browser: "Browser", url: str, scheme: Literal["light", "dark"]
):
    page = on_a_phone(browser, url, scheme)
    slider = page.locator(".slider").first
    slider.scroll_into_view_if_needed()  # where it is depends on the fonts that there are
    box = slider.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    assert abs(int(slider.locator("input").input_value()) - 25) <= 1
    page.context.close()


def test_nothing_comes_from_the_network_and_nothing_fails(browser: "Browser", url: str):
    page = browser.new_page()
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(url, wait_until="load")
    assert len(asked) > 3
    assert all(address.startswith(("file:", "data:")) for address in asked)
    assert not failed
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    page.close()
