"""A corpus' review: its pictures, what is decided of each, and the way back."""

import csv
import io
import math
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, NamedTuple

from retint.data.corpus import Corpus
from retint.data.manifest import NAME as MANIFEST
from retint.data.manifest import Entry
from retint.data.review.decisions import DECISIONS, Decision, Decisions, Verdict, merge, now
from retint.errors import InputError, OptionsError

AUDITS = ("audit.csv", "audit/audit.csv")
"""Where an audit of a corpus may lie: columns shard, file, reason, perhaps figure and other."""

BROWSERS_SHOW = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "image/jpeg"),
    ".png": "image/png",
    ".webp": "image/webp",
}
SMALL = 1 << 16  # bytes: such a file is its own thumbnail
THUMBNAIL = 256  # pixels, shorter side
READERS = 4  # threads: each opens every shard, with a directory of all its names


class Flag(NamedTuple):
    """Why an audit flagged a picture; `other` is the picture it resembles, where it does."""

    reason: str
    figure: str
    other: str


class Review:
    """A corpus under review, in `with`.

    What is decided stands in the journal when `decide` returns, and in the manifest when the block
    ends, or when the next review begins. Pictures are known by their number among `entries`. Any
    thread may call. Raises InputError without a manifest, OutputError where the folder cannot be
    written or is under review already.
    """

    def __init__(self, folder: Path, who: str) -> None:
        self.folder = folder
        self.who = who
        self.verdicts: list[Verdict] = []
        self._journal = Decisions(folder)
        self._changed: list[int] = []  # number of the picture, for each change there was
        self._done: list[list[tuple[int, Decision]]] = []
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> "Review":
        if not (self.folder / MANIFEST).is_file():
            raise InputError(
                f"{self.folder}: no {MANIFEST} to keep decisions in; `retint data prepare` makes "
                "a corpus of any pictures"
            )
        self._journal.__enter__()
        try:
            merge(self.folder, self._journal)
            self._corpus = Corpus(self.folder)
            self.verdicts = [Verdict.of(entry) for entry in self.entries]
            self._flags = _flags(self.folder)
            self._numbers = {entry.name: number for number, entry in enumerate(self.entries)}
        except BaseException:
            self._journal.__exit__(None, None, None)
            raise
        self._readers = ThreadPoolExecutor(READERS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._one_at_a_time:
            self._readers.shutdown(cancel_futures=True)
            try:
                merge(self.folder, self._journal)
            finally:
                self._journal.__exit__(None, None, None)

    @property
    def entries(self) -> list[Entry]:
        """The pictures, in the manifest's order."""
        return self._corpus.entries

    @property
    def version(self) -> int:
        """How many changes there have been."""
        return len(self._changed)

    def decide(
        self, numbers: Sequence[int], *, decision: str | None = None, labels: str | None = None
    ) -> None:
        """Decide of pictures: keep, drop or (empty) neither; or new labels; None leaves as it is.

        OptionsError for what cannot be decided, OutputError where it cannot be kept; then nothing
        has changed.
        """
        if decision is not None and decision not in DECISIONS:
            raise OptionsError(f"a decision is keep, drop or empty, not {decision!r}")
        if not all(0 <= number < len(self.entries) for number in numbers):
            raise OptionsError("there is no picture of that number")
        with self._one_at_a_time:
            when = now()
            batch: list[tuple[int, Decision]] = []
            for number in dict.fromkeys(numbers):
                old = self.verdicts[number]
                new = Verdict(
                    old.decision if decision is None else decision,
                    old.labels if labels is None else " ".join(labels.split()),
                    self.who,
                    when,
                )
                if (new.decision, new.labels) != (old.decision, old.labels):
                    batch.append((number, Decision(self._picture(number), new, old)))
            self._keep(batch)
            if batch:
                self._done.append(batch)

    def undo(self) -> list[int]:
        """Put back what stood before the last `decide` of this review; the pictures it was about.

        OutputError as `decide`; an empty list where there is nothing to undo.
        """
        with self._one_at_a_time:
            if not self._done:
                return []
            when = now()
            batch = [
                (number, Decision(done.picture, done.previous, done.verdict, self.who, when))
                for number, done in self._done[-1]
            ]
            self._keep(batch)
            self._done.pop()
            return [number for number, _ in batch]

    def changes(self, since: int = 0) -> list[list[Any]]:
        """What stands now for the pictures that changed since a version: number, decision, labels,
        who, when."""
        numbers = dict.fromkeys(self._changed[max(0, since) :])
        return [[number, *asdict(self.verdicts[number]).values()] for number in numbers]

    def table(self) -> dict[str, Any]:
        """All pictures as columns, for the page; strings that come often are numbers into lists."""
        version = self.version
        shards, shard = _numbered([entry.shard for entry in self.entries])
        sources, source = _numbered([entry.dataset for entry in self.entries])
        labels, label = _numbered([verdict.labels for verdict in self.verdicts])
        found = [self._reasons(number) for number in range(len(self.entries))]
        reasons, _ = _numbered([reason for some in found for reason in some])
        return {
            "name": self.folder.resolve().name,
            "who": self.who,
            "version": version,
            "shards": shards,
            "sources": sources,
            "labels": labels,
            "reasons": reasons,
            "shard": shard,
            "source": source,
            "label": label,
            "file": [entry.file for entry in self.entries],
            "a": [_number(entry.column("a")) for entry in self.entries],
            "b": [_number(entry.column("b")) for entry in self.entries],
            "flags": [[n, *map(reasons.index, some)] for n, some in enumerate(found) if some],
            "verdicts": [
                [number, *asdict(verdict).values()]
                for number, verdict in enumerate(self.verdicts)
                if verdict.decision or verdict.who
            ],
        }

    def about(self, number: int) -> dict[str, str]:
        """All that is known of a picture: the manifest's columns, its verdict, why it is
        flagged."""
        entry = self.entries[number]
        verdict = self.verdicts[number].columns()
        flagged = [" ".join(part for part in flag if part) for flag in self._flagged(number)]
        known = {
            "file": entry.name,
            "source": entry.dataset,
            "size": f"{entry.width} × {entry.height}",
            "flagged": "; ".join(flagged),
            **verdict,
            **{name: value for name, value in entry.more.items() if name not in verdict},
        }
        return {name: value for name, value in known.items() if value}

    def resembled(self, number: int) -> list[int]:
        """The pictures of the corpus that this one resembles, as the audit says."""
        others = (self._numbers.get(flag.other) for flag in self._flagged(number))
        return [other for other in others if other is not None]

    def picture(self, number: int) -> tuple[str, bytes]:
        """A picture's media type and file; what browsers do not show becomes a JPEG."""
        return self._readers.submit(self._shown, self.entries[number], None).result()

    def thumbnail(self, number: int) -> tuple[str, bytes]:
        """Media type and file of a small copy; a small file is its own."""
        return self._readers.submit(self._shown, self.entries[number], THUMBNAIL).result()

    def _shown(self, entry: Entry, shorter: int | None) -> tuple[str, bytes]:
        kind = BROWSERS_SHOW.get(PurePosixPath(entry.file).suffix.lower())
        if kind:
            data = self._corpus.data(entry)
            if shorter is None or len(data) <= SMALL:
                return kind, data
        file = io.BytesIO()
        self._corpus.picture(entry, shorter).save(file, "JPEG", quality=90)
        return "image/jpeg", file.getvalue()

    def _keep(self, batch: Sequence[tuple[int, Decision]]) -> None:
        self._journal.keep([decision for _, decision in batch])
        for number, decision in batch:
            self.verdicts[number] = decision.verdict
            self._changed.append(number)

    def _flagged(self, number: int) -> Sequence[Flag]:
        return self._flags.get(self._picture(number), ())

    def _reasons(self, number: int) -> list[str]:
        return list(dict.fromkeys(flag.reason for flag in self._flagged(number)))

    def _picture(self, number: int) -> tuple[str, str]:
        return self.entries[number].shard, self.entries[number].file


def _flags(folder: Path) -> dict[tuple[str, str], list[Flag]]:
    """Why each picture is flagged; empty without an audit."""
    found: dict[tuple[str, str], list[Flag]] = defaultdict(list)
    for path in (folder / name for name in AUDITS):
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                try:
                    flag = Flag(row["reason"], row.get("figure") or "", row.get("other") or "")
                    found[row["shard"], row["file"]].append(flag)
                except KeyError as error:
                    raise InputError(f"{path}: no column {error}") from None
        break
    return found


def _numbered(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """The distinct values in order, and for each value its number among them."""
    distinct = sorted(set(values))
    number = {value: n for n, value in enumerate(distinct)}
    return distinct, [number[value] for value in values]


def _number(text: str) -> float | None:
    """What a column says that people may have filled; None where it is no number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
