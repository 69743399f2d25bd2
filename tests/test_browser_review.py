"""The review's page in a real Chromium: decisions by keyboard, mouse and touch."""

import csv
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from PIL import Image

from conftest import scene
from retint.data.review.decisions import left_over
from retint.data.review.server import Server
from retint.data.review.session import Review
from served import at_work

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)

pytestmark = pytest.mark.browser
COUNT = 3000
COLUMNS = ["shard", "file", "dataset", "labels", "width", "height", "a", "b"]
SLY = '<img src="x" onerror="document.title=1">, "quoted"'


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 3000 pictures: cats and dogs by turns; the last has a label full of signs."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn: list[bytes] = []
    for seed in range(8):
        file = io.BytesIO()
        codes = np.rint(scene(40, 60, seed) * 255).astype(np.uint8)
        Image.fromarray(codes).save(file, "PNG")
        drawn.append(file.getvalue())
    rows: list[list[object]] = []
    with zipfile.ZipFile(folder / "one.zip", "w") as archive:
        for n in range(COUNT):
            archive.writestr(f"{n:04}.png", drawn[n % 8])
            label = SLY if n == COUNT - 1 else ("n00000001:cat", "n00000002:dog")[n % 2]
            source = ("attic", "cellar")[n >= 2000]
            rows.append(["one.zip", f"{n:04}.png", source, label, 60, 40, n % 7, (n * 37) % 1000])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    (folder / "audit.csv").write_text(
        "shard,file,reason,figure,other\n"
        "one.zip,0005.png,near,2,one.zip/0009.png\n"
        "one.zip,0007.png,too small,,\n"
    )
    return folder


@pytest.fixture
def server(pictures: Path, tmp_path: Path) -> Iterator[Server]:
    for name in ("one.zip", "manifest.csv", "audit.csv"):
        shutil.copy(pictures / name, tmp_path)
    with Review(tmp_path, "anna") as review, Server(review) as server, at_work(server):
        yield server


@pytest.fixture
def page(browser: "Browser", server: Server) -> Iterator["Page"]:
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(server.url)
    wait_for_status(page, "3,000 pictures listed")
    yield page
    page.close()
    assert [text for text in wrong if "ERR_CONNECTION_REFUSED" not in text] == []


def wait_for_status(page: "Page", text: str) -> None:
    playwright.expect(page.locator("#said")).to_contain_text(text)


def decided(server: Server) -> dict[int, str]:
    verdicts = enumerate(server.review.verdicts)
    return {number: verdict.decision for number, verdict in verdicts if verdict.decision}


def current(page: "Page") -> str:
    """The name of the picture at the cursor, as assistive technology is told."""
    tile = page.locator("#grid").get_attribute("aria-activedescendant")
    return str(page.locator(f"#{tile}").get_attribute("aria-label"))


def test_keys_decide_and_go_on(page: "Page", server: Server):
    for key in ("k", "d", "k", "d"):  # faster than the answers come
        page.keyboard.press(key)
    wait_for_status(page, "one.zip/0003.png: dropped")
    assert decided(server) == {0: "keep", 1: "drop", 2: "keep", 3: "drop"}
    assert current(page).startswith("one.zip/0004.png")
    assert "4 of 3,000 decided" in str(page.locator("#counts").text_content())
    told = page.locator("#picture-1").get_attribute("aria-label")
    assert told == "one.zip/0001.png, dog, dropped"

    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    wait_for_status(page, "0003.png: undecided")
    assert decided(server) == {0: "keep", 1: "drop", 2: "keep"}
    page.keyboard.press("Control+z")
    wait_for_status(page, "Undone: one.zip/0003.png")
    assert decided(server)[3] == "drop"
    assert current(page).startswith("one.zip/0003.png")


