"""Answers are kept once and at once, judges go on where they stopped, and nobody else gets in."""

import http.client
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from conftest import scene
from retint.bench.contestants import Folder
from retint.bench.sets import PictureSet
from retint.errors import InputError, OptionsError
from retint.study.answers import Answers, Given
from retint.study.design import ANSWERS, Settings, Study
from retint.study.make import make
from retint.study.server import LONGEST_BODY, Server
from retint.study.session import Session
from served import at_work

PICTURES = 10
NAME = "Study.Archive.example"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for name, gains in {"set": (1, 1, 1), "red": (1, 0.4, 0.4), "blue": (0.4, 0.4, 1)}.items():
        (folder / name).mkdir()
        for seed in range(PICTURES):
            codes = np.rint(scene(24, 32, seed) * gains * 255).astype(np.uint8)
            Image.fromarray(codes).save(folder / name / f"{seed}.png")
    return folder


def study_of(photographs: Path, folder: Path, kind: Any = "real-or-fake", **about: Any) -> Study:
    pictures = PictureSet.of_folder(photographs / "set")
    contestants = [Folder(name, photographs / name, pictures.files) for name in ("red", "blue")]
    usual = {"practice": 2, "catch": 2, "trials": 4}
    names = {file: [f"thing {n}", "object"] for n, file in enumerate(pictures.files)}
    rules = Settings(kind, **{**usual, **about})
    return make(folder / "study", pictures, rules, contestants, names=names).study


@pytest.fixture
def study(photographs: Path, tmp_path: Path) -> Study:
    return study_of(photographs, tmp_path)


@pytest.fixture
def server(study: Study) -> Iterator[Server]:
    yield from serving(study)


def serving(study: Study) -> Iterator[Server]:
    with Session(study) as session, Server(session) as server, at_work(server):
        yield server


class Browser:
    """One judge's requests, with the cookie that the server gave."""

    def __init__(self, server: Server) -> None:
        self.port, self.path = server.server_port, urlsplit(server.url).path
        self.cookie = ""

    def ask(
        self, path: str, wish: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        body = None if wish is None else json.dumps(wish)
        status, _, data = self.send("POST" if body else "GET", self.path + path, body, headers)
        return status, json.loads(data) if data[:1] in (b"{", b"[") else data

    def send(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        usual = {"Content-Type": "application/json"} if body else {}
        if self.cookie:
            usual["Cookie"] = self.cookie
        connection.request(method, path, body, {**usual, **(headers or {})})
        with connection.getresponse() as response:
            data = response.read()
        connection.close()
        if given := response.headers["Set-Cookie"]:
            self.cookie = given.partition(";")[0]
        return response.status, response.headers, data

    def answer(self, trial: str, answer: str, **more: Any) -> tuple[int, Any]:
        given = {"exposures_ms": [1000, 1000], "reaction_ms": 500, "by": "keys"}
        return self.ask("answer", {"trial": trial, "answer": answer, **given, **more})


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server)


def test_a_judge_begins_with_consent_and_goes_on_after_any_break(server: Server, browser: Browser):
    _, state = browser.ask("state")
    assert state["judge"] is None
    assert "voluntary" in state["study"]["consent"]
    status, began = browser.ask("consent", {})
    assert status == 200
    assert (began["judge"]["done"], began["judge"]["of"]) == (0, 8)
    first = began["judge"]["next"][0]
    assert first["practice"] is True
    assert first["exposure_ms"] == 1000
    _, after = browser.answer(first["id"], "left")
    assert after["done"] == 1

    again = Browser(server)
    again.cookie = browser.cookie
    _, state = again.ask("state")
    assert state["judge"]["done"] == 1
    assert state["judge"]["next"] == after["next"]
    _, same = again.ask("consent", {})  # a second consent begins nothing anew
    assert same["judge"]["done"] == 1
    _, other = again.ask("consent", {"anew": True})
    assert other["judge"]["done"] == 0
    assert again.cookie != browser.cookie


def test_judges_go_on_when_the_server_was_started_anew(study: Study):
    servings = serving(study)
    server = next(servings)
    browser = Browser(server)
    _, began = browser.ask("consent", {})
    browser.answer(began["judge"]["next"][0]["id"], "right")
    next(servings, None)
    servings = serving(Study.load(study.folder))
    again = Browser(next(servings))
    assert again.path == browser.path
    again.cookie = browser.cookie
    _, state = again.ask("state")
    assert state["judge"]["done"] == 1
    assert state["judge"]["next"][0] == began["judge"]["next"][1]
    next(servings, None)


def test_each_answer_is_kept_once(study: Study, server: Server, browser: Browser):
    _, began = browser.ask("consent", {})
    trial = began["judge"]["next"][0]["id"]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: browser.answer(trial, ("left", "right")[n % 2]), range(16)))
    assert {status for status, _ in told} == {200}
    assert all(state == told[0][1] for _, state in told)
    with Answers(study.folder / ANSWERS, readonly=True) as answers:
        kept = [asked for asked in answers.asked() if asked.given]
    assert len(kept) == 1
    assert kept[0].given is not None
    told_right = told[0][1]["feedback"]["right"]
    version = kept[0].trial.shown[("left", "right").index(kept[0].given.answer)]
    assert told_right == (version != "original")


