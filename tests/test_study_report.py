"""What a study finds: known values of Bradley-Terry, Davidson and Krippendorff, and truths of
simulated judges that the report must recover."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from drawn_study import create, draw_photographs
from retint.cli import main
from retint.study import strengths
from retint.study.agreement import alpha
from retint.study.answers import Answers, Given
from retint.study.counted import COLUMNS
from retint.study.design import ABSURD, ANSWERS, GREY, ORIGINAL, Study
from retint.study.figures import found
from retint.study.intervals import difference, newcombe, rate, wilson
from retint.study.report import markdown
from retint.study.session import Session
from retint.study.trials import SIDES


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return draw_photographs(tmp_path)


BASEBALL = """
    -  7  9  7  7  9 11
    6  -  7  5 11  9  9
    4  6  -  7  7  8 12
    6  8  6  -  6  7 10
    6  2  6  7  -  7 12
    4  4  5  6  6  -  6
    2  4  1  3  1  7  -
"""
"""American League, eastern division, 1987 (Agresti, Categorical Data Analysis, 2002, table 10.10).
Wins of Milwaukee, Detroit, Toronto, New York, Boston, Cleveland and Baltimore, row against column.
"""


def test_bradley_terry_of_agrestis_baseball():
    wins = [
        [0 if word == "-" else int(word) for word in row.split()]
        for row in BASEBALL.split("\n")[1:-1]
    ]
    counts = [[wins[i][j], wins[j][i], 0] for i, j in strengths.pairs(7)]
    fitted = strengths.fit(counts, 7, prior=0)
    ability = fitted.ability - fitted.ability[-1]
    assert ability == pytest.approx([1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0], abs=0.001)
    milwaukee_over_detroit = np.array([1, -1, 0, 0, 0, 0, 0])
    milwaukee_over_baltimore = np.array([1, 0, 0, 0, 0, 0, -1])
    errors = [
        float(c @ fitted.covariance @ c) ** 0.5
        for c in (milwaukee_over_detroit, milwaukee_over_baltimore)
    ]
    assert errors == pytest.approx([0.311, 0.343], abs=0.001)


def test_two_contestants_have_a_closed_form():
    """Davidson 1970: for two, the likelihood is that of three free shares."""
    fitted = strengths.fit([[[60, 15, 25], [10, 40, 0.5]][0]], 2, ties=True, prior=0)
    assert fitted.ability[0] - fitted.ability[1] == pytest.approx(np.log(60 / 15))
    assert fitted.log_nu == pytest.approx(np.log(25 / (60 * 15) ** 0.5))
    plain = strengths.fit([[30, 10, 99]], 2, prior=0)
    assert plain.ability[0] - plain.ability[1] == pytest.approx(np.log(3))
    assert plain.log_nu is None
    contrast = np.array([1, -1])
    assert contrast @ plain.covariance @ contrast == pytest.approx(1 / 30 + 1 / 10)


@pytest.mark.parametrize("ties", [False, True])
def test_true_strengths_are_recovered(ties: bool):
    rng = np.random.default_rng(1)
    truth, nu, n = np.array([1.0, 0.3, -0.2, -1.1]), 0.6, 4000
    counts: list[list[int]] = []
    for i, j in strengths.pairs(4):
        a, b = np.exp(truth[[i, j]])
        weights = np.array([a, b, nu * (a * b) ** 0.5 if ties else 0])
        counts.append(rng.multinomial(n, weights / weights.sum()).tolist())
    fitted = strengths.fit([counts, counts], 4, ties=ties)
    errors = np.sqrt(np.diagonal(fitted.covariance[0]))
    assert fitted.ability.shape == (2, 4)
    assert np.all(np.abs(fitted.ability[0] - truth) < 3.5 * errors)
    assert errors.max() < 0.04
    if ties:
        assert fitted.log_nu == pytest.approx(np.log(nu), abs=0.1)
    chances = 1 / (1 + np.exp(-(truth[:, None] - truth)))
    expected = (chances.sum(axis=1) - 0.5) / 3
    assert strengths.preference(fitted.ability[0]) == pytest.approx(expected, abs=0.02)


def test_who_never_lost_is_strong_but_not_infinitely():
    fitted = strengths.fit([[20, 0, 0], [20, 0, 0], [10, 10, 0]], 3)
    assert fitted.ability[0] > fitted.ability[1:].max() + 2
    assert np.all(np.isfinite(fitted.ability))
    assert np.all(np.isfinite(fitted.covariance))


def test_who_was_never_compared_stands_in_the_middle_with_a_wide_range():
    fitted = strengths.fit([[30, 2, 0], [0, 0, 0], [0, 0, 0]], 3)
    assert abs(fitted.ability[2]) < 0.3 * fitted.ability[0]
    assert fitted.covariance[2, 2] > 2 * fitted.covariance[0, 0]


def test_krippendorffs_own_example():
    """Four observers, twelve units, nominal: 0.743 (Krippendorff 2011, example C)."""
    table = {
        "A": "1 2 3 3 2 1 4 1 2 . . .",
        "B": "1 2 3 3 2 2 4 1 2 5 . 3",
        "C": ". 3 3 3 2 3 4 2 2 5 1 .",
        "D": "1 2 3 3 2 4 4 1 2 5 1 .",
    }
    answers = [
        (unit, value)
        for row in table.values()
        for unit, value in enumerate(row.split())
        if value != "."
    ]
    assert alpha(answers) == pytest.approx(0.743, abs=0.0005)


def test_agreement_at_its_ends():
    assert alpha([(unit, unit % 2) for unit in range(6) for _ in range(3)]) == 1
    assert alpha([(0, "a"), (0, "b"), (1, "a"), (1, "b")]) == pytest.approx(-0.5)
    assert alpha([(0, "a"), (1, "b")]) is None
    assert alpha([(0, "a"), (0, "a")]) is None


def test_intervals_of_shares_as_published():
    """Newcombe 1998: Wilson's for 81 of 263 and 1 of 29, method 10 for 56/70 and 48/80."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe(10, 10, 0, 10) == pytest.approx((0.6075, 1.0000), abs=5e-5)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Judges who differ: an interval of answers alone would miss too often."""
    rng = np.random.default_rng(2)
    hold = 0
    for _ in range(200):
        own = rng.beta(3, 7, 20)
        interval = rate(rng.binomial(20, own), np.full(20, 20))
        hold += interval.low <= 0.3 <= interval.high
    assert 0.90 <= hold / 200 <= 0.99


