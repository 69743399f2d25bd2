"""Material for tests of studies: drawn photographs, two ways of colouring, and a study of them."""

import csv
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from conftest import scene
from retint.cli import main

WARM, COLD = (1.0, 0.6, 0.4), (0.4, 0.6, 1.0)


def draw(path: Path, seed: int, gains: tuple[float, float, float] = (1, 1, 1)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = np.rint(np.clip(scene(48, 72, seed) * gains, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(codes).save(path)


def draw_photographs(folder: Path, count: int = 12) -> Path:
    """Photographs in `set`, coloured by `warm` and `cold`, and what is in them in labels.csv."""
    rows = [["file", "names"]]
    for seed in range(count):
        name = f"{'ab'[seed % 2]}/{seed:02}.png"
        draw(folder / "set" / name, seed)
        draw(folder / "warm" / name, seed, WARM)
        draw(folder / "cold" / name, seed, COLD)
        rows.append([name, ["a hill; mountain", "sun", "sky"][seed % 3]])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def create(folder: Path, *words: str, folders: tuple[str, ...] = ("warm", "cold")) -> str:
    """`retint study create study ...`, with what it says."""
    given = [word for name in folders for word in ("--folder", f"{name}={folder / name}")]
    arguments = ["study", "create", str(folder / "study"), "--set", str(folder / "set"), *given]
    result = CliRunner().invoke(main, [*arguments, *words])
    assert result.exit_code == 0, result.output
    return result.output
