"""The photographs of a training's sheets, cut into strips that a page can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from retint.errors import InputError

ROWS = 3  # of a sheet: true, grey, coloured; all its cells are squares
SIDE = 192  # pixels: a page needs no larger squares
QUALITY = 82
ALIKE = 4.0  # codes: sheets of the same photographs differ by no more, whatever JPEG did to them

_vips: Any = pyvips  # it has no types


@dataclass(frozen=True)
class Strips:
    """Photographs in a row, each file a strip of `count` squares, named as from the page.

    true, grey: the same at every checkpoint. coloured: one for each of `steps`.
    """

    steps: tuple[int, ...]
    coloured: tuple[str, ...]
    true: str
    grey: str
    count: int
    small: np.ndarray  # (4, 4 * count, 3): the true photographs, to tell sets of them apart

    def shows_the_same_as(self, other: "Strips") -> bool:
        """Whether the photographs are the same, in the same order."""
        if self.small.shape != other.small.shape:
            return False
        return float(np.abs(self.small - other.small).mean()) < ALIKE


def cut(sheets: Mapping[int, Path], folder: Path, most: int) -> Strips | None:
    """Write the strips of at most `most` of a training's sheets (by step) to `folder`.

    None where there are no sheets. InputError for one that cannot be read.
    """
    steps = spread(sorted(sheets), most)
    if not steps:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    coloured: list[str] = []
    for step in steps:
        coloured.append(_write(_row(sheets[step], 2), folder / f"{step:08}.jpg"))
    last = sheets[steps[-1]]
    true, grey = _row(last, 0), _row(last, 1)
    count = true.width // true.height
    return Strips(
        tuple(steps),
        tuple(coloured),
        _write(true, folder / "true.jpg"),
        _write(grey, folder / "grey.jpg"),
        count,
        true.resize(4 / true.height, kernel="linear").numpy().astype(np.float32),
    )


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of some steps, evenly spread, first and last among them."""
    if len(steps) <= most:
        return list(steps)
    return [steps[i] for i in np.linspace(0, len(steps) - 1, most).round().astype(int)]


def _row(path: Path, row: int) -> Any:
    """A row of a sheet, its squares no larger than SIDE."""
    try:
        sheet = _vips.Image.new_from_file(str(path)).copy_memory()
    except _vips.Error as error:
        raise InputError(f"{path}: cannot be read: {str(error).strip()}") from error
    side = sheet.height // ROWS
    if not side or sheet.height % ROWS or sheet.width % side:
        raise InputError(f"{path}: not a training's sheet: {sheet.width} × {sheet.height} pixels")
    strip = sheet.crop(0, row * side, sheet.width, side)
    count = sheet.width // side
    return strip.thumbnail_image(SIDE * count, height=SIDE, size="force") if side > SIDE else strip


def _write(strip: Any, path: Path) -> str:
    data = strip.jpegsave_buffer(Q=QUALITY, subsample_mode="off", optimize_coding=True)
    path.write_bytes(data)
    return f"{path.parent.name}/{path.name}"
