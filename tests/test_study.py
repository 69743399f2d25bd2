"""Studies are made blind and balanced: files that tell nothing, trials dealt evenly."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import scene
from drawn_study import create, draw, draw_photographs
from retint.cli import main
from retint.errors import InputError, OptionsError
from retint.study.design import ABSURD, GREY, ORIGINAL, Kind, Picture, Role, Settings, Study
from retint.study.power import detectable, half_width, judges_needed
from retint.study.trials import is_answer, is_right, plain, plan


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return draw_photographs(tmp_path)


def design(kind: Kind, pictures: int, contestants: int, **about: object) -> Study:
    """A study without files."""
    aside: dict[int, Role] = {n: "practice" if n < 3 else "catch" for n in range(7)}
    drawn = [
        Picture(f"{n}.jpg", aside.get(n, "test"), {}, (f"thing {n % 5}", f"object {n}"))
        for n in range(7 + pictures)
    ]
    given = {"practice": 3, "catch": 4, **about}
    names = tuple("abcdef"[:contestants])
    return Study(Path(), Settings(kind, **given), names, tuple(drawn), {}, "")  # type: ignore[arg-type]


def test_files_tell_nothing(photographs: Path):
    said = create(photographs, "--practice", "2", "--catch", "3", "--contact", "a@example.org")
    assert "study: warm, cold; pictures to judge: 7" in said
    study = Study.load(photographs / "study")
    folder = study.folder / "pictures"
    used: list[str] = []
    for picture in study.pictures:
        wanted = {ORIGINAL, ABSURD} if picture.role == "catch" else {ORIGINAL, "warm", "cold"}
        assert set(picture.versions) == wanted
        lengths = {(folder / file).stat().st_size for file in picture.versions.values()}
        assert len(lengths) == 1
        for version, file in picture.versions.items():
            with Image.open(folder / file) as image:
                image.load()
                assert (image.format, image.size, image.info) == ("JPEG", (72, 48), {})
                red, _, blue = np.asarray(image, float).mean(axis=(0, 1))
            assert version != "warm" or red > 1.2 * blue
            assert version != "cold" or blue > 1.2 * red
        used += picture.versions.values()
    assert sorted(used) == sorted(path.name for path in folder.iterdir())
    for text in ("warm", "cold", "original", ".png"):
        assert not any(text in name for name in used)
    assert "a@example.org" in study.consent
    assert Counter(p.role for p in study.pictures) == {"practice": 2, "catch": 3, "test": 7}


def test_pictures_are_made_smaller_alike(photographs: Path):
    create(photographs, "--practice", "1", "--catch", "1", "--size", "64", "--with", "grey")
    study = Study.load(photographs / "study")
    assert study.contestants == ("warm", "cold", GREY)
    for path in (study.folder / "pictures").iterdir():
        with Image.open(path) as image:
            assert image.size == (64, 43)


def test_a_model_is_a_contestant(photographs: Path, fake_onnx: Path):
    words = ["--kind", "prefer", "--model", str(fake_onnx), "--practice", "1", "--catch", "1"]
    create(photographs, *words, "--with", "original", folders=())
    study = Study.load(photographs / "study")
    assert study.contestants == ("fake", ORIGINAL)
    assert all(p.versions.keys() >= {"fake", ORIGINAL} for p in study.pictures)


def test_what_cannot_be_used_is_left_out_and_named(photographs: Path):
    (photographs / "set" / "a" / "00.png").write_bytes(b"no picture")
    (photographs / "warm" / "b" / "01.png").unlink()
    grey = np.rint(scene(48, 72, 2).mean(axis=-1) * 255).astype(np.uint8)
    Image.fromarray(grey).save(photographs / "set" / "a" / "02.png")
    draw(photographs / "cold" / "b" / "03.png", 3)
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(photographs / "cold" / "b" / "03.png")
    said = create(photographs, "--practice", "0", "--catch", "0")
    assert said.count("left out: ") == 4
    assert "a/02.png: " in said
    assert "has no colours" in said
    study = Study.load(photographs / "study")
    assert len(study.pictures) == 8
    assert set(study.about["left_out"]) == {"a/00.png", "b/01.png", "a/02.png", "b/03.png"}


def test_settings_texts_and_consent_can_be_edited(photographs: Path):
    create(photographs, "--practice", "1", "--catch", "1", "--trials", "5")
    folder = photographs / "study"
    for name, old, new in [
        ("study.toml", "trials = 5", "trials = 4"),
        ("texts.toml", "Which colours are real?", 'Welche Farben sind \\"echt\\"?'),
        ("consent.txt", "Taking part is voluntary.", "Die Teilnahme ist freiwillig – für alle."),
    ]:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")
    study = Study.load(folder)
    assert study.settings.trials == 4
    assert study.texts["title"] == 'Welche Farben sind "echt"?'
    assert "freiwillig – für" in study.consent
    for line, complaint in [
        ("trials = 0", "trials is 0; at least 1"),
        ('trials = "4"', "trials is '4'; it wants a int"),
        ("trials = 4\nmood = 1", "mood"),
        ("trials = ", r"study\.toml"),
        ('trials = 4\nkind = "prefer"', r"study\.toml"),
    ]:
        text = (folder / "study.toml").read_text("utf-8")
        (folder / "study.toml").write_text(text.replace("trials = 4", line), "utf-8")
        with pytest.raises((OptionsError, InputError), match=complaint):
            Study.load(folder)
        (folder / "study.toml").write_text(text, "utf-8")
    changed = text.replace('kind = "real-or-fake"', 'kind = "prefer"')
    (folder / "study.toml").write_text(changed, "utf-8")
    with pytest.raises(OptionsError, match="of the kind real-or-fake"):
        Study.load(folder)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--practice", "6", "--catch", "6"], "leave none to be judged"),
        (["--kind", "name"], "--labels go together"),
        (["--with", "original"], "compares with the originals anyway"),
        (["--folder", "warm"], "NAME=DIR is wanted"),
        (["--folder", "grey=."], "no contestant may be called grey"),
        (["--folder", "warm=cold"], "two contestants are called warm"),
        (["--kind", "name", "--labels", "labels.csv", "--choices", "4"], "3 different names"),
        (["--kind", "name", "--labels", "set/a/00.png"], "no CSV"),
    ],
)
def test_what_makes_no_study_is_refused(
    photographs: Path, words: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(photographs)
    usual = ["study", "create", "new/study", "--set", "set", "--folder", "warm=warm"]
    few = [] if "--practice" in words else ["--practice", "1", "--catch", "1"]
    result = CliRunner().invoke(main, [*usual, *few, *words])
    assert result.exit_code in (1, 2)
    assert complaint in result.output
    assert not list(Path("new").glob("*")) if Path("new").exists() else True


def test_a_study_is_never_overwritten(photographs: Path):
    create(photographs, "--practice", "1", "--catch", "1")
    before = (photographs / "study" / "key.json").read_bytes()
    words = ["study", "create", str(photographs / "study"), "--set", str(photographs / "set")]
    result = CliRunner().invoke(main, [*words, "--folder", f"warm={photographs / 'warm'}"])
    assert result.exit_code == 1
    assert "is there already" in result.output
    assert (photographs / "study" / "key.json").read_bytes() == before


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["real-or-fake", "prefer", "name"]),
    st.integers(2, 4),
    st.integers(1, 25),
    st.integers(1, 30),
    st.booleans(),
    st.integers(0, 99),
)
def test_trials_are_balanced(
    kind: Kind, contestants: int, pictures: int, trials: int, mixed: bool, seed: int
):
    study = design(kind, pictures, contestants, trials=trials, mixed=mixed, seed=seed)
    count = min(trials, pictures)
    pairs = math.comb(contestants, 2)
    arms = {"real-or-fake": contestants, "prefer": pairs, "name": contestants + 1}[kind]
    rounds = pictures // math.gcd(count, pictures) * arms  # then all is exactly even
    seen: Counter[tuple[int, frozenset[str]]] = Counter()
    for number in range(rounds):
        dealt = plan(study, number)
        assert dealt == plan(study, number)
        assert [t.role for t in dealt[:3]] == ["practice"] * 3
        assert Counter(t.role for t in dealt) == {"practice": 3, "catch": 4, "test": count}
        assert len({t.picture for t in dealt}) == len(dealt)
        tested = [t for t in dealt if t.role == "test"]
        own = Counter(frozenset(t.shown) for t in tested)
        if mixed:
            assert max(own.values()) - min([*own.values(), *[0] * (len(own) < arms)]) <= 2
        else:
            assert len(own) == 1
        if kind != "name":
            left = Counter(t.shown[0] < t.shown[1] for t in tested)
            assert abs(left[True] - left[False]) <= 1
        seen.update((t.picture, frozenset(t.shown)) for t in tested)
    assert len(seen) == pictures * arms
    assert len(set(seen.values())) == 1


def test_orders_differ_between_judges_and_seeds():
    def order(study: Study, number: int) -> list[int]:
        return [trial.picture for trial in plan(study, number)]

    study = design("prefer", 20, 2, trials=20)
    assert order(study, 0) != order(study, 1)
    assert order(study, 0) != order(design("prefer", 20, 2, trials=20, seed=1), 0)
    sides = [trial.shown[0] for number in range(50) for trial in plan(study, number)]
    assert 0.4 < sides.count("a") / (sides.count("a") + sides.count("b")) < 0.6


def test_choices_hold_the_right_name_once_anywhere():
    study = design("name", 20, 1, trials=20, choices=3)
    places: Counter[int] = Counter()
    for number in range(30):
        for trial in plan(study, number):
            right = study.pictures[trial.picture].names
            assert len(set(trial.choices)) == 3
            places[trial.choices.index(right[0])] += 1
            assert [is_right(study, trial, name) for name in trial.choices].count(True) == 1
    assert min(places.values()) > 0.8 * max(places.values())


def test_what_is_right():
    study = design("real-or-fake", 3, 1)
    for trial in plan(study, 0):
        fake = "left" if trial.shown[1] == ORIGINAL else "right"
        assert is_right(study, trial, fake) is True
        assert is_right(study, trial, {"left": "right", "right": "left"}[fake]) is False
        assert not is_answer(study, trial, "tie")
    study = design("prefer", 3, 2, ties=True)
    for trial in plan(study, 0):
        assert is_answer(study, trial, "tie")
        assert not is_answer(study, trial, "both")
        if trial.role != "catch":
            assert is_right(study, trial, "left") is None
        else:
            assert is_right(study, trial, "tie") is False
            answers = {is_right(study, trial, side) for side in ("left", "right")}
            assert answers == {True, False}
    study = design("name", 3, 1, choices=0)
    trial = plan(study, 0)[0]
    assert is_right(study, trial, f"  An OBJECT, {trial.picture}")
    assert not is_right(study, trial, "objects")
    assert not is_answer(study, trial, " ")
    assert not is_answer(study, trial, "x" * 81)


def test_names_are_compared_plainly():
    assert plain("The  Café-Bar!") == plain("cafe bar") == "cafe bar"
    assert plain("Straße") == plain("STRASSE")
    assert plain("собака") == "собака"


def test_guessing_rarely_passes_catch_trials():
    rules = Settings("real-or-fake", catch=6, catch_pass=0.8)
    assert rules.catch_needed == 5
    assert rules.chance_of_passing == 7 / 64
    named = Settings("name", catch=4, catch_pass=0.75, choices=4, exposure_ms=250)
    assert named.chance_of_passing == pytest.approx((4 * 3 + 1) / 256)


def test_how_many_judges_are_needed():
    """What the formula expects is what simulated judges show."""
    rng = np.random.default_rng(0)
    spread, judges, answers, p = 0.1, 20, 20, 0.3
    a = p * (p * (1 - p) / spread**2 - 1)  # a beta distribution of this mean and deviation
    own = rng.beta(a, a * (1 - p) / p, (20000, judges))
    rates = rng.binomial(answers, own).mean(axis=1) / answers
    assert 1.96 * rates.std() == pytest.approx(half_width(p, judges, answers), rel=0.02)
    assert judges_needed(p, half_width(p, 20, 20), 20) == 20
    assert detectable(40, 20) == pytest.approx(2.8 * (0.01 + 0.24 / 20) ** 0.5 / 40**0.5, rel=0.01)


def test_the_key_says_what_was_made(photographs: Path):
    create(photographs, "--kind", "name", "--labels", str(photographs / "labels.csv"),
           "--choices", "3", "--practice", "1", "--catch", "2")  # fmt: skip
    key = json.loads((photographs / "study" / "key.json").read_text("utf-8"))
    assert key["kind"] == "name"
    assert {tuple(p["names"]) for p in key["pictures"]} == {
        ("a hill", "mountain"),
        ("sun",),
        ("sky",),
    }
    assert {tuple(p["versions"]) for p in key["pictures"] if p["role"] == "catch"} == {(ORIGINAL,)}
