"""What a reviewer decided: kept at once in a corpus' journal, and taken from there to the
manifest."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from retint.data import manifest
from retint.data.manifest import Entry, Manifest
from retint.errors import InputError
from retint.lines import Lines

NAME = "decisions.jsonl"
"""Name of the journal in a corpus' folder."""

DECISIONS = ("", "keep", "drop")
"""What can be decided of a picture; empty is not decided."""

Picture = tuple[str, str]
"""A picture's shard and file, as in the manifest."""

EXPORTED = ("shard", "file", "decision", "labels", "decided_by", "decided_at")

MERGED = {"merged": True}


@dataclass(frozen=True)
class Verdict:
    """What is decided of one picture: the manifest's columns decision, labels, decided_by and
    decided_at (ISO 8601 in UTC)."""

    decision: str = ""
    labels: str = ""
    who: str = ""
    when: str = ""

    @classmethod
    def of(cls, entry: Entry) -> "Verdict":
        """The verdict that a manifest knows."""
        columns = ("decision", "labels", "decided_by", "decided_at")
        return cls(*(entry.column(column) for column in columns))

    def columns(self) -> dict[str, str]:
        """What the manifest shall say."""
        return {
            "labels": self.labels,
            "decision": self.decision,
            "decided_by": self.who,
            "decided_at": self.when,
        }


@dataclass(frozen=True)
class Decision:
    """One line of the journal: a picture's verdict, and the one that stood before.

    Where an earlier verdict is put back, `verdict` names who made that, and `undone_by` and
    `undone_at` who put it back.
    """

    picture: Picture
    verdict: Verdict
    previous: Verdict
    undone_by: str = ""
    undone_at: str = ""

    def to_json(self) -> str:
        """One line of JSON, ASCII only; names that are no UTF-8 survive."""
        shard, file = self.picture
        line: dict[str, Any] = {"shard": shard, "file": file, **asdict(self.verdict)}
        line["previous"] = asdict(self.previous)
        if self.undone_by:
            line |= {"undone_by": self.undone_by, "undone_at": self.undone_at}
        return json.dumps(line)

    @classmethod
    def from_json(cls, line: str) -> "Decision":
        """Read `to_json`'s line; ValueError if it is none."""
        values = _object(json.loads(line))
        picture = (_text(values, "shard"), _text(values, "file"))
        previous = _verdict(_object(values.get("previous")))
        undone = (str(values.get("undone_by", "")), str(values.get("undone_at", "")))
        return cls(picture, _verdict(values), previous, *undone)


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Decisions(Lines):
    """The journal of a corpus, appended and never changed; to be used in `with`.

    One process at a time: the file is locked, and OutputError says so to the second. A line torn
    by a crash is passed over. What follows the last mark of `mark_merged` is left over: the
    manifest may not know it yet.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder / NAME,
            f"{folder}: somebody is reviewing this corpus already; wait until that review has "
            "ended (Ctrl-C where it was started)",
        )

    def keep(self, decisions: Sequence[Decision]) -> None:
        """Bring decisions to the disk; OutputError where that fails, with none of them written."""
        self.append("".join(decision.to_json() + "\n" for decision in decisions))

    def mark_merged(self) -> None:
        """Say that the manifest knows everything up to here."""
        self.append(json.dumps(MERGED | {"when": now()}) + "\n")


def left_over(folder: Path) -> dict[Picture, Verdict]:
    """The newest verdict of each picture in a corpus' journal since the last merge.

    Needs no lock. Raises InputError where the journal cannot be read.
    """
    path = folder / NAME
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    found: dict[Picture, Verdict] = {}
    for line in lines:
        if _is_mark(line):
            found.clear()
            continue
        try:
            decision = Decision.from_json(line)
        except ValueError:  # torn by a crash
            continue
        found[decision.picture] = decision.verdict
    return found


def judged(folder: Path) -> Manifest:
    """A corpus' manifest with the verdicts that its journal has left over. Raises InputError."""
    read = Manifest.read(folder / manifest.NAME)
    verdicts = left_over(folder)
    read.entries = [
        entry.having(verdicts[entry.shard, entry.file].columns())
        if (entry.shard, entry.file) in verdicts
        else entry
        for entry in read.entries
    ]
    return read


def merge(folder: Path, journal: Decisions) -> None:
    """Take what is left over to the manifest, whole or not at all.

    Raises InputError or OutputError; then it stays left over.
    """
    if left_over(folder):
        judged(folder).write(folder / manifest.NAME)
        journal.mark_merged()


def write_decisions(folder: Path, path: Path) -> int:
    """Write shard, file, decision, labels, decided_by and decided_at of every picture that somebody
    decided about as CSV, also while a review goes on; how many. Raises InputError, OutputError.
    """
    entries = [e for e in judged(folder).entries if e.decision or e.column("decided_by")]
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerow(EXPORTED)
    manifest.write_rows(table, entries, EXPORTED)
    manifest.replace_file(path, table.getvalue().encode())
    return len(entries)


def _is_mark(line: str) -> bool:
    return line.startswith(json.dumps(MERGED)[:-1])


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a decision is a JSON object")
    return cast(dict[str, Any], value)


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise ValueError(f"a decision's {key} is {value!r}")
    return value


def _verdict(values: Mapping[str, Any]) -> Verdict:
    verdict = Verdict(*(_text(values, key) for key in ("decision", "labels", "who", "when")))
    if verdict.decision not in DECISIONS:
        raise ValueError(f"a decision is {verdict.decision!r}")
    return verdict
