"""The service's page in a real Chromium: colours given, undone, chosen and carried over."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pyvips

pytest.importorskip("fastapi", exc_type=ImportError)

from hinted import save_hinted
from phones import on_a_phone
from retint import color
from retint.serve import Settings
from served import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
expect = playwright.expect
expect.set_options(timeout=30_000)  # what is busy elsewhere is no mistake here

pytestmark = pytest.mark.browser

COAT, OTHER, WALL = (0.25, 0.45), (0.72, 0.45), (0.5, 0.1)
"""Places of what the photographs show."""

BRICK, PLAIN = (27, 24), (4, 14)
"""a* and b* of a usual colour, and of what the model guesses."""


@pytest.fixture(scope="module")
def url(fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("service")
    models = {"hinted": str(save_hinted(folder / "hinted.onnx")), "plain": str(fake_onnx)}
    with served(Settings(data=folder / "data", models=models, device="cpu")) as here:
        yield here.url


@pytest.fixture(scope="module")
def coats(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two photographs of two coats, a dark and a middling one, before a bright wall."""
    folder = tmp_path_factory.mktemp("coats")
    paths = [folder / "first.png", folder / "second.png"]
    for seed, path in enumerate(paths):
        codes = np.full((300, 450), 205.0)
        codes[60:250, 70:160] = 85
        codes[60:250, 280:370] = 135
        codes += np.random.default_rng(seed).normal(0, 3, codes.shape)
        pyvips.Image.new_from_array(codes.clip(0, 255).astype(np.uint8)).write_to_file(str(path))
    return paths


