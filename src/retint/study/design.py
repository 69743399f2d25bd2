"""A study as its folder holds it: what is asked, which answers count, and the key."""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast, get_args

from retint.errors import InputError, OptionsError

Kind: TypeAlias = Literal["real-or-fake", "prefer", "name"]
Role: TypeAlias = Literal["practice", "catch", "test"]

SETTINGS, TEXTS, CONSENT, KEY = "study.toml", "texts.toml", "consent.txt", "key.json"
ANSWERS = "answers.sqlite"
PICTURES = "pictures"

ORIGINAL = "original"
"""Version of a picture as it is: in its true colours where it has any."""

GREY = "grey"
"""Version of a picture without colour."""

ABSURD = "absurd"
"""Version of a picture in colours that nobody takes for real; for catch trials."""


class Usual(NamedTuple):
    """What a study of a kind has where nothing else is said."""

    practice: int
    catch: int
    exposure_ms: int


DEFAULTS: dict[Kind, Usual] = {
    "real-or-fake": Usual(practice=10, catch=6, exposure_ms=1000),
    "prefer": Usual(practice=2, catch=4, exposure_ms=0),
    "name": Usual(practice=3, catch=4, exposure_ms=250),
}


@dataclass(frozen=True)
class Settings:
    """What stands in study.toml. Raises OptionsError for values that cannot be."""

    kind: Kind
    seed: int = 0
    practice: int = 10
    trials: int = 40
    catch: int = 6
    exposure_ms: int = 1000
    gap_ms: int = 600
    mixed: bool = True
    ties: bool = False
    choices: int = 4
    judges: int = 40
    catch_pass: float = 0.8
    exposure_tolerance_ms: int = 50
    reveal: bool = True
    shared_device: bool = False

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            wanted = {int: (int,), float: (int, float), bool: (bool,)}.get(cast(Any, item.type))
            if wanted and type(value) not in wanted:
                raise OptionsError(f"{item.name} is {value!r}; it wants a {item.type.__name__}")  # type: ignore[union-attr]
        if self.kind not in get_args(Kind):
            raise OptionsError(f"kind is {self.kind!r}; there are {', '.join(get_args(Kind))}")
        lowest = {"trials": 1, "judges": 1}
        for name in (
            "practice",
            "catch",
            "exposure_ms",
            "gap_ms",
            "exposure_tolerance_ms",
            *lowest,
        ):
            value, least = getattr(self, name), lowest.get(name, 0)
            if value < least:
                raise OptionsError(f"{name} is {value}; at least {least}")
        if not 0 <= self.catch_pass <= 1:
            raise OptionsError(f"catch_pass is {self.catch_pass}; it is a share, 0 to 1")
        if self.choices and not 2 <= self.choices <= 9:
            raise OptionsError(f"choices is {self.choices}; 2 to 9, or 0 for free text")

    @property
    def timed(self) -> bool:
        """Whether pictures are seen for a moment only."""
        return self.exposure_ms > 0

    @property
    def catch_needed(self) -> int:
        """How many catch trials a judge must get right for the answers to count."""
        return math.ceil(self.catch_pass * self.catch - 1e-9)

    @property
    def chance_of_passing(self) -> float:
        """The chance that a judge who guesses blindly gets the catch trials right."""
        names = 1 / self.choices if self.choices else 0.0
        p = names if self.kind == "name" else 1 / 2
        n = self.catch
        hits = range(self.catch_needed, n + 1)
        return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in hits)

    @property
    def minutes(self) -> int:
        """About how long it takes, at 4 seconds for an answer."""
        showing = {"real-or-fake": 2, "prefer": 0, "name": 1}[self.kind] * self.exposure_ms
        each = 4 + (showing + self.gap_ms + 900) / 1000
        return max(1, round((self.practice + self.catch + self.trials) * each / 60))


