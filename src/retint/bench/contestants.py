"""What is judged: models, folders of anyone's colourings, and what each of them must beat."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from retint import color, hub
from retint.bench.sets import PictureSet, Truth, pictures
from retint.chroma import Chroma
from retint.color import Floats
from retint.colorizer import Colorizer, Hint, Options
from retint.errors import InputError
from retint.photo import Photo
from retint.predict import OnnxPredictor, resize

SHUFFLED = ", shuffled"
"""End of the names of shuffled contestants."""

Kind: TypeAlias = Literal["grey", "mean colour", "shuffled", "model", "folder"]


@dataclass(frozen=True)
class Colouring:
    """What a contestant made of one picture, upright and of its size.

    rgb (h, w, 3): encoded sRGB, 0..1, in 8-bit steps; lab (h, w, 3): of these. confidence (h, w),
    0..1, of a model that says; ms: what thumbnail, network and fit took; by: the model, for judges
    that ask it again.
    """

    rgb: Floats
    lab: Floats
    confidence: Floats | None = None
    ms: float | None = None
    by: Colorizer | None = None

    @classmethod
    def of(cls, L: Floats, ab: Floats) -> "Colouring":
        """Chroma (h, w, 2) on lightness (h, w), as a file of 8 bits would hold it."""
        rgb = _as_kept(color.lab_to_srgb(np.concatenate([L[..., None], ab], -1, dtype=np.float32)))
        return cls(rgb, color.srgb_to_lab(rgb))


class Contestant(Protocol):
    """One way of colouring. `model`: the name of what it belongs to, or "".

    It can be pickled, and the same picture gives the same colouring in any process.
    """

    name: str
    kind: Kind
    model: str

    def colour(self, truth: Truth) -> Colouring:
        """Colour a picture, of which only the lightness and the name may be used.

        Raises InputError where there is no usable colouring of it, ModelError where the model
        cannot go on.
        """
        ...

    def fingerprint(self, file: str) -> str:
        """What its colouring of a picture depends on, beside the picture: the same, the same."""
        ...


class Source(Contestant, Protocol):
    """A contestant whose colours can be shuffled between the pictures."""

    def has(self, file: str) -> bool:
        """Whether there is a colouring of that picture."""
        ...

    def ab(self, truth: Truth) -> Floats:
        """Chroma that it gave a picture: (h, w, 2), Lab units, at any size."""
        ...


class Grey:
    """No colour at all."""

    kind: Kind = "grey"
    name = "grey"
    model = ""

    def colour(self, truth: Truth) -> Colouring:
        """The lightness alone."""
        L = truth.lab[..., 0]
        return Colouring.of(L, np.zeros((*L.shape, 2), L.dtype))

    def fingerprint(self, file: str) -> str:
        """Always the same."""
        return "grey"


class MeanColour:
    """One colour everywhere: ab in Lab units."""

    kind: Kind = "mean colour"
    name = "mean colour"
    model = ""

    def __init__(self, ab: tuple[float, float]) -> None:
        self.mean_ab = ab

    def colour(self, truth: Truth) -> Colouring:
        """The lightness, and that colour where it fits the gamut."""
        L = truth.lab[..., 0]
        return Colouring.of(L, np.broadcast_to(np.asarray(self.mean_ab, L.dtype), (*L.shape, 2)))

    def fingerprint(self, file: str) -> str:
        """The colour."""
        return f"mean colour {self.mean_ab}"


class Model:
    """A model, coloured the way `retint colorize` does."""

    kind: Kind = "model"

    def __init__(self, name: str, colorizer: Colorizer) -> None:
        self.name = self.model = name
        self.colorizer = colorizer
        self._last: list[tuple[str, Chroma, float]] = []

    def colour(self, truth: Truth) -> Colouring:
        """Predict small, grow along the edges."""
        chroma, ms = self._guessed(truth)
        L = truth.lab[..., 0]
        found = Colouring.of(L, chroma.grow(L, 0, len(L)))
        confidence = resize(chroma.confidence, *L.shape)
        return Colouring(found.rgb, found.lab, confidence, ms, self.colorizer)

    def has(self, file: str) -> bool:
        """A model colours every picture."""
        return True

    def ab(self, truth: Truth) -> Floats:
        """The small chroma."""
        return self._guessed(truth)[0].ab

    def fingerprint(self, file: str) -> str:
        """Weights and options."""
        return f"model {self.colorizer.model.weights_sha256} {self.colorizer.options.to_json()}"

    def __getstate__(self) -> dict[str, Any]:
        """Pickled with how to open its network again, on one thread: processes share the rest."""
        state: dict[str, Any] = {**vars(self), "_last": []}
        model = self.colorizer.model
        if isinstance(model, OnnxPredictor):
            opening = model.path, model.card, model.device, 1
            state["colorizer"] = self.colorizer.options
            state["opened"] = partial(OnnxPredictor, *opening, sha256=model.weights_sha256)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "opened" in state:
            state["colorizer"] = Colorizer(state.pop("opened")(), state["colorizer"])
        vars(self).update(state)

    def _guessed(self, truth: Truth) -> tuple[Chroma, float]:
        """Its chroma, and the milliseconds that took. The last two pictures' are remembered: a
        picture's own, and the one whose colours it gets when they are shuffled."""
        for file, chroma, ms in self._last:
            if file == truth.file:
                return chroma, ms
        start = time.perf_counter()
        chroma = guess(self.colorizer, truth.photo)
        ms = 1000 * (time.perf_counter() - start)
        self._last = [*self._last[-1:], (truth.file, chroma, ms)]
        return chroma, ms


