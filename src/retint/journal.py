"""What happened to each file: the receipt, and the journal of an output folder that keeps them."""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from retint.errors import OutputError
from retint.lines import Lines

NAME = "retint-journal.jsonl"
"""Name of the journal in an output folder."""

Status = Literal["done", "copied", "skipped", "failed", "unchanged", "planned"]
"""done, copied (real colour, as it was), skipped (with the reason) and failed stand in journals;
unchanged (done before, still good) and planned (a dry run) are only told."""

TOLD_ONLY = ("unchanged", "planned")


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path from the root, its folder without links; a link at its end stays one."""
    full = Path(path).absolute()
    if full.name in ("", ".."):
        return Path(os.path.realpath(full))
    return Path(os.path.realpath(full.parent), full.name)


@dataclass(frozen=True)
class Receipt:
    """What happened to one source.

    `target` is where the result is, or would be. `reason` says why a file was skipped or failed.
    Hashes are SHA-256 in hex, empty where there is nothing to hash. `model`, `model_version` and
    `weights_sha256` name the origin of the colours; `device` is where the network ran. `options`
    are those of the run; `hints` the colours that were given in places (`Hint`'s fields), if any
    were. `delta_L_mean` and `delta_L_max` are measured between source and result
    as a reader decodes them, in L* units. `notes` tell what could not be kept, or had to be read in
    an unusual way. `time` is the end of the work, ISO 8601 in UTC.
    """

    source: str
    target: str
    status: Status
    reason: str = ""
    source_sha256: str = ""
    output_sha256: str = ""
    model: str = ""
    model_version: str = ""
    weights_sha256: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    hints: tuple[Mapping[str, float], ...] = ()
    device: str = ""
    seconds: float = 0.0
    delta_L_mean: float | None = None
    delta_L_max: float | None = None
    notes: tuple[str, ...] = ()
    time: str = ""
    retint_version: str = ""

    def to_json(self) -> str:
        """One line of JSON, ASCII only; names that are no UTF-8 survive."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> "Receipt":
        """Read `to_json`'s line; keys of a newer version are left out. ValueError if it is none."""
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError("a receipt is a JSON object")
        values = cast(dict[str, Any], values)
        known = {item.name: values[item.name] for item in fields(cls) if item.name in values}
        for key, value in known.items():
            if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
                raise ValueError(f"a receipt's {key} is {value!r}")
        if known.get("status") not in get_args(Status):
            raise ValueError(f"a receipt's status is {known.get('status')!r}")
        if not {"source", "target"} <= known.keys():
            raise ValueError("a receipt names its source and target")
        known["notes"] = tuple(map(str, known.get("notes", ())))
        known["hints"] = tuple(known.get("hints", ()))
        return cls(**known)


_KINDS: dict[str, Any] = {
    **{item.name: str for item in fields(Receipt)},
    "options": dict,
    "hints": list,
    "notes": list,
    "seconds": (int, float),
    "delta_L_mean": (int, float, type(None)),
    "delta_L_max": (int, float, type(None)),
}


class Journal:
    """Receipts of an output folder, one JSON line each, appended and never changed.

    Reading needs no rights and no lock. Writing is for one run at a time: inside `with`, the file
    is locked, and each `append` is on the disk when it returns. Targets inside the folder are
    written relative to it, so that the folder can move. A line torn by a crash is passed over.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = absolute(folder)
        self.path = self.folder / NAME
        self._lines = Lines(self.path, f"{self.folder}: another run is at work in this folder")
        self._held = ExitStack()
        self._latest: dict[str, Receipt] = {}
        self._read()

    def find(self, target: Path) -> Receipt | None:
        """The newest receipt of that target, if there is one."""
        return self._latest.get(self._relative(str(target)))

    def receipts(self) -> list[Receipt]:
        """The newest receipt of each target, in the order of their first ones."""
        return list(self._latest.values())

    def append(self, receipt: Receipt) -> None:
        """Write a receipt to the disk; OutputError where that fails, with nothing half-written."""
        written = replace(receipt, target=self._relative(receipt.target))
        self._lines.append(written.to_json() + "\n")
        self._keep(receipt)

    def __enter__(self) -> "Journal":
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"{self.folder}: is a file, not a folder")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        with ExitStack() as held:
            held.enter_context(self._lines)
            self._read()  # another run may have ended between our reading and our lock
            self._held = held.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def _read(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        for line in text.splitlines():
            try:
                receipt = Receipt.from_json(line)
            except ValueError:
                continue
            self._keep(replace(receipt, target=str(self.folder / receipt.target)))

    def _keep(self, receipt: Receipt) -> None:
        self._latest[self._relative(receipt.target)] = receipt

    def _relative(self, target: str) -> str:
        path = Path(target)
        inside = path.is_relative_to(self.folder)
        return path.relative_to(self.folder).as_posix() if inside else target
