"""Which answers count, by the rules of the study, and all of them as a table."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from retint.study.answers import Asked
from retint.study.design import Study
from retint.study.trials import SIDES, is_right, is_timed

COLUMNS = (
    "judge", "place", "role", "picture", "left", "right", "answer", "chosen", "correct",
    "exposures_ms", "reaction_ms", "by", "looks", "answered_at", "counted", "why_not",
)  # fmt: skip


@dataclass(frozen=True)
class Judge:
    """What became of a judge. `why_not`: empty where the answers count."""

    number: int
    catch_right: int
    catch_of: int
    why_not: str


@dataclass(frozen=True)
class Answer:
    """What a judge answered. `chosen`: the version that was chosen, or what was written; `right`:
    None where there is no right answer; `why_not`: empty where it counts."""

    asked: Asked
    chosen: str
    right: bool | None
    why_not: str


def judges(study: Study, asked: Sequence[Asked]) -> list[Judge]:
    """Whose answers count: who finished, and got enough of the catch trials right."""
    found: list[Judge] = []
    for number in sorted({each.judge for each in asked}):
        own = [each for each in asked if each.judge == number]
        catch = [each for each in own if each.trial.role == "catch"]
        right = sum(_is_right(study, each) is True for each in catch)
        why_not = ""
        if any(each.given is None for each in own):
            why_not = "did not finish"
        elif right < study.settings.catch_pass * len(catch) - 1e-9:
            why_not = "catch trials"
        found.append(Judge(number, right, len(catch), why_not))
    return found


def answers(study: Study, asked: Sequence[Asked]) -> list[Answer]:
    """All answers, each with whether it counts."""
    out = {judge.number: judge.why_not for judge in judges(study, asked)}
    found: list[Answer] = []
    for each in asked:
        if each.given is None:
            continue
        given = each.given.answer
        pair = len(each.trial.shown) == 2 and given in SIDES
        chosen = each.trial.shown[SIDES.index(given)] if pair else given
        why_not = _why_not(study, each) or out[each.judge]
        found.append(Answer(each, chosen, _is_right(study, each), why_not))
    return found


def write_csv(study: Study, asked: Sequence[Asked]) -> str:
    """All answers as CSV; who answered is a number."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for answer in answers(study, asked):
        each, given = answer.asked, answer.asked.given
        assert given is not None
        shown = [*each.trial.shown, ""][:2]
        rows.writerow(
            [
                each.judge + 1,
                each.place + 1,
                each.trial.role,
                study.pictures[each.trial.picture].file,
                *shown,
                _harmless(given.answer),
                _harmless(answer.chosen),
                "" if answer.right is None else int(answer.right),
                " ".join(map(str, given.exposures_ms)),
                given.reaction_ms,
                given.by,
                each.looks,
                each.answered_at,
                int(not answer.why_not),
                answer.why_not,
            ]
        )
    return table.getvalue()


def _is_right(study: Study, asked: Asked) -> bool | None:
    return is_right(study, asked.trial, asked.given.answer) if asked.given else None


def _why_not(study: Study, asked: Asked) -> str:
    """Why an answer does not count, whoever gave it."""
    if asked.trial.role != "test":
        return asked.trial.role
    if not is_timed(study, asked.trial):
        return ""
    assert asked.given is not None
    if asked.looks > 1:
        return "seen more than once"
    wanted, tolerance = study.settings.exposure_ms, study.settings.exposure_tolerance_ms
    shown = asked.given.exposures_ms
    if len(shown) != len(asked.trial.shown) or any(abs(ms - wanted) > tolerance for ms in shown):
        return "not shown for the time set"
    return ""


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
