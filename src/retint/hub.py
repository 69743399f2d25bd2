"""Weights: which models there are, where their files lie, and that a file is what its card says."""

import hashlib
import json
import os
import re
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from retint.errors import ModelError

SHIPPED = Path(__file__).with_name("cards")
"""Folder of the released models: a NAME.toml each, and NAME.onnx where the package brings it."""

TIMEOUT = 60.0  # seconds without a byte
CHUNK = 1 << 20


@dataclass(frozen=True)
class Card:
    """What a released model is, where it comes from and what it may be used for.

    `size` is what the network takes: `{"multiple_of": n}`, `{"fixed": [h, w]}`, or empty for any
    height and width. `working_size` is the longest side, in pixels, at which colour is best
    guessed. `hints` says whether it also takes colours given in a few places; `subjects` are those
    that it tells apart, in its own order. `sha256` is that of the .onnx and empty in the copy of
    the card inside it. A model without a `url` is shipped. `extra` holds keys of a newer version,
    which say nothing here.
    """

    name: str
    version: str
    family: str
    license: str
    weights_license: str
    parameters: int
    size: Mapping[str, Any]
    working_size: int
    hints: bool = False
    sha256: str = ""
    url: str = ""
    description: str = ""
    data: str = ""
    encoder_origin: str = ""
    recipe: str = ""
    trained: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    not_for: str = ""
    paper: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], origin: str) -> "Card":
        """Read a card from TOML's or JSON's values; a bad one is a ModelError naming `origin`."""
        known = {key: value for key, value in values.items() if key in _KINDS}
        missing = [key for key in _REQUIRED if key not in known]
        if missing:
            raise ModelError(f"{origin}: the card says nothing of {', '.join(missing)}")
        for key, value in known.items():
            if not isinstance(value, _KINDS[key]) or isinstance(value, bool) != (key == "hints"):
                raise ModelError(f"{origin}: the card's {key} is {value!r}")
        known |= {key: tuple(map(str, known.get(key, ()))) for key in _LISTS}
        known["extra"] = {key: value for key, value in values.items() if key not in _KINDS}
        card = cls(**known)
        if not _size_is_sound(card.size) or card.working_size < 1:
            raise ModelError(
                f"{origin}: the card's size is {dict(card.size)}, working_size {card.working_size}"
            )
        return card

    def to_dict(self) -> dict[str, Any]:
        """Plain values for TOML or JSON; `from_dict` reads them back."""
        values = asdict(self)
        extra = values.pop("extra")
        return {**values, **{key: list(values[key]) for key in _LISTS}, **extra}

    @property
    def multiple_of(self) -> int:
        """Height and width given to the network are multiples of this; 1 where any will do."""
        return self.size.get("multiple_of", 1)

    @property
    def fixed(self) -> tuple[int, int] | None:
        """The only (height, width) that the network takes; None where it is not fixed."""
        return tuple(self.size["fixed"]) if "fixed" in self.size else None


_REQUIRED = (
    *("name", "version", "family", "license", "weights_license"),
    *("parameters", "size", "working_size"),
)
_LISTS = ("paper", "subjects")
_KINDS: dict[str, type | tuple[type, ...]] = {
    **{item.name: str for item in fields(Card) if item.type is str},
    **dict.fromkeys(("parameters", "working_size"), int),
    **dict.fromkeys(("size", "figures"), Mapping),
    **dict.fromkeys(_LISTS, (list, tuple)),
    "hints": bool,
}


@dataclass(frozen=True)
class Release:
    """A model that is known here: its card, and the file in which that lies."""

    card: Card
    toml: Path

    @property
    def onnx(self) -> Path:
        """Where its weights lie unless they have to be downloaded."""
        return self.toml.with_suffix(".onnx")

    @property
    def cached(self) -> Path:
        """Where they lie when they have been downloaded."""
        return cache_folder() / f"{self.card.name}-{self.card.sha256[:16]}.onnx"

    def where(self) -> str:
        """Say in a word where the weights are: shipped, cached, in a folder, to be downloaded."""
        if self.onnx.exists():
            return "shipped" if self.toml.parent == SHIPPED else f"in {self.toml.parent}"
        if self.cached.exists():
            return "cached"
        return "to be downloaded" if self.card.url else "missing"

    def weights(self) -> Path:
        """Path of the .onnx, its sha256 checked; downloaded to the cache at first use.

        Safe in several processes at once: a file appears in the cache whole and checked, or not at
        all. Raises ModelError for a damaged file, or a download that fails.
        """
        if self.onnx.exists() or not self.card.url:
            try:
                intact = sha256(self.onnx) == self.card.sha256
            except OSError as error:
                raise ModelError(f"weights of {self.card.name} cannot be read: {error}") from error
            if not intact:
                shipped = "; reinstall retint" if self.toml.parent == SHIPPED else ""
                raise ModelError(
                    f"{self.onnx}: damaged (its sha256 is not that of {self.toml.name}){shipped}"
                )
            return self.onnx
        if not re.fullmatch(r"[0-9a-f]{64}", self.card.sha256):
            raise ModelError(
                f"{self.toml.name}: weights from {self.card.url}, but no sha256 to check them by"
            )
        target = self.cached
        try:
            if not (target.exists() and sha256(target) == self.card.sha256):
                _download(_mirrored(self.card.url), self.card.sha256, target)
        except OSError as error:
            raise ModelError(
                f"{target}: cannot be stored: {error} (RETINT_CACHE moves it)"
            ) from error
        return target