def test_only_practice_is_told_right_or_wrong(browser: Browser):
    _, began = browser.ask("consent", {})
    state = began["judge"]
    while state["next"]:
        trial = state["next"][0]
        assert set(trial) == {"id", "practice", "sides", "choices", "exposure_ms"}
        _, state = browser.answer(trial["id"], "left")
        assert ("feedback" in state) == trial["practice"]
        assert ("result" in state) == (not state["next"])
    assert state["done"] == 8
    result = state["result"]
    assert result["of"] == 4
    assert result["n"] + len(result["fooled"]) == 4
    _, again = browser.ask("state")
    assert again["judge"]["result"] == result


def test_nothing_sent_before_the_answer_tells_the_truth(study: Study, browser: Browser):
    """Names and contestants are nowhere; both pictures come with the same head and length."""
    words = [b"red", b"blue", b"original", b"absurd", b".png", b"catch", b"test"]
    words += [file.encode() for p in study.pictures for file in p.versions.values()]
    _, began = browser.ask("consent", {})
    assert not any(word in json.dumps(began).encode() for word in words)
    for trial in began["judge"]["next"]:
        sent: list[tuple[int, dict[str, str]]] = []
        for side in trial["sides"]:
            path = f"{browser.path}picture/{trial['id']}/{side}"
            status, head, body = browser.send("GET", path)
            assert status == 200
            assert head["Cache-Control"] == "no-store"
            shown = {name: value for name, value in head.items() if name != "Date"}
            sent.append((len(body), shown))
            assert not any(word in str(shown).encode() for word in words)
        assert sent[0] == sent[1]


def test_looks_are_counted(study: Study, browser: Browser):
    _, began = browser.ask("consent", {})
    trial = began["judge"]["next"][0]["id"]
    for _ in range(2):
        assert browser.ask("look", {"trial": trial})[0] == 200
    browser.answer(trial, "left")
    browser.ask("look", {"trial": trial})  # afterwards it does not matter
    with Answers(study.folder / ANSWERS, readonly=True) as answers:
        assert answers.asked()[0].looks == 2


def test_a_judge_cannot_see_or_answer_what_another_is_asked(server: Server, browser: Browser):
    _, began = browser.ask("consent", {})
    trial = began["judge"]["next"][0]["id"]
    for stranger in (Browser(server), Browser(server)):
        assert stranger.answer(trial, "left")[0] == 404
        assert stranger.ask("look", {"trial": trial})[0] == 404
        assert stranger.ask(f"picture/{trial}/left")[0] == 404
        stranger.ask("consent", {})
        assert stranger.answer(trial, "left")[0] == 404
        stranger.cookie = "judge="
        assert stranger.ask("state")[1]["judge"] is None
    assert browser.ask(f"picture/{trial}/left")[0] == 200


def test_withdrawn_answers_are_gone_from_the_disk(study: Study, browser: Browser):
    _, began = browser.ask("consent", {})
    secret = browser.cookie.partition("=")[2].encode()
    trial = began["judge"]["next"][0]["id"]
    browser.answer(trial, "left")
    files = [path for path in study.folder.glob(f"{ANSWERS}*") if not path.name.endswith("-shm")]
    assert any(trial.encode() in path.read_bytes() for path in files)
    assert browser.ask("withdraw", {})[0] == 200
    assert browser.cookie == "judge="
    for path in files:
        assert trial.encode() not in path.read_bytes()
        assert secret not in path.read_bytes()
    _, state = browser.ask("state")
    assert state["judge"] is None
    with Answers(study.folder / ANSWERS, readonly=True) as answers:
        assert answers.asked() == []


