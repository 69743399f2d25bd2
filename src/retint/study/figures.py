"""What a study found: rates, strengths, agreement, with intervals."""

import hashlib
import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from retint.bench.statistics import Interval
from retint.study import strengths
from retint.study.agreement import alpha
from retint.study.answers import Asked
from retint.study.counted import Answer, answers, judges
from retint.study.design import GREY, ORIGINAL, Study
from retint.study.intervals import Z, difference, interval, rate, resamples
from retint.study.trials import LEFT, SIDES, TIE, arms, plain

Key = TypeVar("Key", bound=Hashable)
Test = Callable[[Answer], bool]
Groups = Mapping[str, list[Answer]]

EXTREMES = 5
"""How many pictures stand at each end of the list."""


def found(study: Study, asked: Sequence[Asked], rules: str | None = None) -> dict[str, Any]:
    """Everything that a study found, as JSON has it.

    rules: the study's rules as the first judge met them, to say whether they were changed since.
    """
    people = judges(study, asked)
    out = [judge for judge in people if judge.why_not]
    given = answers(study, asked)
    counted = [answer for answer in given if not answer.why_not]
    tested = [answer for answer in given if answer.asked.trial.role == "test"]
    settings = study.settings
    about: dict[str, Any] = {
        "schema": 1,
        "kind": settings.kind,
        "title": study.texts["title"],
        "settings": asdict(settings),
        "rules_changed": rules is not None and rules != study.rules,
        "study_sha256": hashlib.sha256(study.rules.encode()).hexdigest(),
        "about": dict(study.about),
        "contestants": list(study.contestants),
        "pictures": {role: len(numbers) for role, numbers in study.by_role.items()},
        "judges": {
            "began": len(people),
            "counted": len(people) - len(out),
            "left_out": dict(Counter(judge.why_not for judge in out)),
            "excluded": [asdict(judge) | {"number": judge.number + 1} for judge in out],
            "catch_right": _share(
                sum(j.catch_right for j in people), sum(j.catch_of for j in people)
            ),
        },
        "answers": {
            "counted": len(counted),
            "left_out": dict(Counter(answer.why_not for answer in tested if answer.why_not)),
            "median_reaction_ms": _median(counted),
            "by": dict(Counter(a.asked.given.by for a in counted if a.asked.given)),
        },
        "agreement": alpha((_question(answer), plain(answer.chosen)) for answer in counted),
    }
    if not counted:
        return about
    if sided := [answer for answer in counted if _said(answer) in SIDES]:
        about["chose_left"] = asdict(_rate(sided, _said_left))
    match settings.kind:
        case "real-or-fake":
            return about | _fooling(study, counted)
        case "prefer":
            return about | _preferring(study, counted)
        case "name":
            return about | _naming(study, counted)


def _fooling(study: Study, counted: Sequence[Answer]) -> dict[str, Any]:
    """How often the original was taken for the made-up one."""
    by_name = _by(counted, _coloured_by)
    rows = _rates(by_name, study.contestants, _fooled)
    return {
        "rows": sorted(rows, key=lambda row: -row["rate"]["value"]),
        "differences": _with_verdict(
            _paired(by_name, a, b, _fooled) for a, b in itertools.combinations(study.contestants, 2)
        ),
        **_extremes(study, counted, _fooled, _coloured_by),
    }


def _preferring(study: Study, counted: Sequence[Answer]) -> dict[str, Any]:
    """How strong each contestant is, from the choices between two."""
    names, ties = study.contestants, study.settings.ties
    compared = strengths.pairs(len(names))
    table = _choices(names, counted)
    fitted = strengths.fit(table.sum(axis=0), len(names), ties=ties)
    resampled = np.einsum("rj,jpo->rpo", resamples(len(table)), table)
    again = strengths.fit(resampled, len(names), ties=ties).ability

    def contrast(weights: NDArray[np.float64]) -> dict[str, float]:
        value = float(fitted.ability @ weights)
        reach = Z * float(weights @ fitted.covariance @ weights) ** 0.5
        return asdict(interval(value, again @ weights, (value - reach, value + reach)))

    each = np.eye(len(names))
    preferred = strengths.preference(fitted.ability).tolist()
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        own = [answer for answer in counted if name in answer.asked.trial.shown]
        rows.append(
            {
                "name": name,
                "n": len(own),
                "chosen": sum(answer.chosen == name for answer in own),
                "tied": sum(answer.chosen == TIE for answer in own),
                "strength": contrast(each[i]),
                "preferred": preferred[i],
            }
        )
    return {
        "rows": sorted(rows, key=lambda row: -row["strength"]["value"]),
        "pairs": [
            {"a": names[i], "b": names[j], "a_chosen": int(a), "b_chosen": int(b), "tied": int(t)}
            for (i, j), (a, b, t) in zip(compared, table.sum(axis=0), strict=True)
        ],
        "differences": _with_verdict(
            {"a": names[i], "b": names[j], **contrast(each[i] - each[j])} for i, j in compared
        ),
        "log_nu": None if fitted.log_nu is None else float(fitted.log_nu),
    }


