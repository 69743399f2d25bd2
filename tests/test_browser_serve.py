"""The service's page in a real Chromium, at a real service: what a visitor does."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pytest
import pyvips

from conftest import scene
from phones import on_a_phone
from retint.color import srgb_to_lab
from served import Served, served

pytest.importorskip("playwright.sync_api", exc_type=ImportError)
pytest.importorskip("fastapi", exc_type=ImportError)

from retint.serve import Settings
from retint.serve.store import keys
from retint.serve.store.database import open_database

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Download, Page

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def here(fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    with served(Settings(data=data, models={"fake": str(fake_onnx)}, device="cpu")) as here:
        yield here


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey scan of 16 bits with a description and a resolution, and fine stripes at its left."""
    grey = scene(1400, 2000) @ (0.2126, 0.7152, 0.0722)
    grey[200:1200, 100:700] = np.where(np.arange(600) // 2 % 2, 0.7, 0.3)
    image = pyvips.Image.new_from_array(np.rint(grey * 65535).astype(np.uint16))
    image = image.copy(interpretation="grey16", xres=12, yres=12)
    image.set_type(pyvips.GValue.gstr_type, "image-description", "Harbour, 1912")
    path = tmp_path_factory.mktemp("scans") / "1912 Häfen.tif"
    image.tiffsave(str(path))
    return path


@contextmanager
def visitor(browser: "Browser", here: Served, **about: Any) -> Iterator["Page"]:
    """Somebody at the page, in whose console nothing goes wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, **about)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(here.url)
    yield page
    context.close()
    assert [text for text in wrong if not re.search("status of (401|422|503)", text)] == []


def drop(page: "Page", *paths: Path) -> None:
    """Drop files onto the page, as a file manager does."""
    page.wait_for_selector("body[data-ready]")
    tell = page.context.new_cdp_session(page).send
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        tell("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})


def wait_for_colour(page: "Page") -> None:
    """Wait until what is asked for is there."""
    page.wait_for_selector(".stage:not([aria-busy]) .colour.there")
    page.wait_for_timeout(400)  # it fades in


def seen(page: "Page") -> np.ndarray:
    """What the stage shows of the picture, Lab."""
    stage, world = (page.locator(name).bounding_box() for name in (".stage", ".world"))
    assert stage is not None
    assert world is not None
    left, top = (max(stage[side], world[side]) for side in ("x", "y"))
    right = min(stage["x"] + stage["width"], world["x"] + world["width"])
    below = min(stage["y"] + stage["height"], world["y"] + world["height"])
    return lab(
        page.screenshot(clip={"x": left, "y": top, "width": right - left, "height": below - top})
    )


def lab(data: bytes) -> np.ndarray:
    """A picture of any depth as Lab, float64 (height, width, 3)."""
    codes = pyvips.Image.new_from_buffer(data, "").numpy()
    codes = codes[..., None] if codes.ndim == 2 else codes
    codes = np.broadcast_to(codes[..., :1], (*codes.shape[:2], 3)) if codes.shape[2] < 3 else codes
    return srgb_to_lab(codes[..., :3] / np.iinfo(codes.dtype).max)


def chroma(part: np.ndarray) -> float:
    return float(np.hypot(part[..., 1], part[..., 2]).mean())


def saved(download: "Download") -> bytes:
    return Path(download.path()).read_bytes()


def option(page: "Page", name: str) -> Any:
    return page.locator("#strip").get_by_role("option", name=name)


def test_a_scan_is_dropped_compared_by_keyboard_and_downloaded(
    browser: "Browser", here: Served, scan: Path
):
    with visitor(browser, here) as page:
        drop(page, scan)
        wait_for_colour(page)
        assert page.get_by_role("heading", name=scan.name).is_visible()
        split = page.get_by_role("slider", name="Before and after")
        page.locator(".stage").focus()
        page.keyboard.press("Tab")
        assert split.evaluate("element => element === document.activeElement")
        both = seen(page)
        middle = both.shape[1] // 2
        before, after = both[:, : middle - 60], both[:, middle + 60 :]
        assert chroma(before) < 0.5 < 10 < chroma(after)
        page.keyboard.press("End")
        assert chroma(seen(page)[:, :-60]) < 0.5
        page.keyboard.press("Home")
        assert chroma(seen(page)[:, 60:]) > 10
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert split.get_attribute("aria-valuetext") == "10 % before, 90 % after"
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download").click()
        result, source = saved(waiting.value), scan.read_bytes()
        page.get_by_text("lightness differs by").wait_for()
    assert waiting.value.suggested_filename == "1912 Häfen.colour.tif"
    image = pyvips.Image.new_from_buffer(result, "")
    assert (image.width, image.height, image.format, image.bands) == (2000, 1400, "ushort", 3)
    assert image.xres == pytest.approx(12, rel=1e-4)
    assert image.get("image-description") == "Harbour, 1912"
    assert b"compositeWithTrainedAlgorithmicMedia" in cast(bytes, image.get("xmp-data"))
    ours, theirs = lab(result), lab(source)
    assert np.abs(ours[..., 0] - theirs[..., 0]).max() < 0.01
    assert chroma(ours) > 10


def test_zoomed_in_the_full_size_is_seen(browser: "Browser", here: Served, scan: Path):
    """Stripes of two pixels are grey mush in a picture of the whole, and stripes close up."""
    with visitor(browser, here) as page:
        drop(page, scan)
        wait_for_colour(page)
        page.locator(".stage").focus()
        page.keyboard.press("1")
        assert page.locator(".zoom output").text_content() == "100 %"
        for _ in range(8):
            page.keyboard.press("ArrowLeft")  # to the stripes
        page.wait_for_selector(".colour img + img:not([hidden])")
        page.wait_for_timeout(500)
        page.wait_for_selector(".stage:not([aria-busy])")
        stripes = seen(page)[200:300, 120:200, 0]
        assert stripes.std() > 15
        stage = page.locator(".stage").bounding_box()
        assert stage is not None
        page.mouse.move(stage["x"] + 100, stage["y"] + 300)
        page.mouse.down()
        page.mouse.move(stage["x"] + 30, stage["y"] + 240, steps=4)
        page.mouse.up()
        moved = seen(page)[140:240, 50:130, 0]
        assert np.abs(moved - stripes).mean() < 3  # pulled along with the pointer
        page.keyboard.press("0")
        assert page.locator(".stage.close").count() == 0


def test_the_line_follows_the_mouse(browser: "Browser", here: Served, scan: Path):
    with visitor(browser, here) as page:
        drop(page, scan)
        wait_for_colour(page)
        box = page.locator(".world").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60, steps=5)
        page.mouse.up()
        value = page.get_by_role("slider", name="Before and after").input_value()
        assert float(value) == pytest.approx(20, abs=1)


def test_settings_answer_and_are_in_the_result(browser: "Browser", here: Served, scan: Path):
    with visitor(browser, here) as page:
        drop(page, scan)
        wait_for_colour(page)
        page.get_by_role("slider", name="Before and after").press("Home")
        full = chroma(seen(page)[:, 60:])
        saturation = page.get_by_role("slider", name="Saturation")
        for _ in range(10):
            saturation.press("ArrowLeft")
        assert saturation.get_attribute("aria-valuetext") == "50 %"
        page.wait_for_timeout(300)
        wait_for_colour(page)
        half = chroma(seen(page)[:, 60:])
        assert 0.35 * full < half < 0.65 * full
        page.get_by_label("Show in violet").check()
        page.wait_for_selector(".confidence.there")
        page.get_by_label("Format").select_option("png")
        with page.expect_response("**/v1/colorize") as answer, page.expect_download():
            page.get_by_role("button", name="Download").click()
        receipt = json.loads(answer.value.headers["retint-receipt"])
        assert receipt["options"]["saturation"] == 0.5
        assert receipt["options"]["format"] == "png"
        page.get_by_role("button", name="Look as guessed").click()
        assert saturation.get_attribute("aria-valuetext") == "100 %"


def test_many_photographs_each_with_its_look_as_a_zip(
    browser: "Browser", here: Served, photographs: dict[str, Path], tmp_path: Path
):
    """A folder with some that are good, one in colour, one that is none; a reload; a ZIP."""
    folder = tmp_path / "box"
    folder.mkdir()
    for n in range(3):
        (folder / f"scan {n}.jpg").write_bytes(photographs["grey.jpg"].read_bytes())
    (folder / "colour.jpg").write_bytes(photographs["colour.jpg"].read_bytes())
    (folder / "letter.jpg").write_text("Dear Sir")
    (folder / ".hidden").write_text("nobody's business")
    with visitor(browser, here) as page:
        drop(page, folder)
        page.get_by_text("1 could not be opened").wait_for()
        listed = page.locator("#strip").get_by_role("option")
        names = listed.all_text_contents()
        assert names == ["colour", "letter", "scan 0", "scan 1", "scan 2"]
        page.get_by_text("has colour already").wait_for()
        page.keyboard.press("PageDown")
        assert "letter.jpg" in str(page.get_by_role("alert").first.text_content())
        page.get_by_role("button", name="Remove").click()
        assert listed.count() == 4
        option(page, "scan 1.jpg").click()
        wait_for_colour(page)
        page.get_by_role("slider", name="Saturation").press("Home")
        page.reload()
        option(page, "scan 1.jpg").click()
        wait_for_colour(page)
        assert page.get_by_role("slider", name="Saturation").input_value() == "0"
        with page.expect_download() as waiting:
            page.get_by_role("button", name="All 4 as ZIP").click()
        result = saved(waiting.value)
        page.get_by_text("The ZIP is here: 4 with their receipts.").wait_for()
    with zipfile.ZipFile(io.BytesIO(result)) as held:
        receipts = [json.loads(line) for line in held.read("retint-journal.jsonl").splitlines()]
        results = {receipt["source"]: lab(held.read(receipt["target"])) for receipt in receipts}
    assert {receipt["status"] for receipt in receipts} == {"done"}
    assert chroma(results["scan 1.jpg"]) < 0.5 < 10 < chroma(results["scan 2.jpg"])
    grey = lab((folder / "scan 0.jpg").read_bytes())
    assert np.abs(results["scan 0.jpg"][..., 0] - grey[..., 0]).mean() < 1


def test_pages_of_other_shapes_are_turned_to(browser: "Browser", here: Served, tmp_path: Path):
    pages = [pyvips.Image.black(120, 80) + 90, pyvips.Image.black(60, 90) + 140]
    image = pytest.importorskip("PIL.Image")
    first, second = (image.fromarray(page.cast("uchar").numpy()) for page in pages)
    first.save(tmp_path / "album.tif", save_all=True, append_images=[second])
    with visitor(browser, here) as page:
        drop(page, tmp_path / "album.tif")
        wait_for_colour(page)
        for name, shape in (("Next page", 60 / 90), ("Previous page", 120 / 80)):
            page.get_by_role("button", name=name).click()
            wait_for_colour(page)
            page.wait_for_timeout(300)
            box = page.locator(".world").bounding_box()
            assert box is not None
            assert box["width"] / box["height"] == pytest.approx(shape, rel=0.02)
        page.get_by_role("button", name="Remove").click()
        focused = page.get_by_role("button", name="Choose photographs")
        assert focused.evaluate("element => element === document.activeElement")


def test_a_photograph_is_pasted(browser: "Browser", here: Served, photographs: dict[str, Path]):
    with visitor(browser, here) as page:
        page.wait_for_selector("body[data-ready]")
        page.evaluate(
            """data => {
              const bytes = Uint8Array.from(data);
              const clipboardData = new DataTransfer();
              clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
              document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
            }""",
            list(photographs["grey.png"].read_bytes()),
        )
        wait_for_colour(page)
        assert option(page, "pasted.png").get_attribute("aria-selected") == "true"


def test_a_key_is_asked_for_and_what_must_wait_becomes_a_job(
    browser: "Browser", fake_onnx: Path, photographs: dict[str, Path], tmp_path: Path
):
    settings = Settings(data=tmp_path, models={"fake": str(fake_onnx)}, device="cpu", keys=True)
    engine = open_database(settings.url)
    key = keys.add(engine, "reading room")
    engine.dispose()
    with served(settings) as here, visitor(browser, here) as page:
        for given in ("not this", key):
            page.get_by_role("textbox", name="Key").fill(given)
            page.keyboard.press("Enter")
            if given != key:
                page.get_by_text("not known here").wait_for()
        drop(page, photographs["grey.jpg"], photographs["grey.png"])
        wait_for_colour(page)
        here.service.settings = replace(here.service.settings, patience=0.001)
        for button, count in (("All 2 as ZIP", 2), ("Download", 1)):
            with page.expect_download() as waiting:
                page.get_by_role("button", name=button).click()
            with zipfile.ZipFile(io.BytesIO(saved(waiting.value))) as held:
                assert len(held.namelist()) == count + 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_phone_fingers_compare_and_zoom(
    browser: "Browser", here: Served, scan: Path, scheme: Literal["light", "dark"]
):
    page = on_a_phone(browser, here.url, scheme)
    page.wait_for_selector("body[data-ready]")
    page.set_input_files("#picker", str(scan))
    wait_for_colour(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator(".world").bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page).send

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(places)]
        touch("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    across, down = box["x"] + box["width"] / 2, box["y"] + 60
    fingers("Start", (across, down))
    for n in range(1, 9):
        fingers("Move", (across + 12 * n, down))
    fingers("End")
    value = float(page.get_by_role("slider", name="Before and after").input_value())
    assert value == pytest.approx(50 + 100 * 96 / box["width"], abs=4)
    fingers("Start", (across - 20, down), (across + 20, down))
    for n in range(1, 9):
        fingers("Move", (across - 20 - 5 * n, down), (across + 20 + 5 * n, down))
    fingers("End")
    assert page.locator(".stage.close").count() == 1
    page.context.close()


def test_nothing_but_our_own_is_loaded_and_a_version_is_kept(here: Served):
    page = here.ask("/")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    tag = page.headers["ETag"]
    assert here.ask("/", headers={"If-None-Match": tag}).status == 304
    assert here.ask("/", method="HEAD").body == b""
    text = page.body.decode()
    assert not re.search(r"https?:|<style|style=|onclick", text)
    asked = re.findall(r'(?:src|href)="(page/[^"]+)"', text)
    assert len(asked) >= 3
    for path in asked:
        answer = here.ask("/" + path)
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
    stale = re.sub("page/[0-9a-f]+/", "page/0000/", asked[0])
    assert here.ask("/" + stale).status == 404
    assert here.ask("/" + asked[0].rpartition("/")[0] + "/..%2ffront.py").status == 404