def test_what_was_withdrawn_is_asked_again(study: Study):
    with Session(study) as session:
        first, second = session.enrol(), session.enrol()
        assert first is not None
        assert second is not None
        asked = [each.trial for each in session.answers.asked(0)]
        session.withdraw(first)
        third = session.enrol()
        assert third is not None
        assert session.answers.judge(third) == 0
        assert [each.trial for each in session.answers.asked(0)] == asked
        assert session.answers.judge(second) == 1


def test_enough_judges_are_enough(photographs: Path, tmp_path: Path):
    study = study_of(photographs, tmp_path, judges=2)
    with Session(study) as session:
        judges = [session.enrol() for _ in range(3)]  # who has begun may finish
        assert None not in judges
        for secret in judges[:2]:
            assert secret is not None
            for asked in session.answers.asked(session.answers.judge(secret)):
                session.answers.keep(asked.id, Given("left", (1000.0, 1000.0)))
        assert session.page()["full"]
        assert session.enrol() is None
        third = session.state(judges[2] or "")
        assert third is not None
        assert third["of"] == 8


def test_many_judges_at_once_get_lists_of_their_own(study: Study, server: Server):
    def take_part(n: int) -> str:
        browser = Browser(server)
        _, began = browser.ask("consent", {})
        state = began["judge"]
        while state["next"]:
            _, state = browser.answer(state["next"][0]["id"], ("left", "right")[n % 2])
        return browser.cookie

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(take_part, range(8)))) == 8
    with Answers(study.folder / ANSWERS, readonly=True) as answers:
        asked = answers.asked()
    assert {each.judge for each in asked} == set(range(8))
    assert len(asked) == 64
    assert all(each.given for each in asked)


@pytest.mark.parametrize(
    ("kind", "about", "fine", "wrong"),
    [
        ("real-or-fake", {}, ["left", "right"], ["tie", "", "Left", "original"]),
        ("prefer", {"exposure_ms": 0}, ["left", "right"], ["tie"]),
        ("prefer", {"exposure_ms": 0, "ties": True}, ["tie"], ["neither"]),
        ("name", {"choices": 0, "exposure_ms": 100}, ["a thing", "Ж"], ["  ", "x" * 81]),
    ],
)
def test_only_what_can_be_answered_is_kept(
    photographs: Path, tmp_path: Path, kind: Any, about: Any, fine: list[str], wrong: list[str]
):
    study = study_of(photographs, tmp_path, kind, **about)
    with Session(study) as session:
        secret = session.enrol()
        assert secret is not None
        state = session.state(secret)
        assert state is not None
        trials = [each["id"] for each in state["next"]]
        for answer in wrong:
            with pytest.raises(OptionsError, match="no answer"):
                session.answer(secret, trials[0], Given(answer))
        for trial, answer in zip(trials, fine, strict=False):
            assert session.answer(secret, trial, Given(answer))
        kept = [each.given.answer for each in session.answers.asked() if each.given]
        assert kept == fine


def test_a_choice_must_have_been_offered(photographs: Path, tmp_path: Path):
    study = study_of(photographs, tmp_path, "name", choices=3, exposure_ms=100)
    with Session(study) as session:
        secret = session.enrol()
        assert secret is not None
        state = session.state(secret)
        assert state is not None
        trial = state["next"][0]
        assert trial["sides"] == ("left",)
        assert len(trial["choices"]) == 3
        with pytest.raises(OptionsError):
            session.answer(secret, trial["id"], Given("object"))
        told = session.answer(secret, trial["id"], Given(trial["choices"][0]))
        assert told is not None
        assert told["feedback"]["name"] in trial["choices"]
        assert session.picture(secret, trial["id"], "right") is None


def test_bodies_that_are_no_answers_are_refused(browser: Browser):
    _, began = browser.ask("consent", {})
    trial = began["judge"]["next"][0]["id"]
    for more in (
        {"by": "telepathy"},
        {"reaction_ms": "fast"},
        {"reaction_ms": float("nan")},
        {"exposures_ms": [1, 2, 3]},
        {"exposures_ms": [True]},
        {"exposures_ms": None},
    ):
        assert browser.answer(trial, "left", **more)[0] == 400
    assert browser.ask("answer", {"trial": trial, "answer": 1})[0] == 400
    path = browser.path + "answer"
    for body in ("[]", "{", "null", "[" * 3000):
        assert browser.send("POST", path, body)[0] == 400
    assert browser.send("POST", path, "{}" + " " * LONGEST_BODY)[0] == 413
    assert browser.send("POST", path, "{}", {"Content-Type": "text/plain"})[0] == 415
    assert browser.send("POST", path, "{}", {"Content-Length": "-1"})[0] == 411
    assert browser.ask("state")[1]["judge"]["done"] == 0