def test_a_range_is_dropped_and_taken_back_at_once(page: "Page", server: Server):
    page.locator("#picture-2").click()
    page.locator("#picture-9").click(modifiers=["Shift"])
    page.locator("#picture-4").click(modifiers=["Control"])
    assert "7 selected" in str(page.locator("#counts").text_content())
    page.get_by_role("button", name="Drop").click()
    wait_for_status(page, "7 pictures: dropped")
    assert sorted(decided(server)) == [2, 3, 5, 6, 7, 8, 9]
    assert current(page).startswith("one.zip/0010.png")
    assert page.locator("[aria-selected=true]").count() == 0
    page.keyboard.press("Control+z")
    wait_for_status(page, "Undone: 7 pictures")
    assert decided(server) == {}

    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("k")
    wait_for_status(page, "3 pictures: kept")
    assert sorted(decided(server)) == [0, 1, 2]


def test_all_that_are_listed_are_decided_at_once(page: "Page", server: Server):
    page.locator("[name=source]").select_option("cellar")
    wait_for_status(page, "1,000 pictures listed")
    page.locator("#grid").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("d")
    wait_for_status(page, "1,000 pictures: dropped")
    assert sorted(decided(server)) == list(range(2000, 3000))
    assert len(left_over(server.review.folder)) == 1000


def test_filters_and_orders(page: "Page", server: Server):
    page.keyboard.press("k")
    wait_for_status(page, "kept")
    page.locator("[name=decision]").select_option("keep")
    wait_for_status(page, "1 picture listed")
    page.locator("[name=decision]").select_option("any")
    page.locator("[name=reason]").select_option("flagged")
    wait_for_status(page, "2 pictures listed")
    told = page.locator("#picture-5").get_attribute("aria-label")
    assert told == "one.zip/0005.png, dog · near, undecided"
    page.locator("[name=reason]").select_option("too small")
    wait_for_status(page, "1 picture listed")
    page.locator("[name=reason]").select_option("")
    page.locator("#grid").focus()
    page.keyboard.press("/")
    page.keyboard.type("123 DOG")
    wait_for_status(page, "8 pictures listed")  # 0123, 1123, 2123 and the odd ones of 1230 to 1239
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "grid"


def test_the_list_stays_while_one_decides_until_it_is_made_anew(page: "Page", server: Server):
    page.locator("[name=decision]").select_option("")
    page.locator("#grid").focus()
    page.keyboard.press("d")
    wait_for_status(page, "0000.png: dropped")
    assert page.locator("#picture-0").count() == 1
    page.keyboard.press("r")
    wait_for_status(page, "2,999 pictures listed")
    page.keyboard.press("End")
    page.locator("[name=source]").select_option("cellar")
    wait_for_status(page, "1,000 pictures listed")
    assert current(page).startswith("one.zip/2999.png")
    page.locator("[name=source]").select_option("attic")
    wait_for_status(page, "1,999 pictures listed")
    assert current(page).startswith("one.zip/0001.png")
    assert page.locator("#picture-0").count() == 0
    assert current(page).startswith("one.zip/0001.png")


def test_colours_have_an_order(page: "Page", server: Server):
    page.locator("[name=order]").select_option("b")
    page.get_by_label("Reversed").check()
    wait_for_status(page, "listed")
    page.locator("#grid").focus()
    page.keyboard.press("Home")
    number = int(current(page).split("/")[1][:4])
    assert (number * 37) % 1000 == 999


def test_only_tiles_in_view_exist_and_the_end_can_be_reached(page: "Page", server: Server):
    assert page.locator(".tile").count() < 150
    page.keyboard.press("End")
    page.wait_for_selector(f"#picture-{COUNT - 1}")
    assert page.locator(".tile").count() < 150
    last = page.locator(f"#picture-{COUNT - 1}")
    playwright.expect(last).to_be_in_viewport()
    assert last.locator(".label").text_content() == SLY
    assert page.title().endswith(": review")
    page.locator("#grid").hover()
    for _ in range(60):
        page.mouse.wheel(0, -1500)
    page.wait_for_selector("#picture-0")
    playwright.expect(page.locator("#picture-0 img")).to_have_js_property("naturalWidth", 60)
    page.keyboard.press("End")
    page.get_by_label("Size").fill("72")
    playwright.expect(last).to_be_in_viewport()


