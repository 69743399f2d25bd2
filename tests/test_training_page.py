"""The page about trainings: true to logs and sheets, and alive in a real Chromium."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import pyvips
from click.testing import CliRunner

from retint.cli import main
from retint.errors import InputError
from retint.watch import runs, strips, svg
from retint.watch.page import write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SIDE, COUNT = 32, 4
RECIPE = """name = "mine"
family = "retint"
[optimiser]
rate = {rate}
[card]
data = "Drawn <pictures>, CC0"
"""


def sheet(path: Path, vivid: float, seed: int = 0) -> None:
    """Rows true, grey, coloured; `vivid` is how much of the true colours the last row has."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(40, 215, (4, 4 * COUNT, 3))
    true = patches.repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)
    grey = true.mean(2, keepdims=True).repeat(3, 2)
    rows = np.concatenate([true, grey, grey + vivid * (true - grey)])
    image = pyvips.Image.new_from_array(rows.round().astype(np.uint8)).copy(interpretation="srgb")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.jpegsave(str(path), Q=90, subsample_mode="off")


def training(folder: Path, *, checkpoints: int = 5, seed: int = 0, rate: float = 0.002) -> Path:
    lines = ["step,epoch,stage,pictures,minutes,loss,val_loss,val_ab,val_chroma,val_a,val_b"]
    for i in range(1, checkpoints + 1):
        stage = "two" if i > 3 else "one"
        lines.append(f"{i * 10},{i / 4},{stage},{i * 640},{i / 2},{1 / i},{2 / i},{9 + i},0.5,1,-1")
        sheet(folder / "sheets" / f"{i * 10:08}.jpg", i / checkpoints, seed)
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    (folder / "recipe.toml").write_text(RECIPE.format(rate=rate))
    (folder / "about.json").write_text('{"parameters": 3876928}')
    return folder