def test_strangers_get_nothing(server: Server, browser: Browser):
    path = browser.path
    assert browser.send("GET", path)[0] == 200
    for wrong in ("/", "/x/", "/x" + path, path[:-2] + "/", "//evil" + path, path.rstrip("/")):
        assert browser.send("GET", wrong)[0] == 404
    inside = "key.json study.toml answers.sqlite pictures/ picture/x/left main.js/"
    for tricky in (*inside.split(), "../key.json", "..%2fkey.json", "picture/../key.json"):
        assert browser.send("GET", path + tricky)[0] == 404
    browser.ask("consent", {})
    _, state = browser.ask("state")
    trial = state["judge"]["next"][0]["id"]
    for side in ("", "middle", "../left", "left/..", "0", "%6ceft"):
        assert browser.send("GET", f"{path}picture/{trial}/{side}")[0] == 404
    assert browser.send("PUT", path)[0] == 501


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "192.168.1.7:8790"}, 200),
        ({"Host": "[::1]:8790"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "10.0.0.2", "Origin": "https://10.0.0.2"}, 200),
        ({"Cookie": 'judge="\x01; ;;=,'}, 200),
    ],
)
def test_other_names_and_sites_are_refused(browser: Browser, headers: dict[str, str], status: int):
    assert browser.send("GET", browser.path + "state", None, headers)[0] == status
    assert browser.send("POST", browser.path + "consent", "{}", headers)[0] == status


def test_a_host_may_have_a_name(study: Study):
    with Session(study) as session, Server(session, names=[NAME]) as server, at_work(server):
        browser = Browser(server)
        host = {"Host": "study.archive.example:443", "Origin": "https://study.archive.example:443"}
        assert browser.ask("state", None, host)[0] == 200
        assert browser.ask("state", None, {"Host": "archive.example"})[0] == 403
        with pytest.raises(OptionsError, match=f"port {server.server_port}"):
            Server(session, port=server.server_port)


def test_answers_say_no_more_than_they_must(browser: Browser):
    _, head, _ = browser.send("GET", browser.path)
    assert head["Server"] == "retint"
    assert "default-src 'none'" in head["Content-Security-Policy"]
    assert head["X-Content-Type-Options"] == "nosniff"
    _, head, _ = browser.send("POST", browser.path + "consent", "{}")
    cookie = head["Set-Cookie"]
    assert f"Path={browser.path};" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_nothing_asked_yet_and_no_database(study: Study):
    path = study.folder / ANSWERS
    with pytest.raises(InputError, match="nobody was asked"), Answers(path, readonly=True):
        pass
    path.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(InputError, match="not a database"), Answers(path, readonly=True) as answers:
        answers.asked()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_ended(study: Study, end: signal.Signals):
    words = [sys.executable, "-m", "retint", "study", "serve", str(study.folder), "--port", "0"]
    with subprocess.Popen([*words, "--host", "0.0.0.0"], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        told = run.stdout.readline()
        assert told.startswith("0 of 40 judges have finished: http://")
        url = urlsplit(told.split()[-1])
        connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=10)
        connection.request("GET", url.path, headers={"Host": url.netloc})
        assert b"<title>Study</title>" in connection.getresponse().read()
        connection.close()
        run.send_signal(end)
        rest = run.stdout.read()
        assert run.wait(timeout=20) == 0
    assert "0 of 40 judges have finished. retint study report" in rest


def test_a_killed_server_loses_no_answer(study: Study):
    """What was kept is in the file for whoever opens it next, without a goodbye."""
    session = Session(study).__enter__()
    secret = session.enrol()
    assert secret is not None
    state = session.state(secret)
    assert state is not None
    session.answer(secret, state["next"][0]["id"], Given("left", (1000.0, 1000.0)))
    with sqlite3.connect(study.folder / ANSWERS) as other:
        assert other.execute("select count(*) from answers").fetchone() == (1,)
    other.close()
    session.__exit__(None, None, None)
