"""Making a study: every photograph in every version, in files that tell nothing."""

import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any, Protocol

import numpy as np
import pyvips

from retint import metrics
from retint.bench.contestants import Colouring, Grey
from retint.bench.sets import PictureSet, Truth
from retint.color import Floats
from retint.errors import InputError, OptionsError, OutputError
from retint.study.design import (
    ABSURD,
    CONSENT,
    GREY,
    KEY,
    ORIGINAL,
    PICTURES,
    SETTINGS,
    TEXTS,
    Picture,
    Role,
    Settings,
    Study,
    check_names,
    default_consent,
    default_texts,
    settings_toml,
    texts_toml,
)
from retint.study.trials import versions

SIZE = 512
"""Longest side of the pictures that judges see, in pixels, where nothing else is said."""

COLOURLESS = 1.0
"""Colourfulness below which a photograph has no colours to be told from made-up ones."""

HUES_EVERY, ABSURD_CHROMA = 30, 45  # steps of L*, Lab units

QUALITY = 92
"""Of the JPEG files, without chroma subsampling."""

_vips: Any = pyvips  # it has no types


class Colours(Protocol):
    """A way of colouring: `retint.bench.contestants` has more of them."""

    name: str

    def colour(self, truth: Truth) -> Colouring:
        """Colour a picture; InputError where it has no colouring of it."""
        ...


class Original:
    """A photograph as it is."""

    name = ORIGINAL

    def colour(self, truth: Truth) -> Colouring:
        """Its own colours."""
        return Colouring(truth.rgb, truth.lab)


class Absurd:
    """Rainbow contours of lightness: colours that nobody takes for real."""

    name = ABSURD

    def colour(self, truth: Truth) -> Colouring:
        """All hues, over and over from black to white."""
        L = truth.lab[..., 0]
        hue = L * np.float32(2 * np.pi / HUES_EVERY)
        return Colouring.of(L, ABSURD_CHROMA * np.stack([np.cos(hue), np.sin(hue)], axis=-1))


@dataclass(frozen=True)
class Made:
    """What `make` made, and which pictures it could not use, with the reason."""

    study: Study
    left_out: Mapping[str, str]


def make(
    folder: Path,
    photographs: PictureSet,
    settings: Settings,
    contestants: Sequence[Colours],
    *,
    names: Mapping[str, Sequence[str]] | None = None,
    size: int = SIZE,
    contact: str = "",
    about: Mapping[str, Any] | None = None,
    progress: Callable[[Iterable[str]], Iterable[str]] = lambda files: files,
) -> Made:
    """Write a study into a new folder, whole or not at all.

    names: what may be answered for each file, where objects are to be named; pictures without any
    are not used. about: what else the key and the report shall say. In an order drawn by the seed
    the first pictures are for practice, the next for catch trials, and judges are tested on all
    others. A picture that cannot be read, that a contestant has not coloured or, for real-or-fake,
    that has no colour, is left out. Raises OptionsError where contestants or pictures are too few,
    OutputError where the folder cannot be written.
    """
    if folder.exists():
        raise OutputError(f"{folder}: is there already; a study gets a new folder")
    _check(settings, contestants)
    _check_enough(len(photographs.files), settings)
    names = names or {}
    called = tuple(each.name for each in contestants)
    ways = {each.name: each for each in (Original(), Grey(), Absurd(), *contestants)}
    drawn = list(photographs.files)
    Random(f"{settings.seed} roles").shuffle(drawn)
    pictures: list[Picture] = []
    left_out: dict[str, str] = {}
    with _new_folder(folder) as place:
        for file in progress(drawn):
            role = _role(len(pictures), settings)
            try:
                if settings.kind == "name" and not names.get(file):
                    raise InputError("nothing says what is in it")
                wanted = [ways[name] for name in sorted(versions(settings.kind, called, role))]
                files = _write(place / PICTURES, photographs.open(file), wanted, size, settings)
            except InputError as error:
                left_out[file] = str(error)
            else:
                pictures.append(Picture(file, role, files, tuple(names.get(file, ()))))
        _check_enough(len(pictures), settings)
        check_names(pictures, settings)
        known = {**(about or {}), "size": size, "left_out": left_out}
        texts, consent = default_texts(settings.kind), default_consent(settings, contact)
        _write_study(Study(place, settings, called, tuple(pictures), texts, consent, known))
    return Made(Study.load(folder), left_out)


def _role(number: int, settings: Settings) -> Role:
    """What the picture of a number, from 0, is for."""
    if number < settings.practice:
        return "practice"
    return "catch" if number < settings.practice + settings.catch else "test"


def _check(settings: Settings, contestants: Sequence[Colours]) -> None:
    names = [each.name for each in contestants]
    for each in contestants:
        if names.count(each.name) > 1:
            raise OptionsError(f"two contestants are called {each.name}")
        if each.name in (ORIGINAL, GREY, ABSURD) and not isinstance(each, Original | Grey):
            raise OptionsError(f"no contestant may be called {each.name}")
    if settings.kind == "real-or-fake" and ORIGINAL in names:
        raise OptionsError("real-or-fake compares with the originals anyway")
    if len(names) - (settings.kind == "name" and GREY in names) < 1 + (settings.kind == "prefer"):
        raise OptionsError(f"there is too little to compare for {settings.kind}")


def _check_enough(pictures: int, settings: Settings) -> None:
    if pictures <= settings.practice + settings.catch:
        raise OptionsError(
            f"{pictures} pictures can be used; {settings.practice} for practice and "
            f"{settings.catch} for catch trials leave none to be judged: take more pictures, or "
            "set fewer aside"
        )


def _write(
    folder: Path, truth: Truth, ways: Sequence[Colours], size: int, settings: Settings
) -> dict[str, str]:
    """Write a picture in each way, coded alike, as files of one length; their names by way."""
    if settings.kind == "real-or-fake" and metrics.colourfulness(truth.rgb) < COLOURLESS:
        raise InputError(f"{truth.file}: has no colours")
    coded = {way.name: _coded(way.colour(truth).rgb, size) for way in ways}
    length = max(map(len, coded.values()))
    names = {way: f"{secrets.token_hex(12)}.jpg" for way in coded}
    for way, name in sorted(names.items(), key=itemgetter(1)):  # nor does their order tell anything
        # What follows the end of a JPEG's image is not read.
        (folder / name).write_bytes(coded[way].ljust(length, b"\0"))
    return names


def _coded(rgb: Floats, size: int) -> bytes:
    codes = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    image = _vips.Image.new_from_array(codes, interpretation="srgb")
    image = image.thumbnail_image(size, height=size, size="down")
    return image.jpegsave_buffer(Q=QUALITY, subsample_mode="off", keep="none")


def _write_study(study: Study) -> None:
    key = {
        "kind": study.settings.kind,
        "about": study.about,
        "contestants": study.contestants,
        "pictures": [asdict(picture) for picture in study.pictures],
    }
    (study.folder / SETTINGS).write_text(settings_toml(study.settings), "utf-8")
    (study.folder / TEXTS).write_text(texts_toml(study.texts), "utf-8")
    (study.folder / CONSENT).write_text(study.consent, "utf-8")
    (study.folder / KEY).write_text(json.dumps(key, indent=1) + "\n", "utf-8")


@contextmanager
def _new_folder(folder: Path) -> Generator[Path]:
    """A place beside the folder that becomes it at the end, or vanishes."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".retint-study-", dir=folder.parent))
        try:
            (place / PICTURES).mkdir()
            yield place
            place.chmod(0o755)
            place.rename(folder)
        except BaseException:
            shutil.rmtree(place)
            raise
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from error
