"""A file in, a file out, and a receipt that says what happened."""

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retint import predict
from retint.colorizer import Colorizer, Options, borrow
from retint.errors import InputError, OutputError, RetintError
from retint.formats.codecs import format_by_name, printable
from retint.formats.metadata import Mark
from retint.hub import sha256
from retint.journal import Receipt, Status, absolute
from retint.photo import Photo
from retint.tinted import sync_folder
from retint.walk import Job, walk

PARTIAL = ".retint-partial"
"""Folder inside an output folder where results are written before they are moved into place."""

NO_ROOM = "no room is left on the disk"
NO_MEMORY = "there is not enough memory for it"


def colorize(
    source: str | os.PathLike[str], target: str | os.PathLike[str] | None = None, **options: Any
) -> Receipt:
    """Colour a photograph and write the result, as the fields of Options say.

    Without a target the result lies beside the source ("1912.colour.tif"). A file at the target is
    replaced, but never the source, also not through a link. The target's ending chooses the format
    unless `format` does. Returns the receipt: its status is "done", or "skipped" or "copied" where
    the photograph has colour already (`if_colour`) or is retint's own result. No journal is kept.

    Raises OptionsError, InputError, OutputError, ModelError or DeviceError.
    """
    chosen = Options.from_dict(options)
    path = absolute(source)
    if path.is_dir():
        raise InputError(f"{printable(path)}: is a folder, not a photograph")
    if target is None:
        (job,) = walk([path], format=chosen.format)
    else:
        place = absolute(target)
        kind = format_by_name(place.suffix or "none")
        if chosen.format is None and kind is not None:
            chosen = replace(chosen, format=kind.name)
        job = Job(path, place, place, place.parent)
    if job.problem:
        raise InputError(f"{printable(path)}: {job.problem}")
    with ThreadPoolExecutor(1) as beside:
        opening = beside.submit(_open, job.source, chosen)
        colorizer = Colorizer(predict.load(chosen.model, device=chosen.device), chosen)
        work = _Work(job, colorizer, chosen, overwrite=True, partial=".", opening=opening)
        try:
            return work.receipt()
        except OSError as error:
            raise InputError(f"{printable(path)}: {error.strerror or error}") from error


def colorize_file(
    job: Job,
    colorizer: Colorizer | None,
    options: Options,
    *,
    earlier: Receipt | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Receipt:
    """Do a job and say what happened; what goes wrong with the file is a "failed" receipt.

    colorizer: made with these options; None where the job names a colouring to take colours from.
    earlier: the newest receipt of the target. The file is "unchanged" if its source, options and
    weights are those of `earlier` and its output is what was written then. An output that was
    changed since, or that is retint's but has no receipt, is made anew, and what was there is set
    aside as NAME.changed unless it is the same. A file that retint did not write fails the job.
    overwrite: make the result anew and replace what is there, but never another source.
    dry_run: write nothing; what would be coloured is "planned".
    """
    work = _Work(job, colorizer, options, earlier, overwrite, dry_run)
    try:
        return work.receipt()
    except RetintError as error:
        reason = str(error)
        if _is_no_room(error):
            reason = f"{NO_ROOM} ({reason})"
    except OSError as error:
        reason = NO_ROOM if _is_no_room(error) else (error.strerror or str(error)).lower()
    except MemoryError:
        reason = NO_MEMORY
    except Exception as error:  # a run goes on, whatever one file does to it
        words = " ".join(str(error).split())
        reason = f"an error of retint's own, please report it: {type(error).__name__}: {words}"
    return work.say("failed", reason=reason.removeprefix(f"{printable(job.source)}: "))


def failed(job: Job, options: Options, reason: str) -> Receipt:
    """The receipt of a job that nobody could finish."""
    return _Work(job, None, options).say("failed", reason=reason)


def remove_partial(folder: Path) -> None:
    """Remove what a run that was killed left half-written in an output folder."""
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)