def test_relabelling_completes_and_is_kept(page: "Page", server: Server):
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("l")
    dialog = page.get_by_role("dialog")
    assert dialog.locator("h2").text_content() == "Relabel 2 pictures"
    page.keyboard.type("do")
    offered = page.locator("#label-list option").evaluate_all("all => all.map(o => o.value)")
    assert offered == ["n00000002:dog", SLY]  # which has "document" in its middle
    page.keyboard.press("Control+a")
    page.keyboard.type("n00000003:fox")
    page.keyboard.press("Enter")
    wait_for_status(page, "2 pictures: relabelled n00000003:fox")
    assert [v.labels for v in server.review.verdicts[:3]] == [
        "n00000003:fox",
        "n00000003:fox",
        "n00000001:cat",
    ]
    assert decided(server) == {}
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.keyboard.press("Escape")  # no answer changes nothing
    assert page.evaluate("document.activeElement.id") == "grid"
    assert server.review.version == 2


def test_one_picture_alone(page: "Page", server: Server):
    page.locator("#picture-3").dblclick()
    large = page.locator("#large")
    playwright.expect(large).to_be_visible()
    fitted = large.bounding_box()
    assert fitted is not None
    assert fitted["width"] > 600
    page.keyboard.press("+")
    assert large.bounding_box() != fitted
    page.keyboard.press("0")
    assert large.bounding_box() == fitted
    page.locator("#stage").hover()
    page.mouse.wheel(0, 100)
    playwright.expect(page.locator("#zoom")).to_have_text("1200 %")

    page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("#about")).to_contain_text("one.zip/0004.png")
    page.keyboard.press("d")
    playwright.expect(page.locator("#about")).to_contain_text("one.zip/0005.png")
    playwright.expect(page.locator("#about")).to_contain_text("near 2 one.zip/0009.png")
    other = page.get_by_alt_text("The picture that it resembles")
    playwright.expect(other).to_have_js_property("naturalWidth", 60)
    assert decided(server) == {4: "drop"}
    page.keyboard.press("l")
    page.keyboard.press("Control+a")
    page.keyboard.type("owl")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#single-name")).to_have_text("owl")
    assert server.review.verdicts[5].labels == "owl"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "grid"
    assert current(page).startswith("one.zip/0005.png")


def test_help_names_the_keys(page: "Page", server: Server):
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    playwright.expect(dialog).to_be_visible()
    page.keyboard.press("d")  # acts in the pictures only
    page.keyboard.press("Escape")
    playwright.expect(dialog).to_be_hidden()
    assert decided(server) == {}


def test_two_windows_agree(page: "Page", server: Server, browser: "Browser"):
    other = browser.new_page()
    other.goto(server.url)
    other.wait_for_selector(".tile")
    other.keyboard.press("d")
    wait_for_status(other, "dropped")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    playwright.expect(page.locator("#picture-0")).to_have_attribute("data-decision", "drop")
    other.close()


def test_an_end_of_the_server_is_told(page: "Page", server: Server):
    page.keyboard.press("d")
    wait_for_status(page, "dropped")
    page.route("**/decide", lambda route: route.abort("connectionrefused"))
    page.keyboard.press("k")
    playwright.expect(page.get_by_role("alert")).to_contain_text("has ended", timeout=30_000)
    assert current(page).startswith("one.zip/0001.png")
    assert decided(server) == {0: "drop"}
    page.unroute("**/decide")
    page.keyboard.press("k")
    wait_for_status(page, "0001.png: kept")
    playwright.expect(page.locator("#alert")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_decides_by_touch(
    browser: "Browser", server: Server, scheme: Literal["light", "dark"]
):
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, color_scheme=scheme
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    page.wait_for_selector(".tile")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(background.strip("rgb()").split(",")[0]) > 128) == (scheme == "light")
    for number in (1, 2):
        page.locator(f"#picture-{number} .corner").tap()
    page.get_by_role("button", name="Keep").tap()
    wait_for_status(page, "2 pictures: kept")
    assert decided(server) == {1: "keep", 2: "keep"}
    for button in page.locator("footer button, #help-button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    assert all(address.startswith((server.url, "data:")) for address in asked)
    context.close()