@pytest.fixture
def page(browser: "Browser", url: str, coats: list[Path]) -> Iterator["Page"]:
    """The page with the first photograph, all of it "after"."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto(url)
    open_coats(page, coats[:1])
    yield page
    context.close()


def open_coats(page: "Page", coats: list[Path]) -> None:
    page.locator("body[data-ready]").wait_for()
    page.locator("#picker").set_input_files(coats)
    expect(page.locator("[role=option][data-state=ready]")).to_have_count(
        len(coats), timeout=60_000
    )
    page.locator(".split").focus()
    page.keyboard.press("Home")
    seen(page, COAT, PLAIN)


def at(page: "Page", place: tuple[float, float]) -> tuple[float, float]:
    """Where on the screen a place of the picture is."""
    box = page.locator(".overlay").bounding_box()
    assert box is not None
    return box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]


def colour(page: "Page", place: tuple[float, float]) -> tuple[float, float]:
    """Mean a* and b* of what is on the screen beside a place, where no mark lies over it."""
    x, y = at(page, place)
    shot = pyvips.Image.new_from_buffer(page.screenshot(), "").numpy()[..., :3] / 255
    patch = shot[round(y) - 40 : round(y) - 24, round(x) - 12 : round(x) + 12]
    _, a, b = color.srgb_to_lab(patch).mean((0, 1))
    return a, b


def seen(page: "Page", place: tuple[float, float], ab: tuple[float, float]) -> None:
    """Wait until a place has a colour."""
    limit = time.monotonic() + 60
    while np.abs(np.subtract(found := colour(page, place), ab)).max() > 3:
        assert time.monotonic() < limit, f"{found} at {place}, not {ab}"
        time.sleep(0.1)


def give(page: "Page", place: tuple[float, float], usual: str) -> None:
    """Click an object and pick a usual colour for it."""
    marks = page.locator(".mark").count()
    page.mouse.click(*at(page, place))
    expect(page.locator(".mark")).to_have_count(marks + 1)
    page.get_by_role("button", name=usual, exact=True).click()


def hints(page: "Page") -> list[dict[str, float]]:
    """Hints of the chosen photograph, as the page has kept them."""
    kept: list[Any] = json.loads(page.evaluate("sessionStorage['retint.photographs']"))
    chosen = page.locator("#strip [aria-selected=true]").get_attribute("data-id")
    return next(each["look"]["hints"] for each in kept if each["id"] == chosen)


def test_a_colour_is_given_and_undone(page: "Page"):
    give(page, COAT, "Brick")
    seen(page, COAT, BRICK)
    assert np.allclose(colour(page, OTHER), PLAIN, atol=2)
    assert np.allclose(colour(page, WALL), PLAIN, atol=2)
    mark = page.get_by_role("button", name="Colour 1: dark red, 25 % across, 45 % down")
    expect(mark).to_have_attribute("aria-pressed", "true")

    page.keyboard.press("Control+z")
    seen(page, COAT, PLAIN)
    page.get_by_role("button", name="Undo").click()
    expect(mark).to_have_count(0)
    expect(page.get_by_role("button", name="Undo")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Control+Shift+z")
    page.get_by_role("button", name="Redo").click()
    seen(page, COAT, BRICK)
    expect(mark).to_have_count(1)


def test_several_are_given_moved_and_removed_by_keyboard(page: "Page"):
    add = page.get_by_role("button", name="Add a colour in the middle")
    for number in (1, 2):
        add.focus()
        page.keyboard.press("Enter")
        mark = page.get_by_role("button", name=f"Colour {number}: ")
        expect(mark).to_be_focused()
    for _ in range(22):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowUp")
    expect(page.get_by_role("button", name="72 % across, 49 % down")).to_be_focused()
    hue, strength = page.get_by_label("Hue"), page.get_by_label("Strength")
    strength.focus()
    page.keyboard.press("Home")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    hue.focus()
    page.keyboard.press("Home")
    seen(page, OTHER, (30, 0))
    assert hints(page)[1] == {"x": 0.72, "y": 0.488, "a": 30, "b": 0, "radius": 0.02}

    page.get_by_role("button", name="Colour 2: ").focus()
    page.keyboard.press("Delete")
    seen(page, OTHER, PLAIN)
    expect(page.get_by_role("button", name="Colour 1: ")).to_be_focused()
    page.keyboard.press("Delete")
    expect(add).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Control+z")
    seen(page, OTHER, (30, 0))
    assert len(hints(page)) == 2


def test_a_mark_is_dragged(page: "Page"):
    give(page, COAT, "Brick")
    seen(page, COAT, BRICK)
    page.mouse.move(*at(page, COAT))
    page.mouse.down()
    page.mouse.move(*at(page, OTHER), steps=5)
    page.mouse.up()
    seen(page, OTHER, BRICK)
    seen(page, COAT, PLAIN)
    (hint,) = hints(page)
    assert np.allclose((hint["x"], hint["y"]), OTHER, atol=0.005)
    page.get_by_role("button", name="Undo").click()
    seen(page, COAT, BRICK)
    seen(page, OTHER, PLAIN)


def test_a_colour_is_taken_from_the_plane_the_picture_and_a_reference(page: "Page", tmp_path: Path):
    give(page, COAT, "Navy")
    seen(page, COAT, (6, -27))
    box = page.locator(".plane").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"])
    seen(page, COAT, (20, -20))

    page.mouse.click(*at(page, OTHER))
    expect(page.locator(".mark")).to_have_count(2)
    page.get_by_role("button", name="From the picture").click()
    expect(page.get_by_role("button", name="Take the colour")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Colour 2: ")).to_be_focused()
    page.get_by_role("button", name="From the picture").click()
    page.mouse.click(*at(page, (0.22, 0.4)))
    seen(page, OTHER, (20, -20))
    assert len(hints(page)) == 2

    red = np.zeros((40, 60, 3), np.uint8)
    red[:] = 160, 40, 30
    reference = pyvips.Image.new_from_array(red).copy(interpretation="srgb")
    reference.write_to_file(str(tmp_path / "red.png"))
    page.get_by_label("Colours of another photograph").set_input_files(tmp_path / "red.png")
    page.get_by_role("button", name="100 % of the photograph").click()
    _, a, b = color.srgb_to_lab(red[0, 0] / 255)
    expect(page.locator(".picked")).to_contain_text(f"a* {a:.0f}, b* {b:.0f}")
    assert page.locator("#strip [role=option]").count() == 1


def test_a_photograph_without_colour_is_no_palette(page: "Page", coats: list[Path]):
    page.get_by_label("Colours of another photograph").set_input_files(coats[0])
    expect(page.locator(".reference [role=status]")).to_contain_text("first.png")
    assert page.locator(".palette button").count() == 0


def test_an_alternative_is_chosen(page: "Page"):
    give(page, COAT, "Brick")
    seen(page, COAT, BRICK)
    page.get_by_text("Show others").click()
    choice = page.get_by_role("radio", name="Alternative 1")
    expect(page.get_by_role("radio")).to_have_count(4)
    expect(page.get_by_role("radio", name="As guessed")).to_be_checked()
    choice.check()
    limit = time.monotonic() + 60
    while np.allclose(colour(page, OTHER), PLAIN, atol=10):
        assert time.monotonic() < limit
    seen(page, COAT, BRICK)  # what was given stays
    page.get_by_role("button", name="Undo").click()
    seen(page, OTHER, PLAIN)
    expect(page.get_by_role("radio", name="As guessed")).to_be_checked()


def test_a_look_is_carried_over_to_a_series(page: "Page", coats: list[Path]):
    expect(page.locator("#series")).to_be_hidden()
    page.locator("#picker").set_input_files(coats[1])
    expect(page.locator("#strip [data-state=ready]")).to_have_count(2)
    page.get_by_role("option", name="first.png").click()
    give(page, COAT, "Brick")
    seen(page, COAT, BRICK)
    page.get_by_role("button", name="Carry over to 1 photograph").click()
    given = hints(page)
    page.get_by_role("option", name="second.png").click()
    seen(page, COAT, BRICK)
    assert hints(page) == given
    page.get_by_role("button", name="Undo").click()
    seen(page, COAT, PLAIN)

    page.get_by_role("option", name="first.png").click()
    page.get_by_role("button", name="Carry over to 1 photograph").click()
    page.get_by_role("button", name="Take it back").click()
    page.get_by_role("option", name="second.png").click()
    seen(page, COAT, PLAIN)
    assert hints(page) == []


def test_a_model_without_hints_is_told(page: "Page"):
    give(page, COAT, "Brick")
    page.locator("#settings summary").click()
    page.locator("[name=model]").select_option("plain")
    expect(page.locator("#correct")).to_contain_text("choose hinted in the settings")
    expect(page.locator("#alternatives")).to_contain_text("one answer only")
    expect(page.locator(".mark")).to_have_count(0)
    page.mouse.click(*at(page, (0.02, 0.5)))
    expect(page.locator(".mark")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    seen(page, COAT, BRICK)


def test_the_sheet_holds_both_pictures(page: "Page"):
    page.evaluate("() => { window.print = () => { document.body.dataset.printed = ''; }; }")
    page.get_by_role("button", name="Print before and after").click()
    page.locator("body[data-printed]").wait_for()
    assert re.findall(rb"/Count (\d+)", page.pdf(format="A4")) == [b"1"]
    page.emulate_media(media="print")
    expect(page.locator(".sheet h1")).to_have_text("first.png")
    expect(page.locator("header")).to_be_hidden()
    before, after = (
        pyvips.Image.new_from_buffer(shown.screenshot(), "").numpy()[..., :3] / 255
        for shown in page.locator(".sheet img").all()
    )
    chroma = [np.hypot(*color.srgb_to_lab(x)[..., 1:].mean((0, 1))) for x in (before, after)]
    assert chroma[0] < 1 < 10 < chroma[1]


def test_swatches_are_the_colours_of_the_results(page: "Page"):
    lab = np.random.default_rng(0).uniform((0, -90, -90), (100, 90, 90), (500, 3))
    given = page.evaluate(
        """async (lab) => {
          const script = document.querySelector('script[src]').src;
          const { toCodes, toLab } = await import(new URL('colours.js', script));
          return lab.map(([L, a, b]) => {
            const codes = toCodes({ L, a, b });
            return [...codes, ...Object.values(toLab(codes))];
          });
        }""",
        lab.tolist(),
    )
    codes, back = np.split(np.array(given), 2, axis=1)
    assert np.abs(codes - 255 * color.lab_to_srgb(lab)).max() <= 0.5 + 1e-3
    assert np.allclose(back, color.srgb_to_lab(codes / 255), atol=1e-3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_a_finger_gives_moves_and_removes(
    browser: "Browser", url: str, coats: list[Path], scheme: Any
):
    page = on_a_phone(browser, url, scheme)
    open_coats(page, coats[:1])
    page.touchscreen.tap(*at(page, COAT))
    mark = page.get_by_role("button", name="Colour 1: ")
    expect(mark).to_be_visible()
    page.get_by_role("button", name="Brick").tap()
    seen(page, COAT, BRICK)
    drag(page, at(page, COAT), at(page, OTHER))
    seen(page, OTHER, BRICK)
    seen(page, COAT, PLAIN)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    remove = page.locator(".chosen").get_by_role("button", name="Remove")
    remove.evaluate("button => button.scrollIntoView({ block: 'center' })")
    remove.tap()  # which the drag before shall not swallow
    expect(mark).to_have_count(0)
    seen(page, OTHER, PLAIN)
    page.context.close()


def drag(page: "Page", start: tuple[float, float], end: tuple[float, float]) -> None:
    """Move a finger over the screen."""
    touch = page.context.new_cdp_session(page)
    for share in np.linspace(0, 1, 6):
        x, y = np.add(np.multiply(start, 1 - share), np.multiply(end, share))
        kind = "touchMove" if share else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
