"""Contestants on photographs that have no true colours: how much colour, how clean, how steady."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from retint import color, metrics
from retint.bench import statistics
from retint.bench.contestants import Folder, Model, coloured, guess
from retint.bench.sets import Truth
from retint.bench.stability import CHANGES, FAINT, stability
from retint.bench.tables import aligned
from retint.bench.work import Progress, work_off
from retint.color import Floats
from retint.colorizer import Colorizer
from retint.errors import InputError, ModelError
from retint.photo import Photo
from retint.predict import resize

LONGEST = 512  # pixels: size at which colour is looked at
GREY = 5.0  # Lab units of chroma: below this a pixel counts as left grey

Figures: TypeAlias = dict[str, float]
Answer: TypeAlias = Figures | InputError | ModelError


def look(
    paths: Iterable[Path],
    models: Mapping[str, Colorizer],
    folders: Mapping[str, Path] | None = None,
    *,
    jobs: int = 1,
    progress: Progress = lambda what, done, of: None,
) -> dict[str, Any]:
    """Figures of models, and of folders of somebody else's colourings, as plain values for JSON.

    `film`, by contestant: `figures`, those of the set; `intervals`, the same with their 95 %
    ranges over the photographs; `per_picture`, None where a photograph has none; `left_out`,
    photographs that a folder lacks. `left_grey` is the share of pixels with a chroma below 5,
    `spread` the mean distance from a colouring's own mean colour. Of models alone: `change_mirror`,
    `change_crop`, `change_scale`, see `stability`: of a photograph the distance over its chroma,
    None below a mean chroma of 2; of the set the mean distance over the mean chroma, so that
    photographs left nearly grey count for little.

    Photographs that cannot be read are left out and named; so is, in `failed`, a model that fails.
    jobs: processes. Raises InputError where no photograph can be read.
    """
    paths = list(paths)
    contestants: list[Model | Folder] = [Model(name, model) for name, model in models.items()]
    names = [path.name for path in paths]
    contestants += [Folder(name, path, names) for name, path in (folders or {}).items()]
    looking = _Looking(contestants)
    rows: list[list[Answer]] = []
    files: list[str] = []
    left_out: dict[str, str] = {}
    progress("looking", 0, len(paths))
    for done, (path, found) in enumerate(
        zip(paths, work_off(looking, paths, jobs), strict=True), 1
    ):
        if isinstance(found, InputError):
            left_out[path.name] = str(found)
        else:
            files.append(path.name)
            rows.append(found)
        progress("looking", done, len(paths))
    if not files:
        raise InputError(f"none of the {len(left_out)} photographs can be read")
    film: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for place, contestant in enumerate(contestants):
        answers = [row[place] for row in rows]
        if faults := [answer for answer in answers if isinstance(answer, ModelError)]:
            failed[contestant.name] = str(faults[0])
        else:
            film[contestant.name] = _summary(answers, files)
    return {"film": film, "files": files, "left_out": left_out, "failed": failed}


def table(found: Mapping[str, Any]) -> str:
    """What `look` found, as Markdown."""
    lines = [["", "colourfulness", "left grey", "spread", "bleeding", "mean a", "mean b"]]
    lines[0] += [*CHANGES, "n"]
    for name, contestant in found["film"].items():
        figures = contestant["figures"]
        lines.append(
            [
                name,
                _shown(figures.get("colourfulness"), ".1f"),
                _shown(figures.get("left_grey"), ".0%"),
                _shown(figures.get("spread"), ".1f"),
                _shown(figures.get("bleeding"), ".3f"),
                _shown(figures.get("mean_a"), "+.1f"),
                _shown(figures.get("mean_b"), "+.1f"),
                *(_range(contestant["intervals"].get(f"change_{change}")) for change in CHANGES),
                str(len(found["files"]) - len(contestant["left_out"])),
            ]
        )
    said = [
        f"{len(found['files'])} photographs, {len(found['left_out'])} left out. Left grey: share"
        f" of pixels with a chroma below {GREY:.0f}. Spread: mean distance from the mean colour,"
        " Lab units. Mirror, crop, scale: how far colours move when the photograph is mirrored, cut"
        " by 3 % or shown 1.25 times as large, in parts of their chroma; a wash of one colour does"
        " not move, but has no spread.",
        *(f"Left out: {reason}." for reason in found["left_out"].values()),
        *(f"{name} failed: {reason}." for name, reason in found["failed"].items()),
    ]
    for name, contestant in found["film"].items():
        said += [f"{name} left out: {reason}." for reason in contestant["left_out"].values()]
    return "\n".join([aligned(lines), "", *said])


@dataclass(frozen=True)
class _Looking:
    """What is done with one photograph; it goes to other processes."""

    contestants: Sequence[Model | Folder]

    def __call__(self, path: Path) -> list[Answer] | InputError:
        try:
            photo = Photo.open(path)
            L = photo.thumbnail(LONGEST)
        except InputError as error:
            return error
        truth = Truth(photo, path.name)
        return [self._answer(contestant, truth, L) for contestant in self.contestants]

    def _answer(self, contestant: Model | Folder, truth: Truth, L: Floats) -> Answer:
        try:
            if isinstance(contestant, Folder):
                rgb = np.moveaxis(contestant.colour(truth).rgb, -1, 0)
                return _figures(np.moveaxis(resize(rgb, *L.shape), 0, -1), L)
            model = contestant.colorizer
            figures = _figures(coloured(L, guess(model, truth.photo)), L)
            return figures | {f"_{k}": v for k, v in stability(model, truth.photo).items()}
        except (InputError, ModelError) as error:
            return error


def _figures(rgb: Floats, L: Floats) -> Figures:
    ab = color.srgb_to_lab(rgb)[..., 1:]
    mean = ab.reshape(-1, 2).mean(axis=0, dtype=np.float64)
    return {
        "colourfulness": metrics.colourfulness(rgb),
        "left_grey": float((metrics.chroma(ab) < GREY).mean()),
        "spread": float(metrics.chroma(ab - mean).mean(dtype=np.float64)),
        "bleeding": metrics.bleeding(ab, L),
        "mean_a": float(mean[0]),
        "mean_b": float(mean[1]),
    }


def _summary(answers: Sequence[Answer], files: Sequence[str]) -> dict[str, Any]:
    """Of one contestant: figures of the set, their ranges, those of each photograph."""
    left_out = {
        file: str(answer)
        for file, answer in zip(files, answers, strict=True)
        if isinstance(answer, InputError)
    }
    found = [answer if isinstance(answer, dict) else {} for answer in answers]
    columns = {
        name: np.array([row.get(name, np.nan) for row in found])
        for name in dict.fromkeys(name for row in found for name in row)
    }
    chroma = columns.pop("_chroma", None)
    intervals = {
        name: statistics.mean(column) for name, column in columns.items() if name[0] != "_"
    }
    per_picture = {name: columns[name] for name in intervals}
    if chroma is not None:
        for change in CHANGES:
            distance = columns[f"_{change}"]
            sound = np.where(chroma >= FAINT, chroma, np.nan)
            per_picture[f"change_{change}"] = distance / sound
            if np.nanmean(chroma) >= FAINT:
                intervals[f"change_{change}"] = statistics.ratio_of_means(distance, chroma)
    return {
        "figures": {name: _plain(interval.value) for name, interval in intervals.items()},
        "intervals": {
            name: {key: _plain(value) for key, value in asdict(interval).items()}
            for name, interval in intervals.items()
        },
        "per_picture": {
            name: [_plain(value) for value in column.tolist()]
            for name, column in per_picture.items()
        },
        "left_out": left_out,
    }


def _plain(value: float) -> float | None:
    """For JSON, which has no nan."""
    return round(value, 4) if np.isfinite(value) else None


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _range(interval: Mapping[str, float | None] | None) -> str:
    """A share with its range, in per cent."""
    known = [100 * number for number in (interval or {}).values() if number is not None]
    if len(known) < 3:
        return ""
    value, low, high = known
    return f"{value:.0f} % ({low:.0f}..{high:.0f})"
