"""Further judges; one whose file is not there is a sentence for the report."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from retint.bench.alternatives import Alternatives
from retint.bench.contestants import Colouring
from retint.bench.features import Frechet, Lpips
from retint.bench.hints import Hints
from retint.bench.legibility import Legibility
from retint.bench.measures import Judge, Record
from retint.bench.sets import Truth
from retint.errors import ModelError


class Absent:
    """A judge whose file cannot be used: it finds nothing, and `note` says why."""

    key = "absent"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.note = f"Without {name}: {reason}."

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        """Nothing."""
        return {}

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        """Nothing."""
        return {}


def open_judges(
    classifier: Path | None = None,
    fid: Path | None = None,
    features: Path | None = None,
    lpips: Path | None = None,
    hints: int | None = None,
    alternatives: int | None = None,
    labels: Mapping[str, str] | None = None,
) -> list[Judge]:
    """The judges asked for; one whose file is absent or another network's is `Absent`.

    classifier: see `legibility`, with labels by the pictures' files. fid: the Inception that FID
    is defined by, on the caller's word; features: any network of features. lpips: see `features`.
    hints: number of true colours; alternatives: number of colourings.
    """
    wanted: list[tuple[str, Path | None, Callable[[Path], Judge]]] = [
        ("legibility", classifier, partial(Legibility, labels=labels)),
        ("FID", fid, partial(Frechet, fid=True)),
        ("the Frechet distance", features, Frechet),
        ("LPIPS", lpips, Lpips),
    ]
    judges = [_opened(name, path, opening) for name, path, opening in wanted if path is not None]
    judges += [Hints(hints)] if hints else []
    return judges + ([Alternatives(alternatives)] if alternatives else [])


def _opened(name: str, path: Path, opening: Callable[[Path], Judge]) -> Judge:
    try:
        return opening(path)
    except ModelError as error:
        return Absent(name, str(error))