def _open(source: Path, options: Options) -> Photo:
    """Open a photograph, and decode it as far as its thumbnails need."""
    photo = Photo.open(source, max_pixels=options.max_pixels)
    if not photo.is_marked:
        photo.hold()
        photo.thumbnail()
    return photo


@dataclass
class _Work:
    """One job on its way to a receipt."""

    job: Job
    colorizer: Colorizer | None
    options: Options
    earlier: Receipt | None = None
    overwrite: bool = False
    dry_run: bool = False
    partial: str = PARTIAL
    opening: "Future[Photo] | None" = None
    hashing: "Future[str] | None" = None
    known: dict[str, Any] = field(default_factory=dict[str, Any])
    begin: float = field(default_factory=time.monotonic)

    def receipt(self) -> Receipt:
        """Do the job; raises what went wrong."""
        job = self.job
        if job.problem:
            raise InputError(job.problem)
        self.known = self._origin()
        with ThreadPoolExecutor(1) as beside:  # nothing waits for the hash but the receipt
            self.hashing = beside.submit(sha256, job.source)
            if self.earlier is not None and not self.overwrite and self._is_unchanged(self.earlier):
                return replace(self.earlier, status="unchanged")
            return self._result()

    def _result(self) -> Receipt:
        job = self.job
        photo = self.opening.result() if self.opening else _open(job.source, self.options)
        if photo.is_marked:
            return self.say("skipped", reason="is a result of retint")
        if self.options.if_colour != "recolour" and any(
            photo.colour(page) == "colour" for page in range(photo.pages)
        ):
            if self.options.if_colour == "skip":
                return self.say("skipped", reason="is a colour photograph")
            return self._put("copied", job.copy, self._copy)
        return self._put("done", job.target, partial(self._colour, photo))

    def say(self, status: Status, **known: Any) -> Receipt:
        """A receipt of the job, with what is known so far."""
        about: dict[str, Any] = {
            "source": str(self.job.source),
            "target": str(self.job.target),
            "status": status,
            "options": self.options.to_dict(),
            "hints": self._hints(),
            "seconds": round(time.monotonic() - self.begin, 3),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "retint_version": version("retint"),
        }
        if self.hashing is not None and self.hashing.exception() is None:
            about["source_sha256"] = self.hashing.result()
        return Receipt(**about | self.known | known)

    def _origin(self) -> dict[str, Any]:
        """Where the colours come from."""
        colours = self.job.colours
        if colours is not None:
            name = "".join(c if c.isprintable() else "?" for c in printable(Path(colours.name)))
            return {"model": f"with the colours of {name}", "weights_sha256": sha256(colours)}
        assert self.colorizer is not None
        model = self.colorizer.model
        return {
            "model": model.name,
            "model_version": model.version,
            "weights_sha256": model.weights_sha256,
            "device": model.device,
        }

    def _hints(self) -> tuple[dict[str, float], ...]:
        return tuple(asdict(hint) for hint in self.job.hints)

    def _source_sha256(self) -> str:
        assert self.hashing is not None
        return self.hashing.result()

    def _is_unchanged(self, earlier: Receipt) -> bool:
        return (
            earlier.source_sha256 == self._source_sha256()
            and earlier.weights_sha256 == self.known["weights_sha256"]
            and self.options.same_pixels(earlier.options)
            and self._hints() == earlier.hints
            and (earlier.status == "skipped" or self._is_intact(earlier))
        )

    def _is_intact(self, earlier: Receipt) -> bool:
        """Whether the output of an earlier receipt is what was written then."""
        written = earlier.status in ("done", "copied") and Path(earlier.target).is_file()
        return written and sha256(Path(earlier.target)) == earlier.output_sha256

    def _colour(self, photo: Photo, place: Path) -> dict[str, Any]:
        """Write the coloured photograph and say what was written."""
        options = self.options
        if self.job.colours is not None:
            colouring = Photo.open(self.job.colours, max_pixels=options.max_pixels)
            tinted = borrow(photo, colouring, options)
        else:
            assert self.colorizer is not None
            tinted = self.colorizer.colorize(photo, self.job.hints)
        mark = Mark(self.known["model"], self.known.get("model_version", ""))
        try:
            saved = tinted.save(place, format=options.format, quality=options.quality, mark=mark)
        except OutputError as error:  # it is about the target, wherever that is being made
            words = str(error).replace(printable(place), printable(self.job.target))
            raise OutputError(words) from error
        mean, most = saved.delta_L
        return {
            "output_sha256": saved.sha256,
            "delta_L_mean": mean,
            "delta_L_max": most,
            "notes": saved.notes,
        }

    def _copy(self, place: Path) -> dict[str, Any]:
        """Copy the photograph as it is."""
        with self.job.source.open("rb") as source, place.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        shutil.copystat(self.job.source, place)
        return {"output_sha256": sha256(place)}

    def _put(
        self, status: Status, target: Path, write: Callable[[Path], dict[str, Any]]
    ) -> Receipt:
        """Write a result aside and move it into place, whole."""
        self._check_place(status, target)
        if self.dry_run:
            return self.say("planned", target=str(target))
        try:
            place = self._partial_place(target)
            try:
                written = write(place)
                self._set_aside(target, written["output_sha256"])
                place.replace(target)
            finally:
                place.unlink(missing_ok=True)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise OutputError(f"{printable(target)}: cannot be written ({words})") from error
        sync_folder(target.parent)
        return self.say(status, target=str(target), **written)

    def _partial_place(self, target: Path) -> Path:
        """Where to write a result before it is moved, on the same disk."""
        folder = self.job.folder / self.partial
        folder.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(target.parent).free < self.job.source.stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if folder.stat().st_dev != target.parent.stat().st_dev:
            folder = target.parent
        return folder / f".{os.getpid()}-{threading.get_ident()}{target.suffix}"

    def _check_place(self, status: Status, target: Path) -> None:
        """Raise OutputError where a file is at the target that is not retint's to replace."""
        if _is_same_file(self.job.source, target):
            raise OutputError(f"{printable(self.job.source)}: its result would replace it")
        guarded = self.job.guarded
        if not os.path.lexists(target) or (self.overwrite and not guarded):
            return
        ours = self.earlier is not None and self.earlier.status in ("done", "copied")
        ours = ours or self._is_marked(target)
        if not ours and (guarded or status != "copied" or not self._is_copy(target)):
            raise OutputError(
                f"{printable(target)} is there and is not retint's"
                + ("" if guarded else "; --overwrite replaces it")
            )

    def _is_marked(self, target: Path) -> bool:
        try:
            return Photo.open(target, max_pixels=self.options.max_pixels).is_marked
        except RetintError:
            return False

    def _is_copy(self, target: Path) -> bool:
        return target.is_file() and sha256(target) == self._source_sha256()

    def _set_aside(self, target: Path, new_sha256: str) -> None:
        """Keep what lies at the target, under another name, unless it can be made again."""
        if self.overwrite or not target.is_file():
            return
        found = sha256(target)
        earlier = self.earlier
        if found == new_sha256 or (
            earlier is not None
            and earlier.output_sha256 == found
            and earlier.source == str(self.job.source)
        ):
            return
        number = 1
        while True:
            name = f"{target.name}.changed" + (f"-{number}" if number > 1 else "")
            aside = target.with_name(name)
            if not os.path.lexists(aside):
                break
            if aside.is_file() and sha256(aside) == found:
                return  # a killed run has done it
            number += 1
        try:
            aside.hardlink_to(target)
        except OSError:  # a file system without hard links
            target.rename(aside)


def _is_same_file(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


def _is_no_room(error: BaseException | None) -> bool:
    """Whether an error comes from a full disk or quota."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
