"""Which trials a judge gets, in which order, and which answer is right: pure functions."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from retint.study.design import ABSURD, GREY, ORIGINAL, Kind, Role, Study

LEFT, RIGHT, TIE = "left", "right", "tie"
SIDES = (LEFT, RIGHT)

Arm = tuple[str, ...]
"""Versions of a picture that a trial shows."""


@dataclass(frozen=True)
class Trial:
    """One question: the versions of a picture that are shown, from the left or in turn.

    `choices`: the names that are offered; empty for free text, and where nothing is to be named.
    """

    role: Role
    picture: int
    shown: Arm
    choices: tuple[str, ...] = ()


def arms(kind: Kind, contestants: Sequence[str]) -> list[Arm]:
    """What is compared: true and coloured, pairs of contestants, or grey and each contestant."""
    match kind:
        case "real-or-fake":
            return [(ORIGINAL, name) for name in contestants]
        case "prefer":
            return list(itertools.combinations(contestants, 2))
        case "name":
            return [(GREY,), *((name,) for name in contestants if name != GREY)]


def catch_arms(kind: Kind, contestants: Sequence[str]) -> list[Arm]:
    """What catch trials show: something that everybody who pays attention gets right."""
    match kind:
        case "real-or-fake":
            return [(ORIGINAL, ABSURD)]
        case "prefer":
            return [(name, ABSURD) for name in contestants]
        case "name":
            return [(ORIGINAL,)]


def versions(kind: Kind, contestants: Sequence[str], role: Role) -> set[str]:
    """In which versions a picture is needed."""
    shown = catch_arms if role == "catch" else arms
    return {version for arm in shown(kind, contestants) for version in arm}


def plan(study: Study, number: int) -> list[Trial]:
    """The trials of the judge of a number, from 0: practice first, then tests with catch trials.

    No picture comes twice. As many true pictures (or first contestants) stand left as right. Over
    the judges every picture is shown equally often, and in every arm equally often: judges take
    consecutive runs of one fixed order of the pictures, round and round, and a picture's arm moves
    on by one with each round.
    """
    random = Random(f"{study.settings.seed} judge {number}")
    settings, pictures = study.settings, study.by_role
    compared = arms(settings.kind, study.contestants)
    obvious = catch_arms(settings.kind, study.contestants)
    practice = _in_turn(pictures["practice"][: settings.practice], compared, number)
    catch = _in_turn(pictures["catch"][: settings.catch], obvious, number)
    tested = [
        *_trials(study, "catch", catch, random),
        *_trials(study, "test", list(_dealt(study, number, compared)), random),
    ]
    random.shuffle(tested)
    return [*_trials(study, "practice", practice, random), *tested]


def is_timed(study: Study, trial: Trial) -> bool:
    """Whether its pictures are seen for a moment only; names are caught out with all the time."""
    return study.settings.timed and not (study.settings.kind == "name" and trial.role == "catch")


def is_right(study: Study, trial: Trial, answer: str) -> bool | None:
    """Whether an answer is right; None where there is no right one."""
    match study.settings.kind:
        case "real-or-fake":
            return answer in SIDES and trial.shown[SIDES.index(answer)] != ORIGINAL
        case "prefer" if trial.role == "catch":
            return answer in SIDES and trial.shown[SIDES.index(answer)] != ABSURD
        case "prefer":
            return None
        case "name":
            return plain(answer) in {plain(name) for name in study.pictures[trial.picture].names}


def is_answer(study: Study, trial: Trial, answer: str) -> bool:
    """Whether this can be answered at all."""
    if study.settings.kind == "name":
        return answer in trial.choices if trial.choices else 0 < len(answer.strip()) <= 80
    return answer in SIDES or (answer == TIE and study.settings.ties)


def plain(name: str) -> str:
    """A name without case, accents, articles and signs, to compare by."""
    text = unicodedata.normalize("NFKD", name.casefold())
    words = re.findall(r"\w+", "".join(c for c in text if not unicodedata.combining(c)))
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def _in_turn(pictures: Sequence[int], compared: Sequence[Arm], turn: int) -> list[tuple[int, Arm]]:
    return [(n, compared[(turn + i) % len(compared)]) for i, n in enumerate(pictures)]


def _dealt(study: Study, number: int, compared: Sequence[Arm]) -> Iterator[tuple[int, Arm]]:
    """Pictures to be tested on, each with what is compared."""
    pool = study.by_role["test"].copy()
    Random(f"{study.settings.seed} pictures").shuffle(pool)
    turn = number
    if not study.settings.mixed:
        turn, own = divmod(number, len(compared))
        compared = [compared[own]]
    count = min(study.settings.trials, len(pool))
    for place in range(turn * count, (turn + 1) * count):
        round_, position = divmod(place, len(pool))
        yield pool[position], compared[(round_ + position) % len(compared)]


def _trials(
    study: Study, role: Role, dealt: Sequence[tuple[int, Arm]], random: Random
) -> list[Trial]:
    """Trials with sides and choices drawn."""
    turned = [n % 2 == 1 for n in range(len(dealt))]
    random.shuffle(turned)
    return [
        Trial(role, picture, arm[::-1] if turn else arm, _choices(study, picture, random))
        for (picture, arm), turn in zip(dealt, turned, strict=True)
    ]


def _choices(study: Study, picture: int, random: Random) -> tuple[str, ...]:
    if study.settings.kind != "name" or not study.settings.choices:
        return ()
    own = study.pictures[picture].names
    others = {each.names[0] for each in study.pictures} - set(own)
    offered = [own[0], *random.sample(sorted(others), study.settings.choices - 1)]
    random.shuffle(offered)
    return tuple(offered)