def test_one_judge_proves_nothing():
    apart = difference([5], [6], [3], [6])
    assert apart.value == pytest.approx(1 / 3)
    assert apart.low < 0 < apart.high
    assert rate([6], [6]).low < 0.7


def judge_all(study: Study, judges: int, chooses: Any, exposure: float = 1000.0) -> None:
    """Judges who answer everything as `chooses(judge, trial)` says."""
    with Session(study) as session:
        for judge in range(judges):
            secret = session.enrol()
            assert secret is not None
            number = session.answers.judge(secret)
            for asked in session.answers.asked(number):
                session.look(secret, asked.id)
                shown = (exposure,) * len(asked.trial.shown)
                given = Given(chooses(judge, asked.trial), shown, 800.0, "keys")
                assert session.answer(secret, asked.id, given) is not None


def report(study: Study) -> dict[str, Any]:
    with Answers(study.folder / ANSWERS, readonly=True) as answers:
        figures = found(study, answers.asked(), answers.fact("rules"))
    json.dumps(figures, allow_nan=False)
    assert markdown(figures).startswith(f"# {study.texts['title']}\n")
    return figures


def side(trial: Any, version: str) -> str:
    return SIDES[trial.shown.index(version)]


def test_fooling_rates_are_recovered(photographs: Path):
    create(photographs, "--practice", "1", "--catch", "2", "--trials", "9")
    study = Study.load(photographs / "study")
    rng = np.random.default_rng(3)
    fooled = {"warm": 0.45, "cold": 0.1, ABSURD: 0.0}

    def chooses(judge: int, trial: Any) -> str:
        fake = next(version for version in trial.shown if version != ORIGINAL)
        return side(trial, ORIGINAL if rng.random() < fooled[fake] else fake)

    judge_all(study, 24, chooses)
    figures = report(study)
    assert figures["judges"]["counted"] == 24
    assert figures["answers"]["counted"] == 216
    rows = {row["name"]: row for row in figures["rows"]}
    assert list(rows) == ["warm", "cold"]
    for name, row in rows.items():
        assert row["n"] == 108
        assert row["rate"]["low"] < fooled[name] < row["rate"]["high"]
        assert row["rate"]["high"] - row["rate"]["low"] < 0.25
    assert figures["differences"][0]["apart"] is True
    assert abs(figures["chose_left"]["value"] - 0.5) < 0.1
    assert figures["most"][0]["name"] == "warm"
    assert figures["fewest"][0]["name"] == "cold"
    assert figures["rules_changed"] is False


