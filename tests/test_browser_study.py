"""A study's page in a real Chromium: scripted judges, whose preference the report recovers."""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from drawn_study import create, draw_photographs
from retint.study.answers import Answers, Asked
from retint.study.design import ABSURD, ANSWERS, ORIGINAL, Study
from retint.study.figures import found
from retint.study.server import Server
from retint.study.session import Session
from served import at_work

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

ASKED = """() => {
  const shown = (id) => !document.querySelector(id).hidden;
  if (shown('#end')) return ['end'];
  if (shown('#pause')) return ['pause'];
  if (!shown('#trial')) return false;
  if (shown('#feedback')) return ['feedback'];
  const answers = [...document.querySelectorAll('[data-answer], #free button')];
  if (!answers.some((button) => !button.disabled && !button.closest('[hidden]'))) return false;
  const redness = (canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let red = 0, blue = 0;
    for (let at = 0; at < data.length; at += 4) { red += data[at]; blue += data[at + 2]; }
    return red / blue;
  };
  return ['trial', [...document.querySelectorAll('.frame.seen canvas')].map(redness)];
}"""
"""What the page waits for, and how much redder than blue the pictures are that can be seen."""

WATCH = """() => {
  window.watched = [];
  requestAnimationFrame(function watch() {
    const frames = [...document.querySelectorAll('.frame.seen')];
    const seen = frames.map((frame) => frame.parentElement.id).join();
    if (seen !== window.watched.at(-1)) window.watched.push(seen);
    requestAnimationFrame(watch);
  });
}"""
"""Notes which pictures are to be seen, from frame to frame of the screen."""

WATCHED = "() => new Promise((tell) => requestAnimationFrame(() => tell(window.watched)))"
"""What was noted until now, the frame that is due included."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photographs(tmp_path_factory.mktemp("photographs"), 17)


@contextmanager
def serving(study: Study) -> Iterator[Server]:
    with Session(study) as session, Server(session) as server, at_work(server):
        yield server


def make(photographs: Path, *words: str) -> Study:
    """A study of its own."""
    create(photographs, *words)
    place = photographs / f"study {len(list(photographs.glob('study*')))}"
    return Study.load((photographs / "study").rename(place))


@contextmanager
def visitor(browser: "Browser", **about: Any) -> Iterator["Page"]:
    """A browser's page that must not go wrong."""
    context: BrowserContext = browser.new_context(**about)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [text for text in wrong if "ERR_CONNECTION_REFUSED" not in text] == []


def begin(page: "Page", server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="I agree, begin").click()
    page.get_by_role("button", name="Go", exact=True).click()


def judge_on(page: "Page", answer: Callable[[list[float]], str], most: int = 999) -> None:
    """Answer by keyboard to the end, or so many times, resting and reading on where asked to."""
    while most:
        what, *seen = page.wait_for_function(ASKED).json_value()
        if what == "end":
            return
        if what == "trial":
            page.keyboard.press(answer(*seen))
            most -= 1
        else:  # the button that goes on has the focus
            page.keyboard.press("Enter")


def asked_of(study: Study) -> list[Asked]:
    with Answers(study.folder / ANSWERS, readonly=True) as answers:
        return answers.asked()


