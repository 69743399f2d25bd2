"""What a judge's page may know and do: never more than the question, until it is answered."""

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from retint.errors import OptionsError
from retint.study.answers import Answers, Asked, Given
from retint.study.design import ANSWERS, ORIGINAL, PICTURES, Study
from retint.study.trials import RIGHT, SIDES, TIE, is_answer, is_right, is_timed, plan

AHEAD = 4
"""Trials that a page is told of in advance, to load their pictures."""

MOST_SHOWN = 6
"""Pairs that fooled a judge and are shown at the end."""


class Session:
    """A study being held, in `with`. Judges are known by their secret ids; any thread may call."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.answers = Answers(study.folder / ANSWERS)

    def __enter__(self) -> "Session":
        self.answers.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.answers.__exit__(kind, error, traceback)

    def page(self) -> dict[str, Any]:
        """What every visitor may know."""
        settings = self.study.settings
        return {
            "kind": settings.kind,
            "texts": dict(self.study.texts),
            "consent": self.study.consent,
            "ties": settings.ties,
            "gap_ms": settings.gap_ms,
            "shared_device": settings.shared_device,
            "full": self.answers.finished() >= settings.judges,
        }

    def enrol(self) -> str | None:
        """A new judge's secret id, after consent; None where enough have taken part."""
        if self.answers.finished() >= self.study.settings.judges:
            return None
        self.answers.fact("rules", self.study.rules)
        return self.answers.enrol(lambda number: plan(self.study, number))

    def state(self, secret: str) -> dict[str, Any] | None:
        """How far a judge is and what comes next; None where nobody has this id."""
        judge = self.answers.judge(secret)
        return None if judge is None else self._state(self.answers.asked(judge))

    def look(self, secret: str, trial: str) -> bool:
        """Note that a trial's pictures are about to be shown; False where it is not the judge's."""
        asked = self._asked(secret, trial)
        if asked is not None and asked.given is None:
            self.answers.look(trial)
        return asked is not None

    def answer(self, secret: str, trial: str, given: Given) -> dict[str, Any] | None:
        """Keep an answer, once; what comes next, and after practice whether it was right.

        None where it is not the judge's trial. Raises OptionsError for what is no answer to it.
        """
        asked = self._asked(secret, trial)
        if asked is None:
            return None
        if not is_answer(self.study, asked.trial, given.answer):
            raise OptionsError("that is no answer to this question")
        self.answers.keep(trial, given)
        everything = self.answers.asked(asked.judge)
        state = self._state(everything)
        if asked.trial.role == "practice":
            kept = next(each for each in everything if each.id == trial)
            state["feedback"] = self._feedback(kept)
        return state

    def picture(self, secret: str, trial: str, side: str) -> Path | None:
        """File of a picture that a trial shows; None where there is none such."""
        asked = self._asked(secret, trial)
        if asked is None or side not in SIDES[: len(asked.trial.shown)]:
            return None
        version = asked.trial.shown[SIDES.index(side)]
        picture = self.study.pictures[asked.trial.picture]
        return self.study.folder / PICTURES / picture.versions[version]

    def withdraw(self, secret: str) -> None:
        """Delete all answers of a judge, and the judge."""
        judge = self.answers.judge(secret)
        if judge is not None:
            self.answers.withdraw(judge)

    def _asked(self, secret: str, trial: str) -> Asked | None:
        judge = self.answers.judge(secret)
        if judge is None:
            return None
        return next((each for each in self.answers.asked(judge) if each.id == trial), None)

    def _state(self, everything: list[Asked]) -> dict[str, Any]:
        ahead = [asked for asked in everything if asked.given is None]
        state: dict[str, Any] = {
            "done": len(everything) - len(ahead),
            "of": len(everything),
            "practice": sum(asked.trial.role == "practice" for asked in everything),
            "next": [self._question(asked) for asked in ahead[:AHEAD]],
        }
        if not ahead and self.study.settings.reveal:
            state["result"] = self._result(everything)
        return state

    def _question(self, asked: Asked) -> dict[str, Any]:
        trial = asked.trial
        return {
            "id": asked.id,
            "practice": trial.role == "practice",
            "sides": SIDES[: len(trial.shown)],
            "choices": trial.choices,
            "exposure_ms": self.study.settings.exposure_ms if is_timed(self.study, trial) else 0,
        }

    def _feedback(self, asked: Asked) -> dict[str, Any]:
        """Whether a practice answer was right, and what would have been; empty where nothing is."""
        assert asked.given is not None
        right = is_right(self.study, asked.trial, asked.given.answer)
        if right is None:
            return {}
        if self.study.settings.kind == "name":
            return {"right": right, "name": self.study.pictures[asked.trial.picture].names[0]}
        return {"right": right, "fake": _fake(asked)}

    def _result(self, everything: list[Asked]) -> dict[str, Any]:
        """How a judge did, who has answered everything."""
        tested = [asked for asked in everything if asked.trial.role == "test"]
        if self.study.settings.kind == "prefer":
            return _favourite(tested)
        rights = [
            is_right(self.study, asked.trial, asked.given.answer) for asked in tested if asked.given
        ]
        result: dict[str, Any] = {"n": rights.count(True), "of": len(tested)}
        if self.study.settings.kind == "real-or-fake":
            fooled = [asked for asked, right in zip(tested, rights, strict=True) if not right]
            result["fooled"] = [{"id": a.id, "fake": _fake(a)} for a in fooled[:MOST_SHOWN]]
        return result


def _fake(asked: Asked) -> str:
    return SIDES[asked.trial.shown[0] == ORIGINAL]


def _favourite(tested: list[Asked]) -> dict[str, Any]:
    """Whose colours a judge chose most often, of how many comparisons that they were in."""
    shown = Counter(name for asked in tested for name in asked.trial.shown)
    chosen = Counter(
        asked.trial.shown[asked.given.answer == RIGHT]
        for asked in tested
        if asked.given and asked.given.answer != TIE
    )
    if not chosen:
        return {}
    name = max(chosen, key=lambda name: chosen[name] / shown[name])
    return {"name": name, "n": chosen[name], "of": shown[name]}