def folders() -> list[Path]:
    """Where models are looked for: the folders of RETINT_MODELS in their order, then the package.

    The owner's models come first, so that a house can have a `default` of its own.
    """
    named = os.environ.get("RETINT_MODELS", "").split(os.pathsep)
    return [*(Path(folder) for folder in named if folder), SHIPPED]


def is_name(model: str) -> bool:
    """Whether this is a model's name, as `default` or `default@1.1`, and no path of a file."""
    return re.fullmatch(r"[\w-]+(@[\w.+-]+)?", model) is not None


def cards() -> list[str]:
    """Names of the models that are known here, sorted; NAME@VERSION for files named so."""
    return sorted({path.stem for folder in folders() for path in folder.glob("*.toml")})


def find(name: str) -> Release:
    """The model called `name`, or with `name@version` that version of it; ModelError where none is.

    It lies in NAME.toml, or NAME@VERSION.toml where there are several versions in one folder.
    """
    plain, _, version = name.partition("@")
    for folder in folders():
        for stem in (name, plain):
            path = folder / f"{stem}.toml"
            if path not in folder.glob("*.toml"):  # ../x is no name
                continue
            found = Release(read_card(path), path)
            if not version or found.card.version == version:
                return found
    there_are = ", ".join(cards()) or "none in this installation"
    raise ModelError(f"no model is called {name!r}; there are: {there_are}")


def recognise(digest: str) -> Release | None:
    """The model known here whose weights have this sha256."""
    releases = (find(name) for name in cards())
    return next((release for release in releases if release.card.sha256 == digest), None)


def card(name: str) -> Card:
    """Card of a model; as for `find`."""
    return find(name).card


def weights(name: str) -> Path:
    """Path of a model's .onnx; as for `find` and `Release.weights`."""
    return find(name).weights()


def where(name: str) -> str:
    """Say in a word where a model's weights are; as for `find` and `Release.where`."""
    return find(name).where()


def enclosed(path: Path) -> Card:
    """The card inside a .safetensors, or inside torch's .torchscript or .pt2.

    ModelError where there is none. The card of an .onnx is read by `predict.OnnxPredictor`.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inner = (n for n in archive.namelist() if n.endswith("/extra/retint.card"))
                text = archive.read(next(inner, "retint.card"))
        else:
            with path.open("rb") as file:  # its length in eight bytes, then a header in JSON
                header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), CHUNK)))
            text = header["__metadata__"]["retint.card"]
        return Card.from_dict(json.loads(text), str(path))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: no retint model (it has no card inside)") from error


def read_card(path: Path) -> Card:
    """The card in a .toml; ModelError where it cannot be read."""
    try:
        return Card.from_dict(tomllib.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: {error}") from error


def _mirrored(url: str) -> str:
    """The address at the mirror that RETINT_MIRROR names, where it names one."""
    mirror = os.environ.get("RETINT_MIRROR")
    return mirror.rstrip("/") + urlsplit(url).path if mirror else url


def cache_folder() -> Path:
    """Where downloads are kept: RETINT_CACHE, or `retint` in the platform's cache folder."""
    if named := os.environ.get("RETINT_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "retint"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/retint"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "retint"


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size_is_sound(size: Mapping[str, Any]) -> bool:
    match dict(size):
        case {"multiple_of": int(n)} if len(size) == 1:
            return n >= 1
        case {"fixed": [int(h), int(w)]} if len(size) == 1:
            return h >= 1 and w >= 1
        case _:
            return not size


def _download(url: str, expected: str, target: Path) -> None:
    """Fetch into a file of its own beside the target and move it there once its hash is right.

    Raises ModelError where the other side is at fault, OSError where this machine's disk is.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
        try:
            _fetch(url, part, expected)
            part.close()
            Path(part.name).replace(target)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _fetch(url: str, part: IO[bytes], expected: str) -> None:
    try:
        reply = cast(HTTPResponse, urllib.request.urlopen(url, timeout=TIMEOUT))
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        advice = ""
        if isinstance(reason, OSError) and not isinstance(error, urllib.error.HTTPError):
            advice = ". Without a network: RETINT_MODELS names a folder of models, RETINT_MIRROR"
            advice += " another place to fetch them from"
        raise ModelError(f"{url}: cannot be downloaded: {reason}{advice}") from error
    digest = hashlib.sha256()
    received = 0
    with reply:
        while True:
            try:
                chunk = reply.read(CHUNK)
            except (OSError, HTTPException) as error:
                raise ModelError(f"{url}: cut after {received} bytes: {error}") from error
            if not chunk:
                break
            received += len(chunk)
            digest.update(chunk)
            part.write(chunk)
    promised = reply.headers.get("Content-Length")
    if promised is not None and received != int(promised):
        raise ModelError(f"{url}: cut after {received} of {promised} bytes; try again")
    if digest.hexdigest() != expected:
        raise ModelError(f"{url}: not the file its card names (sha256 {digest.hexdigest()})")