def test_judges_who_fail_the_catch_trials_or_leave_are_not_counted(photographs: Path):
    words = [
        "--kind",
        "prefer",
        "--practice",
        "1",
        "--catch",
        "4",
        "--trials",
        "6",
        "--judges",
        "9",
    ]
    create(photographs, *words)
    study = Study.load(photographs / "study")
    rng = np.random.default_rng(4)

    def chooses(judge: int, trial: Any) -> str:
        if trial.role == "catch":
            other = next(version for version in trial.shown if version != ABSURD)
            wrong = judge == 7 or (judge == 6 and trial.picture == study.by_role["catch"][0])
            return side(trial, ABSURD if wrong else other)
        if judge in (6, 7):
            return side(trial, "cold")
        return side(trial, "warm" if rng.random() < 0.75 else "cold")

    judge_all(study, 8, chooses)
    with Session(study) as session:
        secret = session.enrol()
        assert secret is not None
        first = session.answers.asked(8)[0]
        session.answer(secret, first.id, Given("left"))
    figures = report(study)
    assert figures["judges"]["left_out"] == {"catch trials": 2, "did not finish": 1}
    assert [judge["number"] for judge in figures["judges"]["excluded"]] == [7, 8, 9]
    assert figures["judges"]["excluded"][0]["catch_right"] == 3
    rows = {row["name"]: row for row in figures["rows"]}
    assert rows["warm"]["n"] == 36
    apart = figures["differences"][0]
    assert (apart["a"], apart["b"]) == ("warm", "cold")
    assert apart["low"] < np.log(3) < apart["high"]

    text = (study.folder / "study.toml").read_text("utf-8")
    (study.folder / "study.toml").write_text(text.replace("catch_pass = 0.8", "catch_pass = 0.7"))
    changed = report(Study.load(study.folder))
    assert changed["rules_changed"] is True
    assert "**The rules were changed" in markdown(changed)
    assert changed["judges"]["left_out"] == {"catch trials": 1, "did not finish": 1}


def test_ties_count_for_nobody(photographs: Path):
    create(photographs, "--kind", "prefer", "--practice", "0", "--catch", "0", "--ties",
           "--with", "original", "--trials", "12")  # fmt: skip
    study = Study.load(photographs / "study")
    rng = np.random.default_rng(5)

    def chooses(judge: int, trial: Any) -> str:
        if set(trial.shown) == {"warm", "cold"}:
            return "tie"
        return side(trial, ORIGINAL) if rng.random() < 0.9 else "tie"

    judge_all(study, 20, chooses)
    figures = report(study)
    apart = {(row["a"], row["b"]): row["apart"] for row in figures["differences"]}
    assert apart == {("warm", "cold"): False, ("warm", ORIGINAL): True, ("cold", ORIGINAL): True}
    pair = next(p for p in figures["pairs"] if (p["a"], p["b"]) == ("warm", "cold"))
    assert (pair["a_chosen"], pair["b_chosen"], pair["tied"]) == (0, 0, 80)
    assert figures["rows"][0]["name"] == ORIGINAL


def test_one_judge_who_sees_no_difference_at_all_is_reported(photographs: Path):
    create(photographs, "--kind", "prefer", "--practice", "0", "--catch", "0", "--ties",
           "--with", "original", "--trials", "1")  # fmt: skip
    study = Study.load(photographs / "study")
    judge_all(study, 1, lambda judge, trial: "tie")
    figures = report(study)
    assert figures["answers"]["counted"] == 1
    assert "chose_left" not in figures
    assert not any(row["apart"] for row in figures["differences"])
    assert all(abs(row["strength"]["value"]) < 1e-9 for row in figures["rows"])