def report(*words: object):
    return CliRunner().invoke(main, ["report", *map(str, words)])


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages about one training, and about three of which two show the same photographs."""
    folder = tmp_path_factory.mktemp("trainings")
    one = training(folder / "one <i>")
    two = training(folder / "two", checkpoints=7, rate=0.001)
    other = training(folder / "other", seed=1)
    assert report("--training", one, "-o", folder / "single").exit_code == 0
    assert report("--training", one, two, other, "-o", folder / "several").exit_code == 0
    return {name: folder / name / "index.html" for name in ("single", "several")}


def test_the_page_says_what_the_log_says(pages: dict[str, Path]):
    html = pages["single"].read_text(encoding="utf-8")
    text = " ".join(re.sub(r"<[^>]+>", "", html.split("<script")[0]).split())
    assert "took 50 steps and saw 3,200 pictures, 1.25 times as many as there are" in text
    assert "in 2.5 minutes. The network of the family retint has 3,876,928 parameters." in text
    assert "its colours are 14.0 Lab units from the true ones on average" in text
    assert "The smallest validation loss, 0.400, was at step 50." in text
    assert "Drawn &lt;pictures&gt;, CC0" in html
    assert "<i>" not in html
    assert "rate = 0.002" in html


def test_several_trainings_side_by_side(pages: dict[str, Path]):
    html = pages["several"].read_text(encoding="utf-8")
    walls = re.findall(r'<section class="wall.*?</section>', html, re.DOTALL)
    assert [len(set(re.findall(r'data-run="(\d)"', wall))) for wall in walls] == [2, 1]
    assert "<code>optimiser.rate</code></th><td>0.002</td><td>0.001</td><td>0.002</td>" in html
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert data["steps"] == [10, 20, 30, 40, 50, 60, 70]
    assert data["runs"]["0"]["files"][-1].endswith("00000050.jpg")  # it has no later one
    assert data["runs"]["1"]["facts"][-1].startswith("step 70 · 4,480 pictures")


def test_strips_are_the_sheets_rows(pages: dict[str, Path], tmp_path: Path):
    folder = pages["single"].parent / "1-one-i"
    path = tmp_path / "sheet.jpg"
    sheet(path, 0.4)
    rows = pyvips.Image.new_from_file(str(path)).numpy().astype(float)
    for k, name in enumerate(("true.jpg", "grey.jpg", "00000020.jpg")):
        strip = pyvips.Image.new_from_file(str(folder / name)).numpy()
        assert strip.shape == (SIDE, SIDE * COUNT, 3)
        assert np.abs(strip - rows[k * SIDE : (k + 1) * SIDE]).mean() < 3


def test_many_and_large_checkpoints_stay_small(tmp_path: Path):
    assert strips.spread(range(100), 4) == [0, 33, 66, 99]
    assert strips.spread([5, 6], 4) == [5, 6]
    assert strips.spread([5, 6], 1) == [5]
    noise = np.random.default_rng(0).integers(0, 255, (3 * 256, 12 * 256, 3), np.uint8)
    (tmp_path / "sheets").mkdir()
    pyvips.Image.new_from_array(noise).gaussblur(2).jpegsave(str(tmp_path / "sheets/00000000.jpg"))
    for step in range(1, 60):
        shutil.copy(tmp_path / "sheets/00000000.jpg", tmp_path / f"sheets/{step:08}.jpg")
    lines = [f"{step},{1 / (step + 1)}\n" for step in range(60)]
    (tmp_path / "log.csv").write_text("step,loss\n" + "".join(lines))
    result = report("--training", tmp_path, "-o", tmp_path / "page", "--checkpoints", 6)
    assert result.exit_code == 0, result.output
    made = sorted(path.name for path in (tmp_path / "page").glob("1-*/0*.jpg"))
    assert (len(made), made[0], made[-1]) == (6, "00000000.jpg", "00000059.jpg")
    image = pyvips.Image.new_from_file(str(next((tmp_path / "page").glob("1-*/true.jpg"))))
    assert (image.width, image.height) == (12 * 192, 192)


def test_a_training_without_sheets_or_recipe_has_a_page(tmp_path: Path):
    (tmp_path / "log.csv").write_text("step,loss\n1,0.5\n")
    path = write_page(runs.read([tmp_path]), tmp_path / "page")
    html = path.read_text(encoding="utf-8")
    assert "took 1 step." in html
    assert "its folder holds no recipe" in html
    assert 'id="when"' not in html


def test_errors_are_one_line(tmp_path: Path):
    folder = training(tmp_path / "mine", checkpoints=2)
    assert report(folder).exit_code == 2
    (tmp_path / "file").write_text("")
    result = report("--training", folder, "-o", tmp_path / "file" / "page")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    (folder / "sheets" / "00000020.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"00000020\.jpg: cannot be read"):
        write_page(runs.read([folder]), tmp_path / "page")
    pyvips.Image.black(50, 31).jpegsave(str(folder / "sheets" / "00000020.jpg"))
    with pytest.raises(InputError, match="not a training's sheet: 50 × 31"):
        write_page(runs.read([folder]), tmp_path / "page")


def test_charts_hold_every_value_at_its_place():
    run = runs.Run("x", Path(), {"step": np.array([0.0, 50, 100]), "val_ab": np.array([5.0, 9, 7])})
    drawn = svg.chart(runs.Panel("Distance", ("val_ab",)), [run])
    found = re.search(r'class="curve r0" d="M([^"]*)"', drawn)
    assert found is not None
    points = np.array([point.split() for point in found[1].split("L")], float)
    assert np.allclose(points[:, 0], [46, 226, 406])
    assert np.allclose((points[0, 1] - points[:, 1]) / (points[0, 1] - points[1, 1]), [0, 1, 0.5])
    assert "7 at the end" in drawn
    assert ">6</text>" in drawn
    constant = runs.Run("x", Path(), {"step": np.array([3.0]), "val_ab": np.array([np.nan])})
    assert "nan" not in svg.chart(runs.Panel("Distance", ("val_ab",)), [constant])


# ---- in a browser


def spread_of(cell: "Locator") -> float:
    """Mean difference between the channels of a cell's upper half, as it is on screen."""
    shot = pyvips.Image.new_from_buffer(cell.screenshot(), "").numpy()[..., :3].astype(float)
    return float(np.ptp(shot[: len(shot) // 2], axis=2).mean())


def opened(browser: "Browser", page: Path) -> "Page":
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    tab.goto(page.as_uri(), wait_until="load")
    return tab


@pytest.mark.browser
def test_keyboard_goes_through_the_checkpoints(browser: "Browser", pages: dict[str, Path]):
    page = opened(browser, pages["single"])
    figure = page.locator("figure").nth(2)
    true, grey, coloured = (figure.locator(".cell").nth(k) for k in range(3))
    assert spread_of(grey) < 2
    assert abs(spread_of(coloured) - spread_of(true)) < 3  # the last checkpoint, all the colour
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "when"
    end = spread_of(coloured)
    page.keyboard.press("Home")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert spread_of(coloured) == pytest.approx(end / 5, rel=0.3)
    assert page.locator("#moment").inner_text().startswith("step 10 · 640 pictures · 0.5 min")
    page.keyboard.press("ArrowRight")
    text = page.locator("#when").get_attribute("aria-valuetext")
    assert text is not None
    assert text.startswith("step 20")
    now = page.locator(".chart .now").first.bounding_box()
    chart = page.locator(".chart").first.bounding_box()
    assert now is not None
    assert chart is not None
    assert (now["x"] - chart["x"]) / chart["width"] == pytest.approx((46 + 90) / 420, abs=0.01)
    page.close()


@pytest.mark.browser
def test_play_runs_to_the_end_and_stops(browser: "Browser", pages: dict[str, Path]):
    page = opened(browser, pages["single"])
    page.locator("#play").click()
    assert page.locator("#when").input_value() == "0"
    page.wait_for_function("document.getElementById('when').value === '4'", timeout=10_000)
    assert page.locator("#play").inner_text() == "Play"
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["single", "several"])
def test_phone_fits_in_both_schemes(
    browser: "Browser", pages: dict[str, Path], scheme: Literal["light", "dark"], name: str
):
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(n) for n in background.strip("rgb()").split(",")])
    assert (brightness > 128) == (scheme == "light")
    cell = page.locator(".cell").first.bounding_box()
    assert cell is not None
    assert cell["width"] == pytest.approx(cell["height"], abs=1)
    assert cell["width"] > 90
    context.close()


@pytest.mark.browser
def test_nothing_comes_from_the_network_and_nothing_fails(
    browser: "Browser", pages: dict[str, Path]
):
    page = browser.new_page()
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(pages["several"].as_uri(), wait_until="load")
    assert len(asked) > 10
    assert all(address.startswith(("file:", "data:")) for address in asked)
    assert not failed
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert page.evaluate("[...document.images].every(image => image.alt)")
    page.close()
