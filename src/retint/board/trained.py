"""What is known of a training on the board, from its folder."""

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path

from retint.board.plan import Network
from retint.errors import InputError, OutputError


@dataclass(frozen=True)
class State:
    """How far a training is: pictures seen, processor minutes of all its spells, whether its
    schedule has ended, and what went wrong in the last one."""

    pictures: int = 0
    cpu_minutes: float = 0.0
    ended: bool = False
    failed: str = ""


def read(runs: Path, network: Network) -> State:
    """The state of a network's training below `runs`; of an average, that of its parts together.

    InputError for a damaged file.
    """
    if network.average:
        parts = [_read(runs / part) for part in network.average]
        return State(
            min(part.pictures for part in parts),
            sum(part.cpu_minutes for part in parts),
            all(part.ended for part in parts),
            _failed(runs / network.name),
        )
    return _read(runs / network.name)


def _read(folder: Path) -> State:
    spells = _rows(folder / "spells.csv")
    logged = _rows(folder / "log.csv")  # may be ahead, while a training runs
    try:
        return State(
            max([int(row["pictures"]) for row in (*spells[-1:], *logged[-1:])], default=0),
            sum(float(row["cpu_minutes"]) for row in spells),
            bool(spells) and spells[-1]["ended"] == "True",
            _failed(folder),
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"{folder / 'spells.csv'}: cannot be read ({error})") from None


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(path.read_text("utf-8").splitlines()))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def _failed(folder: Path) -> str:
    path = folder / "failed.txt"
    return path.read_text("utf-8").strip() if path.exists() else ""


def note(folder: Path, failed: str) -> None:
    """Keep what went wrong in a spell; "" where nothing did. OutputError."""
    path = folder / "failed.txt"
    try:
        if failed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(failed + "\n", "utf-8")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def model(runs: Path, name: str) -> Path:
    """Where a network's model lies once there is one."""
    return runs / f"{name}.onnx"


def parameters(runs: Path, name: str) -> int | None:
    """Of a model, by the card beside it; None where there is none yet."""
    try:
        return int(tomllib.loads((runs / f"{name}.toml").read_text("utf-8"))["parameters"])
    except (OSError, KeyError, ValueError):
        return None