def test_names_on_grey_and_in_colour(photographs: Path):
    create(photographs, "--kind", "name", "--labels", str(photographs / "labels.csv"),
           "--choices", "3",
           "--practice", "0", "--catch", "2", "--trials", "10", folders=("warm",))  # fmt: skip
    study = Study.load(photographs / "study")
    rng = np.random.default_rng(6)
    known = {GREY: 0.5, "warm": 0.9, ORIGINAL: 1.0}

    def chooses(judge: int, trial: Any) -> str:
        right = study.pictures[trial.picture].names[0]
        wrong = next(name for name in trial.choices if name != right)
        return right if rng.random() < known[trial.shown[0]] else wrong

    judge_all(study, 20, chooses, exposure=240.0)
    figures = report(study)
    rows = {row["name"]: row["rate"] for row in figures["rows"]}
    for name in (GREY, "warm"):
        assert rows[name]["low"] < known[name] < rows[name]["high"]
    (gain,) = figures["differences"]
    assert (gain["a"], gain["b"], gain["apart"]) == ("warm", GREY, True)
    assert gain["low"] < 0.4 < gain["high"]
    assert {row["answer"] for row in figures["not_recognised"]} <= {"hill", "sun", "sky"}
    assert figures["most"][0]["name"] == "warm"


def test_pictures_shown_too_long_or_twice_do_not_count(photographs: Path):
    create(photographs, "--practice", "0", "--catch", "0", "--trials", "12")
    study = Study.load(photographs / "study")
    with Session(study) as session:
        secret = session.enrol()
        assert secret is not None
        shown = [(1000, 1000), (1049.9, 950), (1051, 1000), (1000, 940), (1000,), ()]
        for n, asked in enumerate(session.answers.asked()):
            for _ in range(2 if n == 6 else 1):
                session.look(secret, asked.id)
            session.answer(secret, asked.id, Given("left", tuple((shown + [shown[0]] * 6)[n])))
    figures = report(study)
    assert figures["answers"]["left_out"] == {
        "not shown for the time set": 4,
        "seen more than once": 1,
    }
    assert figures["answers"]["counted"] == 7


def test_the_command_writes_everything(photographs: Path):
    create(photographs, "--practice", "1", "--catch", "1", "--trials", "4")
    folder = photographs / "study"
    words = ["study", "report", str(folder)]
    early = CliRunner().invoke(main, words)
    assert early.exit_code == 1
    assert "nobody was asked anything yet" in early.output
    study = Study.load(folder)
    judge_all(study, 3, lambda judge, trial: side(trial, ORIGINAL if judge else ABSURD)
              if trial.role == "catch" else "left")  # fmt: skip
    files = {name: photographs / f"found.{name}" for name in ("json", "markdown", "csv")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    result = CliRunner().invoke(main, [*words, *options])
    assert result.exit_code == 0, result.output
    assert "Judges left out: 2 (catch trials)" in result.output
    assert files["markdown"].read_text("utf-8") == result.output
    assert json.loads(files["json"].read_text("utf-8"))["answers"]["counted"] == 4
    with files["csv"].open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 18
    assert {row["judge"] for row in rows} == {"1", "2", "3"}
    counted = [row for row in rows if row["counted"] == "1"]
    assert {row["judge"] for row in counted} == {"1"}
    assert all(row["chosen"] == row["left"] for row in counted)
    assert all(row["correct"] == str(int(row["left"] != ORIGINAL)) for row in counted)
    with Answers(folder / ANSWERS) as answers:
        answers.withdraw(0)
    result = CliRunner().invoke(main, words)
    assert "No answer counts yet" in result.output


def test_what_was_written_cannot_become_a_formula(photographs: Path):
    create(photographs, "--kind", "name", "--labels", str(photographs / "labels.csv"),
           "--choices", "0",
           "--practice", "0", "--catch", "0", "--trials", "2", folders=("warm",))  # fmt: skip
    study = Study.load(photographs / "study")
    judge_all(study, 1, lambda judge, trial: '=HYPERLINK("http://evil.example")', exposure=250.0)
    path = photographs / "answers.csv"
    CliRunner().invoke(main, ["study", "report", str(study.folder), "--csv", str(path)])
    with path.open(newline="", encoding="utf-8") as lines:
        assert all(row["answer"].startswith("'=") for row in csv.DictReader(lines))