@dataclass(frozen=True)
class Picture:
    """One photograph of a study: `versions` are files in `pictures/` by who coloured them.

    `names`: what may be answered when its object is to be named; the first is offered as a choice.
    """

    file: str
    role: Role
    versions: Mapping[str, str]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study read from its folder."""

    folder: Path
    settings: Settings
    contestants: tuple[str, ...]
    pictures: tuple[Picture, ...]
    texts: Mapping[str, str]
    consent: str
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def load(cls, folder: Path) -> "Study":
        """Read what `retint study create` made. InputError or OptionsError if it is none."""
        if not (folder / KEY).is_file():
            raise InputError(f"{folder}: no study; `retint study create` makes one")
        try:
            settings = Settings(**_toml(folder / SETTINGS))
        except (TypeError, OptionsError) as error:
            raise OptionsError(f"{folder / SETTINGS}: {error}") from None
        texts = _toml(folder / TEXTS)
        try:
            key = json.loads(_text(folder / KEY))
            pictures = [
                Picture(each["file"], each["role"], each["versions"], tuple(each["names"]))
                for each in key["pictures"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder / KEY}: cannot be read: {error}") from error
        if settings.kind != key["kind"]:
            raise OptionsError(f"{folder}: is a study of the kind {key['kind']}; make another one")
        check_names(pictures, settings)
        return cls(
            folder,
            settings,
            tuple(key["contestants"]),
            tuple(pictures),
            default_texts(settings.kind) | {name: str(text) for name, text in texts.items()},
            _text(folder / CONSENT),
            key["about"],
        )

    @cached_property
    def by_role(self) -> dict[Role, list[int]]:
        """Numbers of the pictures, by what they are for."""
        found: dict[Role, list[int]] = {"practice": [], "catch": [], "test": []}
        for number, picture in enumerate(self.pictures):
            found[picture.role].append(number)
        return found

    @property
    def rules(self) -> str:
        """The settings as one line of JSON, to see whether they were changed."""
        return json.dumps(asdict(self.settings), sort_keys=True)


def check_names(pictures: Sequence[Picture], settings: Settings) -> None:
    """Raise OptionsError where there are fewer names than are to be offered as choices."""
    different = {picture.names[0] for picture in pictures if picture.names}
    if settings.kind == "name" and len(different) < settings.choices:
        raise OptionsError(
            f"{settings.choices} choices cannot be offered: the pictures have {len(different)} "
            "different names"
        )


def default_texts(kind: Kind) -> dict[str, str]:
    """What judges read where the study does not say otherwise."""
    file = resources.files("retint.study") / "texts.toml"
    known = tomllib.loads(file.read_text(encoding="utf-8"))
    return known["all"] | known[kind]


def default_consent(settings: Settings, contact: str) -> str:
    """The consent text that a new study begins with."""
    text = (resources.files("retint.study") / "consent.txt").read_text(encoding="utf-8")
    return text.replace("{minutes}", str(settings.minutes)).replace("{contact}", contact)


SAID: dict[str, str] = {
    "kind": "real-or-fake, prefer or name",
    "seed": "of every random order",
    "practice": "trials before it counts; with right or wrong told where there is a right answer",
    "trials": "answers of each judge that count",
    "catch": "obvious trials among them, to see who pays attention",
    "exposure_ms": "how long a picture is shown; 0: until it is answered",
    "gap_ms": "pause between the first and the second picture",
    "mixed": "each judge meets all contestants; false: one of them, as in Zhang et al. 2016",
    "ties": "whether `no difference` may be answered (prefer)",
    "choices": "how many names are offered, 2 to 9; 0: free text (name)",
    "judges": "how many judges who finish are enough; then the page takes no more",
    "catch_pass": "share of the catch trials that a judge must get right to be counted",
    "exposure_tolerance_ms": "answers to pictures shown longer or shorter by more are left out",
    "reveal": "tell judges at the end how they did",
    "shared_device": "offer `next person` at the end: one tablet for many visitors",
}
"""What each line of study.toml means."""


def settings_toml(settings: Settings) -> str:
    """study.toml, with what each line means."""
    lines = [
        "# The rules of this study. Change them before the first judge begins, not after: the",
        "# report says whether they were changed.",
        "",
    ]
    lines += [f"{_line(name, value)}  # {SAID[name]}" for name, value in asdict(settings).items()]
    return "\n".join(lines) + "\n"


def texts_toml(texts: Mapping[str, str]) -> str:
    """texts.toml."""
    return "# What judges read.\n\n" + "".join(_line(*item) + "\n" for item in texts.items())


def _line(name: str, value: object) -> str:
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
