"""A part of a corpus as a corpus of its own: by class, by source, by what the columns say."""

import difflib
import operator
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from retint.data.corpus import Corpus
from retint.data.manifest import NAME, OWN, Entry, Manifest
from retint.data.writer import CorpusWriter
from retint.errors import InputError, OptionsError, OutputError

Test = Callable[[Entry], bool]

_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*")
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_COMPARE = {"=": operator.eq, "!=": operator.ne, **_ORDER}
_WORDNET = re.compile(r"n\d{8}")


def select(
    entries: Iterable[Entry],
    *,
    classes: Sequence[str] = (),
    sources: Sequence[str] = (),
    min_side: int = 0,
    where: Sequence[str] = (),
    columns: Iterable[str] = (),
) -> list[Entry]:
    """The entries that match one of the classes, one of the sources and every condition.

    classes: parts of labels, upper and lower case alike, or WordNet ids; sources: parts of the
    data set's name. where: see `condition`; `columns` are those of the manifest. Pictures whose
    decision is drop are left out. Raises InputError where a class or source matches nothing, with
    the nearest names.
    """
    entries = [entry for entry in entries if entry.decision != "drop"]
    labels = [words(entry.labels) for entry in entries]
    names = [words(entry.dataset) for entry in entries]
    _check("class", classes, labels)
    _check("source", sources, names)
    tests = [condition(text, columns) for text in where]
    return [
        entry
        for entry, label, name in zip(entries, labels, names, strict=True)
        if (not classes or any(matches(wanted, label) for wanted in classes))
        and (not sources or any(matches(wanted, name) for wanted in sources))
        and entry.shorter >= min_side
        and all(test(entry) for test in tests)
    ]


def words(text: str) -> str:
    """A label in the form in which labels are compared: lower case, blanks for underscores."""
    return text.replace("_", " ").casefold()


def matches(wanted: str, label: str) -> bool:
    """Whether a wanted class is this label (in the form of `words`): its id, or a part of it."""
    wanted = words(wanted)
    if _WORDNET.fullmatch(wanted):
        return wanted in _WORDNET.findall(label)
    return wanted in label


def condition(text: str, columns: Iterable[str] = ()) -> Test:
    """Read a condition: COLUMN, one of = != < <= > >= and ~ (contains), and a value.

    Numbers are compared as numbers, other texts without regard to case; an empty or other than
    numeric cell is in no order to a number. `shorter` is the shorter side. Raises OptionsError.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise OptionsError(f"--where {text!r}: give COLUMN=VALUE, with = != < <= > >= or ~")
    column, sign, value = found.groups()
    known = ["shorter", *columns]
    if columns and column not in known:
        near = difflib.get_close_matches(column, known, 1) or known
        raise OptionsError(f"--where: the manifest has no column {column}; {near[0]} perhaps?")
    wanted = _number(value)
    if wanted is None and sign in _ORDER:
        raise OptionsError(f"--where {text!r}: {value!r} is not a number")

    def test(entry: Entry) -> bool:
        cell = str(entry.shorter) if column == "shorter" else entry.column(column)
        number = _number(cell)
        if sign == "~":
            return words(value) in words(cell)
        if wanted is not None and number is not None:
            return _COMPARE[sign](number, wanted)
        return sign not in _ORDER and _COMPARE[sign](words(cell), words(value))

    return test


def write(entries: Sequence[Entry], source: Path, target: Path, *, copy: bool = False) -> None:
    """Write entries of the corpus in `source` as a corpus in `target`, which has none yet.

    copy: the pictures too; otherwise the manifest points to where they are. Raises OutputError.
    """
    if (target / NAME).exists():
        raise OutputError(f"{target}: has a manifest already; give a new folder")
    if not copy:
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written: {error.strerror}") from error
        Manifest(relocated(entries, source, target)).write(target / NAME)
        return
    corpus = Corpus(source)
    with CorpusWriter(
        target, columns=(*dict.fromkeys(name for e in entries for name in e.more), "origin")
    ) as writer:
        for entry in entries:
            cells = {name: entry.column(name) for name in OWN} | dict(entry.more)
            cells["origin"] = entry.origin
            writer.add(corpus.data(entry), Path(entry.file).suffix.lower(), cells)


def relocated(entries: Iterable[Entry], source: Path, target: Path) -> list[Entry]:
    """The entries as a manifest in the folder `target` names them: shards by relative paths."""
    source, target = source.resolve(), target.resolve()

    def there(path: str) -> str:
        if Path(path).is_absolute():
            return path
        try:
            return Path(os.path.relpath(source / path, target)).as_posix()
        except ValueError:  # another drive
            return (source / path).as_posix()

    return [
        entry.having(
            {"shard": there(entry.shard)}
            if entry.shard
            else {"file": there(entry.file), "origin": entry.origin}
        )
        for entry in entries
    ]


def counted(entries: Iterable[Entry], column: str) -> list[tuple[str, int]]:
    """How many pictures have each text in a column, the most frequent first."""
    return Counter(entry.column(column) for entry in entries).most_common()


def _check(kind: str, wanted: Iterable[str], there: Sequence[str]) -> None:
    """Every wanted name has to match something."""
    distinct = sorted(set(there))
    for name in wanted:
        if not any(matches(name, label) for label in distinct):
            # of "n02099601:golden retriever" the words count
            by_words = {label.partition(":")[2] or label: label for label in distinct}
            near = difflib.get_close_matches(words(name), by_words, 3, 0.5)
            hint = f"; near it: {', '.join(near)}" if near else "; --list shows what there is"
            raise InputError(f"no {kind} {name!r} in this corpus{hint}")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
