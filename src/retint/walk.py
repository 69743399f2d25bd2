"""Which photographs a run is about, and where each result goes: one name per source, never two."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retint.colorizer import Hint
from retint.errors import OptionsError
from retint.formats.codecs import FORMATS, format_by_name, printable, sniff
from retint.journal import Journal, Receipt, absolute

BESIDE = ".colour"
"""What a result beside its source has in its name."""


@dataclass(frozen=True)
class Job:
    """One source and where its result goes; paths are absolute.

    `target` is for the coloured result; `copy` for a photograph that is copied as it is, of the
    same name but for a suffix that follows the format; `folder` is the one whose journal takes the
    receipt. `colours` is somebody else's colouring of the source; `hints` are colours that somebody
    knows. `guarded`: another source of the run lies at `target` or `copy`. With a `problem` the job
    cannot be done and says why.
    """

    source: Path
    target: Path
    copy: Path
    folder: Path
    colours: Path | None = None
    hints: tuple[Hint, ...] = ()
    guarded: bool = False
    problem: str = ""


@dataclass(frozen=True)
class _Found:
    """A source, and its path below the folder that was named (its bare name if it was itself)."""

    path: Path
    below: Path
    problem: str = ""
    named: bool = False


def walk(
    paths: Sequence[Path],
    out: Path | None = None,
    *,
    suffix: str | None = None,
    format: str | None = None,
    colours_from: Path | None = None,
) -> list[Job]:
    """Find the photographs at `paths`, files and folders, and name their results.

    Without `out` a result lies beside its source, with `suffix` (".colour") in its name. With it,
    the tree below a folder is mirrored there; of several paths each folder keeps its own name.
    `out` is a file's name where one photograph is given and it ends like a picture. In folders,
    files that end like pictures are taken; hidden ones, `out` itself and retint's results are not;
    links are followed. Where the format changes, the old ending stays in the name ("a.bmp.png"),
    so that a name does not depend on what else is there; where names collide all the same,
    ignoring case, the later source has a hash of its path in the name.

    What cannot be read becomes a job with a problem. Raises OptionsError for a suffix that cannot
    be one, and for one colouring of several photographs.
    """
    paths = [absolute(path) for path in paths]
    out = None if out is None else absolute(out)
    colours_from = None if colours_from is None else absolute(colours_from)
    if suffix is None:
        suffix = BESIDE if out is None else ""
    if set(suffix) & set("/\\\0"):
        raise OptionsError(f"suffix is {suffix!r}: it is part of a name, without folders")
    if out is None and not suffix:
        raise OptionsError("suffix is empty: results beside their sources need one")
    found = list({f.path: f for f in _sources(paths, out)}.values())
    if out is not None and is_file_name(paths, out):
        jobs = [Job(f.path, out, out, out.parent, problem=f.problem) for f in found]
    else:
        names = _Names([f.path for f in found if not f.problem])
        jobs = [
            names.job(f, f.path.parent if out is None else out, out, suffix, format)
            for f in found
            if f.named or f.problem or not names.is_result(f)
        ]
    if colours_from is not None:
        if len(jobs) > 1 and not colours_from.is_dir():
            raise OptionsError(f"{colours_from} is one colouring, for {len(jobs)} photographs")
        below = {f.path: f.below for f in found}
        jobs = [_with_colours(job, below[job.source], colours_from) for job in jobs]
    return jobs


def is_file_name(paths: Sequence[Path], out: Path) -> bool:
    """Whether `out` names the result of one photograph itself: it ends like a picture."""
    single = len(paths) == 1 and not paths[0].is_dir()
    return single and not out.is_dir() and format_by_name(out.suffix or "none") is not None


def _sources(paths: Sequence[Path], out: Path | None) -> Iterator[_Found]:
    for path in paths:
        below = Path(path.name)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            yield _Found(path, below, _why(path, error), named=True)
            continue
        if stat.S_ISDIR(mode):
            yield from _below(path, below if out is not None and len(paths) > 1 else Path(), out)
        else:
            problem = "" if stat.S_ISREG(mode) else "is no regular file"
            yield _Found(path, below, problem, named=True)


def _below(named: Path, below: Path, out: Path | None) -> Iterator[_Found]:
    """The photographs below a folder, in the order of their names."""
    out_identity = _identity(out) if out is not None and out.exists() else None
    waiting = [(named, below, frozenset[tuple[int, int]]())]
    while waiting:
        folder, below, above = waiting.pop()
        try:
            identity = _identity(folder)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield _Found(folder, below, _why(folder, error))
            continue
        if identity in above:
            yield _Found(folder, below, "a link that leads back to a folder above it")
            continue
        if identity == out_identity and folder != named:
            continue
        folders: list[tuple[Path, Path, frozenset[tuple[int, int]]]] = []
        for entry in entries:
            path, ending = folder / entry.name, Path(entry.name).suffix.lower()
            if entry.name.startswith("."):
                continue
            try:
                mode = entry.stat().st_mode
            except OSError as error:
                if ending in _ENDINGS or not ending:
                    yield _Found(path, below / entry.name, _why(path, error))
                continue
            if stat.S_ISDIR(mode):
                folders.append((path, below / entry.name, above | {identity}))
            elif ending in _ENDINGS:
                problem = "" if stat.S_ISREG(mode) else "is no regular file"
                yield _Found(path, below / entry.name, problem)
        waiting.extend(reversed(folders))


_ENDINGS = {ending for format in FORMATS.values() for ending in format.suffixes}


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino


def _why(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return "is a link that leads nowhere"
    return (error.strerror or str(error)).lower()


class _Names:
    """Gives each source of a run a target that no other source has, or had in an earlier run."""

    def __init__(self, sources: Sequence[Path]) -> None:
        self._folders: dict[Path, str] = {}
        self._sources = {self._key(source): source for source in sources}
        self._claims: dict[str, Path] = {}
        self._journals: dict[Path, dict[str, Receipt]] = {}

    def job(
        self, found: _Found, folder: Path, out: Path | None, suffix: str, format: str | None
    ) -> Job:
        """Name the results of a source."""
        place = folder if out is None else folder / found.below.parent
        target, copy = (place / name for name in _result_names(found, suffix, format))
        tagged_target, tagged_copy = (_tagged(path, found.path) for path in (target, copy))
        earlier = self._receipt(tagged_target, folder)
        plain_is_taken = (earlier is not None and earlier.source == str(found.path)) or any(
            self._is_taken(path, folder, found.path) for path in (target, copy)
        )
        if plain_is_taken:
            target, copy = tagged_target, tagged_copy
        self._claims |= {self._key(path): found.path for path in (target, copy)}
        others = {self._sources.get(self._key(path), found.path) for path in (target, copy)}
        return Job(
            found.path, target, copy, folder,
            guarded=others != {found.path}, problem=found.problem,
        )  # fmt: skip

    def is_result(self, found: _Found) -> bool:
        """Whether a file below a named folder is a result of an earlier run beside its source."""
        receipt = self._receipt(found.path, found.path.parent)
        return (
            receipt is not None
            and receipt.status in ("done", "copied")
            and receipt.source != str(found.path)
        )

    def _is_taken(self, path: Path, folder: Path, source: Path) -> bool:
        """Whether the path is another source's, in this run or, if that still exists, before."""
        if self._claims.get(self._key(path), source) != source:
            return True
        receipt = self._receipt(path, folder)
        return (
            receipt is not None
            and receipt.status in ("done", "copied")
            and receipt.source != str(source)
            and os.path.lexists(receipt.source)
        )

    def _receipt(self, path: Path, folder: Path) -> Receipt | None:
        if folder not in self._journals:
            receipts = Journal(folder).receipts()
            self._journals[folder] = {self._key(Path(r.target)): r for r in receipts}
        return self._journals[folder].get(self._key(path))

    def _key(self, path: Path) -> str:
        """The same for two names of a file, though case or the form of accents differ."""
        if path.parent not in self._folders:
            self._folders[path.parent] = os.path.realpath(path.parent)
        name = f"{self._folders[path.parent]}/{path.name}"
        return unicodedata.normalize("NFC", name).casefold()


