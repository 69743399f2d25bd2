"""The bench's page in a real Chromium: sorted, measured and compared by keyboard, mouse, touch."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import pyvips

from phones import on_a_phone
from retint.bench.page import write_page
from test_bench_page import HOSTILE, MISSING, judged

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fake_onnx: Path) -> str:
    folder = tmp_path_factory.mktemp("report")
    found, contestants, pictures = judged(folder, fake_onnx)
    return write_page(found, contestants, pictures.open, folder / "report.html").as_uri()


@pytest.fixture
def page(browser: "Browser", url: str) -> Iterator["Page"]:
    """The page, of which nothing may fail or ask for anything."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    yield page
    page.close()
    assert wrong == []
    assert [address for address in asked if not address.startswith("data:")] == [url]


def column(page: "Page", place: int) -> list[str]:
    cells = page.locator(f"#ranked tbody tr:visible > :nth-child({place})")
    return [text.split("\n")[0] for text in cells.all_inner_texts()]


def numbers(page: "Page", place: int) -> list[float]:
    return [float(text.replace("−", "-")) for text in column(page, place)]


def colour(element: "Locator") -> np.ndarray:
    """Mean colour of each third of an element from left to right, as it is on screen: (3, 3)."""
    shot = pyvips.Image.new_from_buffer(element.screenshot(), "").numpy()[..., :3].astype(float)
    shot = shot[: len(shot) // 3]  # above the line's handle
    return np.array([third.mean((0, 1)) for third in np.array_split(shot, 3, axis=1)])


def test_a_heading_sorts_best_first_and_then_the_other_way(page: "Page"):
    head = page.locator("#ranked thead th", has_text="PSNR")
    place = 1 + head.evaluate("head => head.cellIndex")
    assert numbers(page, 2) == sorted(numbers(page, 2))
    head.get_by_role("button").focus()
    assert "dB" in page.locator("#meaning").inner_text()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers(page, place) == sorted(numbers(page, place), reverse=True)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers(page, place) == sorted(numbers(page, place))
    assert page.locator("#ranked [aria-sort]").count() == 1


def test_shuffled_rows_can_be_hidden(page: "Page"):
    shown = len(column(page, 1))
    page.locator("#shuffled").uncheck()
    assert len(column(page, 1)) == shown - 3


def test_pictures_are_compared_by_keyboard(page: "Page"):
    cells = page.locator("#pictures .cells").first.locator(".cell")
    cells.first.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    chosen = page.evaluate("document.activeElement.dataset.key")
    assert (
        page.evaluate(
            "document.querySelectorAll('#pictures .cells:first-child [tabindex=\"0\"]').length"
        )
        == 8
    )
    page.keyboard.press("Enter")
    dialog = page.locator("#comparison")
    assert dialog.is_visible()
    assert page.locator("#left").input_value() == "true"
    assert page.locator("#right").input_value() == chosen
    assert "dE" in page.locator("#right-says").inner_text()

    stage = page.locator(".stage")
    assert page.evaluate("document.activeElement.id") == "divider"
    page.keyboard.press("Home")
    right = colour(stage)
    page.keyboard.press("End")
    left = colour(stage)
    assert np.abs(left - right).max() > 8
    for _ in range(50):
        page.keyboard.press("ArrowLeft")
    both = colour(stage)
    assert np.abs(both[0] - left[0]).max() < 3
    assert np.abs(both[2] - right[2]).max() < 3
    assert page.locator("#divider").get_attribute("aria-valuetext") == "50 % true colours"

    page.keyboard.press("x")
    assert page.locator("#right").input_value() == "true"
    first = page.locator("#right option").nth(2).inner_text()  # after true and grey
    page.keyboard.press("1")
    assert page.locator("#right option:checked").inner_text() == first

    file = page.locator("#comparison-file").inner_text()
    page.keyboard.press("PageDown")
    assert page.locator("#comparison-file").inner_text() != file
    page.keyboard.press("PageUp")
    assert page.locator("#comparison-file").inner_text() == file
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.dataset.key") == chosen


def test_confidence_lies_over_its_own_side(page: "Page"):
    page.get_by_role("button", name=re.compile("coloured by mine, .*: compare")).first.click()
    stage = page.locator(".stage")
    before = colour(stage)
    toggle = page.get_by_role("button", name="Confidence")
    page.keyboard.press("c")
    assert toggle.get_attribute("aria-pressed") == "true"
    assert "mine unsure 0." in page.locator("#scale").inner_text()
    seen = colour(stage)
    assert np.abs(seen[0] - before[0]).max() < 3
    assert np.abs(seen[2] - before[2]).max() > 10
    toggle.click()
    assert np.abs(colour(stage) - before).max() < 3
    page.keyboard.press("PageDown")  # the first picture has no colouring of theirs
    page.locator("#right").select_option(label="theirs")
    assert toggle.is_disabled()


def test_a_missing_colouring_is_not_offered(page: "Page"):
    figure = page.locator("#pictures figure", has=page.get_by_role("group", name=MISSING))
    figure.locator(".cell").last.click()
    assert "theirs" not in page.locator("#right").inner_text()
    assert HOSTILE in page.locator("#right").inner_text()
    page.keyboard.press("PageDown")
    assert "theirs" in page.locator("#right").inner_text()


def test_distributions_and_differences_follow_the_choices(page: "Page"):
    strips, differences = page.locator("#spread-strips"), page.locator("#difference-strips")
    assert "theirs" in strips.inner_text()
    assert "grey" not in differences.inner_text()
    page.locator("#against").select_option(label="theirs")
    assert "theirs" not in differences.inner_text().replace("theirs, shuffled", "")
    assert "better on" in differences.inner_text()
    before = strips.inner_text()
    page.locator("#measure").select_option(label="PSNR")
    assert strips.inner_text() != before
    page.locator("#probe").focus()
    page.keyboard.press("End")
    assert ".png: " in page.locator("#probe-says").inner_text()
    assert strips.locator(".marked circle").count() >= 5
    page.locator("#probe-open").click()
    assert page.locator("#comparison").is_visible()


def test_a_dot_opens_its_picture(page: "Page"):
    strips = page.locator("#spread-strips")
    strips.scroll_into_view_if_needed()
    page.locator("#probe").focus()
    page.keyboard.press("Home")
    says = page.locator("#probe-says").inner_text()
    box = strips.locator(".marked circle").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert says.startswith(page.locator("#comparison-file").inner_text())


def test_the_tradeoff_has_every_contestant_and_the_truth(page: "Page"):
    text = page.locator("#tradeoff").inner_text()
    assert {"truth", "grey", "mine", "theirs"} <= set(text.split("\n"))
    assert "mine: " in str(page.locator("#tradeoff svg").get_attribute("aria-label"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_fits_and_touch_moves_the_line(
    browser: "Browser", url: str, scheme: Literal["light", "dark"]
):
    page = on_a_phone(browser, url, scheme)
    page.locator("#pictures .cell").nth(2).tap()
    box = page.locator(".stage").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360
    page.touchscreen.tap(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    assert abs(int(page.locator("#divider").input_value()) - 25) <= 1
    assert page.evaluate(
        "[...document.images].filter(i => !i.hidden).every(i => i.naturalWidth > 0)"
    )
    page.get_by_role("button", name="Close").tap()
    assert not page.locator("#comparison").is_visible()
    page.context.close()


def test_the_policy_keeps_the_page_from_the_network(browser: "Browser", url: str):
    page = browser.new_page()
    page.goto(url)
    answer = "fetch('http://127.0.0.1:9/').then(() => 'asked', (error) => String(error))"
    blocked = page.evaluate(
        f"new Promise((done) => {{ addEventListener('securitypolicyviolation', (event) =>"
        f" done(event.effectiveDirective)); {answer}; }})"
    )
    assert blocked == "connect-src"
    page.close()