class Folder:
    """Colourings that some other system left in a folder, judged as they were delivered.

    files: the paths of the set's pictures. The colouring of one has its path below the folder, with
    any ending of a picture; or, where no two pictures share it, its name alone. Raises InputError
    where the folder holds no pictures.
    """

    kind: Kind = "folder"

    def __init__(self, name: str, folder: Path, files: Sequence[str]) -> None:
        self.name = self.model = name
        self.folder = folder
        self.found = _matched([p.relative_to(folder) for p in pictures(folder)], files)
        used = {path for paths in self.found.values() for path in paths}
        everything = (p.relative_to(folder).as_posix() for p in pictures(folder))
        self.extra = [path for path in everything if path not in used]

    def colour(self, truth: Truth) -> Colouring:
        """Read what is there; InputError where that is not one readable picture of this size."""
        path = self.path(truth.file)
        delivered = Truth(Photo.open(path), truth.file)
        if delivered.size != truth.size:
            (height, width), (true_height, true_width) = delivered.size, truth.size
            raise InputError(
                f"{path}: is {width} x {height} pixels, the picture {true_width} x {true_height}"
            )
        rgb = _as_kept(delivered.rgb)
        return Colouring(rgb, color.srgb_to_lab(rgb))

    def has(self, file: str) -> bool:
        """Whether exactly one colouring lies there."""
        return len(self.found[file]) == 1

    def ab(self, truth: Truth) -> Floats:
        """The chroma at full size."""
        return self.colour(truth).lab[..., 1:]

    def fingerprint(self, file: str) -> str:
        """Hash of the colouring's file."""
        return f"folder {hub.sha256(self.path(file))}" if self.has(file) else "folder without"

    def path(self, file: str) -> Path:
        """Where its colouring of a picture is; InputError where there is none, or several."""
        match self.found[file]:
            case []:
                raise InputError(f"{self.folder}: has no colouring of {file}")
            case [one]:
                return self.folder / one
            case several:
                raise InputError(
                    f"{self.folder}: has {len(several)} colourings of {file}: {', '.join(several)}"
                )


class Shuffled:
    """A contestant's own colours of another picture, stretched to this one.

    order: the set's pictures in the order in which each hands its colours on to the next one, the
    last to the first.
    """

    kind: Kind = "shuffled"

    def __init__(self, source: Source, order: Sequence[str], pictures: PictureSet) -> None:
        self.name = source.name + SHUFFLED
        self.model = source.model
        self.source = source
        self.pictures = pictures
        givers = [file for file in order if source.has(file)]
        before = dict(zip(givers, [givers[-1], *givers[:-1]], strict=True)) if givers else {}
        self.giver = {file: before[file] for file in givers if before[file] != file}

    def colour(self, truth: Truth) -> Colouring:
        """The other picture's chroma on this one's lightness; no edges are followed."""
        if truth.file not in self.giver:
            raise InputError(f"{self.model}: has no other colouring to give to {truth.file}")
        L = truth.lab[..., 0]
        ab = np.moveaxis(self.source.ab(self.pictures.open(self.giver[truth.file])), -1, 0)
        return Colouring.of(L, np.moveaxis(resize(ab.astype(np.float32), *L.shape), 0, -1))

    def fingerprint(self, file: str) -> str:
        """The other picture, and what its colours depend on."""
        giver = self.giver.get(file)
        if giver is None:
            return "shuffled without"
        return f"shuffled {self.pictures.sha256(giver)} {self.source.fingerprint(giver)}"


def guess(model: Colorizer, photo: Photo, hints: Sequence[Hint] | None = None) -> Chroma:
    """The chroma that a user gets: predicted, then adjusted as the options say."""
    return adjusted(model.predict(photo, hints), model.options)


def adjusted(chroma: Chroma, options: Options) -> Chroma:
    """What was predicted, as the options say."""
    return chroma.adjusted(options.saturation, options.mute_uncertain)


def coloured(L: Floats, chroma: Chroma) -> Floats:
    """The colouring as it would be seen: encoded sRGB (h, w, 3), 0..1, for upright L (h, w)."""
    return Colouring.of(L, chroma.grow(L, 0, len(L))).rgb


def _matched(delivered: Sequence[Path], files: Sequence[str]) -> dict[str, list[str]]:
    """The delivered paths that may be each picture's."""
    by_path: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    for path in delivered:
        by_path.setdefault(path.with_suffix("").as_posix(), []).append(path.as_posix())
        by_name.setdefault(path.stem, []).append(path.as_posix())
    paths = Counter(str(PurePosixPath(file).with_suffix("")) for file in files)
    names = Counter(PurePosixPath(file).stem for file in files)
    found: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        stemmed = str(path.with_suffix(""))
        if paths[stemmed] > 1:  # a.jpg and a.png: only the whole name tells which is meant
            found[file] = [p for p in by_path.get(stemmed, []) if p == file]
        elif stemmed in by_path:
            found[file] = by_path[stemmed]
        else:
            found[file] = by_name.get(path.stem, []) if names[path.stem] == 1 else []
    return found


def _as_kept(rgb: Floats) -> Floats:
    """In 8-bit steps, as files hold it, but 0..1."""
    return np.rint(rgb * 255) / np.float32(255)