def _result_names(found: _Found, suffix: str, format: str | None) -> tuple[str, str]:
    """Names of the coloured result and of a copy."""
    path = found.below
    copy = f"{path.stem}{suffix}{path.suffix}"
    ending = path.suffix.lower()
    kind = None if found.problem else _content(found.path)
    by_name = next((f.name for f in FORMATS.values() if ending in f.suffixes), None)
    source = FORMATS.get(kind or "") or FORMATS.get(by_name or "")
    result = format or (source and source.result)
    if result is None or ending in _endings(result):
        return copy, copy
    return f"{path.name}{suffix}{_endings(result)[0]}", copy


def _endings(format: str) -> tuple[str, ...]:
    """What names of results of a format may end with."""
    # .pgm and .pbm promise a file without colour
    return (".ppm", ".pnm") if format == "pnm" else FORMATS[format].suffixes


def _content(path: Path) -> str | None:
    """The format that a file is of, whatever it is called."""
    try:
        with path.open("rb") as file:
            return sniff(file.read(64))
    except OSError:
        return None  # the reason is told when the photograph is opened


def _tagged(path: Path, source: Path) -> Path:
    tag = hashlib.sha256(os.fsencode(source)).hexdigest()[:8]
    return path.with_name(f"{path.stem}~{tag}{path.suffix}")


def _with_colours(job: Job, below: Path, colours: Path) -> Job:
    """The job with its partner among somebody else's colourings, found by name without ending."""
    if job.problem or not colours.is_dir():
        return replace(job, colours=colours)
    folder = colours / below.parent
    try:
        partners = sorted(
            path
            for path in folder.iterdir()
            if path.stem == below.stem and path.suffix.lower() in _ENDINGS
        )
    except OSError:
        partners = []
    exact = [path for path in partners if path.name == below.name] or partners
    if len(exact) == 1:
        return replace(job, colours=exact[0])
    names = " and ".join(printable(path) for path in exact[:3])
    problem = f"has several colourings: {names}" if exact else f"has no colouring in {folder}"
    return replace(job, problem=problem)
