"""Contact sheets: pictures side by side, their names below, as many pages as it takes."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from retint import color
from retint.bench.contestants import Folder, Model, coloured, guess
from retint.bench.sets import Truth
from retint.color import Floats
from retint.errors import InputError, OutputError
from retint.photo import Photo

CELL = 300, 240  # pixels: the room of one picture
CAPTION = 22
GAP = 6
COLUMNS = 6
ROWS = 6

_vips: Any = pyvips  # it has no types


def write_sheets(
    photographs: Iterable[Truth],
    contestants: Sequence[Model | Folder],
    target: Path,
    *,
    truth: bool,
) -> list[Path]:
    """Write each photograph as original (with truth), grey and coloured by each contestant.

    target: .jpg or .png; further pages become NAME-2, NAME-3, ... Returns the pages' paths.
    Photographs that cannot be decoded are passed over. Raises OutputError where a page cannot be
    written.
    """
    groups: list[Any] = []
    for photograph in photographs:
        with suppress(InputError):
            groups.append(_group(photograph, contestants, truth))
    across = max(1, COLUMNS // (1 + truth + len(contestants)))
    per_page = across * ROWS
    pages: list[Path] = []
    for start in range(0, len(groups), per_page):
        number = start // per_page + 1
        name = target.name if number == 1 else f"{target.stem}-{number}{target.suffix}"
        page = _vips.Image.arrayjoin(
            groups[start : start + per_page], across=across, shim=2 * GAP, background=255
        )
        page = page.embed(GAP, GAP, page.width + 2 * GAP, page.height + 2 * GAP, extend="white")
        pages.append(target.with_name(name))
        try:
            page.write_to_file(str(pages[-1]), **_saving(target))
        except _vips.Error as error:
            raise OutputError(f"{pages[-1]}: cannot be written: {error}") from error
    return pages


def _saving(target: Path) -> dict[str, Any]:
    return {"Q": 90} if target.suffix.lower() in (".jpg", ".jpeg") else {}


def _group(photograph: Truth, contestants: Sequence[Model | Folder], truth: bool) -> Any:
    """One photograph's cells in a row, each with its caption."""
    photo = photograph.photo
    height, width = photograph.size
    longest = max(1, int(max(height, width) * min(CELL[0] / width, CELL[1] / height)))
    lab = photo.thumbnail_lab(longest)
    title = Path(photograph.file).name
    cells = [(title, color.lab_to_srgb(lab))] if truth else []
    grey = color.lab_to_srgb(lab * np.array((1, 0, 0), np.float32))
    cells.append(("" if truth else title, grey))
    for contestant in contestants:
        if isinstance(contestant, Model):
            rgb = coloured(lab[..., 0], guess(contestant.colorizer, photo))
        else:
            rgb = _delivered(contestant, photograph.file, longest)
        cells.append((contestant.name, rgb))
    return _vips.Image.arrayjoin(
        [_cell(*cell) for cell in cells], across=len(cells), shim=GAP, background=255
    )


def _delivered(folder: Folder, file: str, longest: int) -> Floats:
    """What lies in the folder, small; white where nothing does."""
    try:
        return color.lab_to_srgb(Photo.open(folder.path(file)).thumbnail_lab(longest))
    except InputError:
        return np.ones((1, 1, 3), np.float32)


def _cell(caption: str, rgb: Floats) -> Any:
    """A picture in the middle of its cell, the caption below."""
    image = _vips.Image.new_from_array(np.rint(rgb * 255).astype(np.uint8))
    image = image.copy(interpretation="srgb").gravity("centre", *CELL, extend="white")
    image = image.embed(0, 0, CELL[0], CELL[1] + CAPTION, extend="white")
    if not caption:
        return image
    text = _vips.Image.text(_escaped(caption), font="sans 9", dpi=96)
    text = text.crop(0, 0, min(text.width, CELL[0]), min(text.height, CAPTION)).invert()
    return image.insert(text.bandjoin([text, text]), 0, CELL[1] + 2)


def _escaped(caption: str) -> str:
    return caption.replace("&", "&amp;").replace("<", "&lt;")  # captions are Pango markup