def test_the_report_recovers_what_scripted_judges_prefer(browser: "Browser", photographs: Path):
    """Three prefer the warm colouring in 80 of 100; a fourth takes absurd colours for the best."""
    study = make(photographs, "--kind", "prefer", "--practice", "1", "--catch", "3", "--ties",
                 "--trials", "11")  # fmt: skip
    draw = random.Random(1)

    def sensible(seen: list[float]) -> str:
        reddest, absurd = seen.index(max(seen)), [0.7 < ratio < 1.8 for ratio in seen]
        if any(absurd):
            return "12"[absurd.index(False)]
        return ("ArrowLeft", "ArrowRight")[reddest if draw.random() < 0.8 else 1 - reddest]

    def contrary(seen: list[float]) -> str:
        absurd = [0.7 < ratio < 1.8 for ratio in seen]
        return "12"[absurd.index(True)] if any(absurd) else " "

    with serving(study) as server:
        for judge in (sensible, sensible, contrary, sensible):
            with visitor(browser) as page:
                begin(page, server)
                judge_on(page, judge)
                assert "Thank you" in str(page.locator("#end").text_content())
    asked = asked_of(study)
    assert len(asked) == 4 * 15
    figures = found(study, asked)
    assert figures["judges"]["began"] == 4
    assert figures["judges"]["left_out"] == {"catch trials": 1}
    assert figures["judges"]["excluded"][0]["number"] == 3
    assert figures["judges"]["excluded"][0]["catch_right"] == 0
    assert figures["answers"]["counted"] == 33
    assert figures["answers"]["by"] == {"keys": 33}
    (pair,) = figures["pairs"]
    assert pair["tied"] == 0
    (apart,) = figures["differences"]
    assert (apart["a"], apart["b"], apart["apart"]) == ("warm", "cold", True)
    assert apart["low"] < math.log(0.8 / 0.2) < apart["high"]
    third = [
        each.given.answer
        for each in asked
        if each.judge == 2 and each.trial.role == "test" and each.given
    ]
    assert set(third) == {"tie"}


def test_pictures_are_shown_for_their_time_and_a_judge_goes_on_later(
    browser: "Browser", photographs: Path
):
    words = ["--practice", "1", "--catch", "1", "--trials", "4", "--exposure", "150"]
    study = make(photographs, *words)
    text = (study.folder / "study.toml").read_text("utf-8")
    (study.folder / "study.toml").write_text(text.replace("gap_ms = 600", "gap_ms = 100"))
    study = Study.load(study.folder)
    with serving(study) as server:
        with visitor(browser) as page:
            begin(page, server)
            page.evaluate(WATCH)
            page.keyboard.press("1")  # too early
            judge_on(page, lambda seen: "1", 1)
            playwright.expect(page.locator("#verdict")).to_be_visible()
            seen = page.evaluate(WATCHED)
            assert seen == ["", "left", "", "right", "", "left,right"]  # the last is to learn from
            marked = page.locator("#sides [data-verdict]")
            verdicts = marked.evaluate_all("all => all.map(side => side.dataset.verdict)")
            assert sorted(verdicts) == ["fake", "real"]
            judge_on(page, lambda seen: "" if seen else "2", 1)  # there is nothing more to see
            playwright.expect(page.locator("#count")).to_have_text("2 of 5")
            kept = page.context.storage_state()
        with visitor(browser, storage_state=kept) as page:
            page.goto(server.url)
            playwright.expect(page.locator("#pause")).to_contain_text("You had answered 2 of 6.")
            with page.expect_request("**/look"):
                page.keyboard.press("Enter")
            page.reload()  # and so there is a second look at the same pictures
            page.keyboard.press("Enter")
            judge_on(page, lambda seen: "1")
            result = page.locator("#result").text_content() or ""
            right = int(result.split()[3])
            assert result == f"You saw through {right} of 4."
            playwright.expect(page.locator("#fooled li")).to_have_count(4 - right)
            if right < 4:
                canvas = page.locator("#fooled canvas").first
                playwright.expect(canvas).to_have_js_property("width", 72)
    asked = asked_of(study)
    assert len(asked) == 6
    assert [each.given.answer for each in asked if each.given] == ["left", "right", *["left"] * 4]
    looks = [each.looks for each in asked]
    assert looks[:2] == [1, 1]
    assert looks[2] in (2, 3)
    assert looks[3:] == [1, 1, 1]
    for each in asked:
        assert each.given is not None
        assert len(each.given.exposures_ms) == 2
        assert all(140 <= ms < 2000 for ms in each.given.exposures_ms)
    counted = found(study, asked)["answers"]
    assert counted["counted"] + sum(counted["left_out"].values()) == 4
    assert counted["left_out"]["seen more than once"] <= 1