def _naming(study: Study, counted: Sequence[Answer]) -> dict[str, Any]:
    """How often objects were recognised, on grey and in colour."""
    by_version = _by(counted, lambda answer: answer.asked.trial.shown[0])
    versions = [version for (version,) in arms("name", study.contestants)]
    wrong = Counter(
        (study.pictures[a.asked.trial.picture].names[0], plain(a.chosen))
        for a in counted
        if not a.right
    )
    return {
        "rows": _rates(by_version, versions, _recognised),
        "differences": _with_verdict(
            _paired(by_version, name, GREY, _recognised) for name in versions if name != GREY
        ),
        "not_recognised": [
            {"name": name, "answer": answer, "n": n} for (name, answer), n in wrong.most_common(20)
        ],
        **_extremes(study, counted, _recognised, lambda answer: answer.asked.trial.shown[0]),
    }


def _choices(names: Sequence[str], counted: Sequence[Answer]) -> NDArray[np.float64]:
    """What each judge chose: (judges, pairs, 3), as `strengths.fit` wants it."""
    number = {judge: n for n, judge in enumerate(sorted({a.asked.judge for a in counted}))}
    place = {pair: n for n, pair in enumerate(strengths.pairs(len(names)))}
    table = np.zeros((len(number), len(place), 3))
    for answer in counted:
        i, j = sorted(names.index(name) for name in answer.asked.trial.shown)
        outcome = {names[i]: strengths.WIN, names[j]: strengths.LOSS}.get(
            answer.chosen, strengths.TIE
        )
        table[number[answer.asked.judge], place[i, j], outcome] += 1
    return table


def _rates(by_name: Groups, names: Sequence[str], hit: Test) -> list[dict[str, Any]]:
    """A row for each of those that were judged at all."""
    return [
        {
            "name": name,
            "rate": asdict(_rate(by_name[name], hit)),
            "n": len(by_name[name]),
            "median_reaction_ms": _median(by_name[name]),
        }
        for name in names
        if name in by_name
    ]


def _with_verdict(differences: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Whether two can be told apart: the interval holds no 0."""
    return [each | {"apart": each["low"] > 0 or each["high"] < 0} for each in differences if each]


def _extremes(
    study: Study, counted: Sequence[Answer], hit: Test, version: Callable[[Answer], str]
) -> dict[str, Any]:
    """Pictures with the most and the fewest hits, of those that were asked about most often."""
    groups = _by(counted, lambda answer: (answer.asked.trial.picture, version(answer)))
    rows: list[dict[str, Any]] = [
        {
            "file": study.pictures[picture].file,
            "name": name,
            "hits": sum(map(hit, own)),
            "n": len(own),
        }
        for (picture, name), own in groups.items()
    ]
    # The mean of a uniform prior and the answers: one hit of one is less than nine of ten.
    rows.sort(key=lambda row: ((row["hits"] + 1) / (row["n"] + 2), row["file"], row["name"]))
    return {
        "most": [row for row in rows[::-1] if row["hits"]][:EXTREMES],
        "fewest": [row for row in rows if row["hits"] < row["n"]][:EXTREMES],
    }


def _rate(own: Sequence[Answer], hit: Test) -> Interval:
    per_judge = _by(own, _judge).values()
    return rate([sum(map(hit, each)) for each in per_judge], [len(each) for each in per_judge])


def _paired(by_name: Groups, a: str, b: str, hit: Test) -> dict[str, Any] | None:
    """Difference of two rates, the judges resampled together; None where one was not judged."""
    if a not in by_name or b not in by_name:
        return None
    mine, theirs = _by(by_name[a], _judge), _by(by_name[b], _judge)
    columns: list[list[int]] = []
    for group in (mine, theirs):
        each = [group.get(judge, []) for judge in sorted({*mine, *theirs})]
        columns += [[sum(map(hit, own)) for own in each], [len(own) for own in each]]
    return {"a": a, "b": b, **asdict(difference(*columns))}


def _by(own: Sequence[Answer], key: Callable[[Answer], Key]) -> dict[Key, list[Answer]]:
    groups: dict[Key, list[Answer]] = {}
    for answer in own:
        groups.setdefault(key(answer), []).append(answer)
    return groups


def _coloured_by(answer: Answer) -> str:
    return next(name for name in answer.asked.trial.shown if name != ORIGINAL)


def _judge(answer: Answer) -> int:
    return answer.asked.judge


def _fooled(answer: Answer) -> bool:
    return answer.chosen == ORIGINAL


def _recognised(answer: Answer) -> bool:
    return answer.right is True


def _said(answer: Answer) -> str:
    return answer.asked.given.answer if answer.asked.given else ""


def _said_left(answer: Answer) -> bool:
    return _said(answer) == LEFT


def _question(answer: Answer) -> tuple[int, tuple[str, ...]]:
    return answer.asked.trial.picture, tuple(sorted(answer.asked.trial.shown))


def _median(own: Sequence[Answer]) -> float | None:
    times = [answer.asked.given.reaction_ms for answer in own if answer.asked.given]
    return round(statistics.median(times)) if times else None


def _share(hits: int, n: int) -> float | None:
    return hits / n if n else None