def test_a_phone_names_by_touch(browser: "Browser", photographs: Path):
    study = make(photographs, "--kind", "name", "--labels", str(photographs / "labels.csv"),
                 "--choices", "3", "--practice", "1", "--catch", "1", "--trials", "1",
                 "--exposure", "50")  # fmt: skip
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
    asked: list[str] = []
    with serving(study) as server, visitor(browser, **phone) as page:
        page.on("request", lambda request: asked.append(request.url))
        begin(page, server)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            red, green, blue = (int(n) for n in background.strip("rgb()").split(","))
            assert red == green == blue
            assert (red > 128) == (scheme == "light")
        while (what := page.wait_for_function(ASKED).json_value()[0]) != "end":
            if what != "trial":
                page.locator({"pause": "#go", "feedback": "#next"}[what]).tap()
                continue
            assert page.evaluate("document.documentElement.scrollWidth") == 360
            offered = page.locator("#choices button")
            assert offered.count() == 3
            for button in [*offered.all(), page.locator("#withdraw")]:
                box = button.bounding_box()
                assert box is not None
                assert min(box["width"], box["height"]) >= 44
            offered.first.tap()
        playwright.expect(page.locator("#result")).to_contain_text("You recognised")
        page.get_by_role("button", name="Withdraw").tap()
        page.get_by_role("dialog").get_by_role("button", name="Keep them").tap()
        assert all(each.given and each.given.by == "touch" for each in asked_of(study))
        page.get_by_role("button", name="Withdraw").tap()
        page.get_by_role("dialog").get_by_role("button", name="Withdraw").tap()
        playwright.expect(page.locator("#end-title")).to_contain_text("are deleted")
    assert asked_of(study) == []
    assert all(address.startswith((server.url, "data:")) for address in asked)


def test_free_text_is_typed_and_an_answer_survives_a_break_of_the_network(
    browser: "Browser", photographs: Path
):
    study = make(photographs, "--kind", "name", "--labels", str(photographs / "labels.csv"),
                 "--choices", "0", "--practice", "0", "--catch", "1", "--trials", "2",
                 "--exposure", "0")  # fmt: skip
    text = (study.folder / "study.toml").read_text("utf-8")
    shared = text.replace("shared_device = false", "shared_device = true")
    (study.folder / "study.toml").write_text(shared)
    with serving(Study.load(study.folder)) as server, visitor(browser) as page:
        begin(page, server)
        playwright.expect(page.locator("#free input")).to_be_focused()
        page.keyboard.type("hill 1 2")  # no key is a command here
        page.route("**/answer", lambda route: route.abort("connectionrefused"))
        page.keyboard.press("Enter")
        playwright.expect(page.get_by_role("alert")).to_contain_text("not kept yet")
        page.unroute("**/answer")
        playwright.expect(page.locator("#count")).to_have_text("2 of 3", timeout=10_000)
        playwright.expect(page.get_by_role("alert")).to_be_hidden()
        for n in (2, 3):
            playwright.expect(page.locator("#count")).to_have_text(f"{n} of 3")
            playwright.expect(page.locator("#free input")).to_be_focused()
            page.keyboard.type("sun")
            page.keyboard.press("Enter")
        page.get_by_role("button", name="Next person, please").click()
        page.get_by_role("button", name="I agree, begin").click()
        page.get_by_role("button", name="Go", exact=True).click()
        playwright.expect(page.locator("#count")).to_have_text("1 of 3")
    asked = asked_of(study)
    assert [each.given and each.given.answer for each in asked] == [
        "hill 1 2",
        "sun",
        "sun",
        None,
        None,
        None,
    ]
    assert {ABSURD, ORIGINAL} & {each.trial.shown[0] for each in asked} == {ORIGINAL}
