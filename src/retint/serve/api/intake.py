"""Photographs taken in: uploads brought to the disk, or paths below the root; then into the queue.

A job is in the database when the answer leaves; a folder without a job is what a killed server
left, and is swept away.
"""

import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from fastapi import UploadFile

from retint.colorizer import Hint, Options
from retint.formats.codecs import printable
from retint.serve.problems import DISK_FULL, Problem
from retint.serve.service import Service
from retint.serve.store.tables import Item, Job, Photograph
from retint.tinted import sync_folder
from retint.walk import walk

SPARE = 256 << 20  # bytes of the disk that are never used


@dataclass(frozen=True)
class Chosen:
    """A kept photograph for a job: options that differ from the job's, and its own hints."""

    photograph: Photograph
    options: Mapping[str, Any]
    hints: Sequence[Hint]


def new_job(key: str, options: Options, hints: Sequence[Hint], token: str | None = None) -> Job:
    """A job that is not yet in the queue, and without photographs."""
    return Job(
        id=secrets.token_hex(12), key=key, token=token, options=options.to_dict(),
        hints=_plain(hints),
    )  # fmt: skip


def take_uploads(service: Service, job: Job, files: Sequence[UploadFile]) -> Job:
    """Bring uploads to the disk and their job into the queue; the job that has its token already,
    where there is one. Raises Problem.
    """
    size = sum(file.size or 0 for file in files)
    names = names_of([file.filename or "" for file in files])
    return _take(service, job, list(zip(names, files, strict=True)), size)


def take_photographs(service: Service, job: Job, chosen: Sequence[Chosen]) -> Job:
    """Bring kept photographs into the queue; else as uploads."""
    size = sum(one.photograph.size for one in chosen)
    names = names_of([one.photograph.name for one in chosen])
    paths = [service.settings.photographs / c.photograph.id / c.photograph.name for c in chosen]
    return _take(service, job, list(zip(names, paths, strict=True)), size, chosen)


def _take(
    service: Service,
    job: Job,
    files: Sequence[tuple[str, UploadFile | Path]],
    size: int,
    chosen: Sequence[Chosen] = (),
) -> Job:
    _check(service, len(files), service.settings.max_files, size)
    folder = service.settings.folder(job.id)
    sources = folder / "sources"
    try:
        paths = bring(sources, files)
        sync_folder(folder.parent)
        queued = _queue(service, job, paths, base=folder, shown=sources, chosen=chosen)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if chosen and isinstance(error, FileNotFoundError):
            raise Problem(
                404, "One of these photographs has just expired: send it again."
            ) from None
        raise
    if queued.id != job.id:
        shutil.rmtree(folder, ignore_errors=True)
    return queued


def take_path(service: Service, job: Job, path: str) -> Job:
    """Bring a photograph below the root, or all of a folder, into the queue; else as uploads."""
    if service.settings.root is None:
        raise Problem(422, "This service has no root for jobs by path: send the files.")
    root = Path(os.path.realpath(service.settings.root))
    place = root / path.strip("/")
    with suppress(ValueError):  # of a path that is none: a NUL, half a character
        place = Path(os.path.realpath(place))
    if not (os.path.exists(place) and place.is_relative_to(root)):  # noqa: PTH110 - it never raises
        raise Problem(422, f"There is no {path!r} below the service's root.")
    job.rooted = True
    return _queue(service, job, [place], base=root, shown=place if place.is_dir() else place.parent)


def bring(folder: Path, files: Sequence[tuple[str, UploadFile | Path]]) -> list[Path]:
    """Bring files, by their names, into a new folder and to the disk: uploads, or others of this
    disk, which are linked."""
    folder.mkdir(parents=True)
    paths = [_save(file, folder / name) for name, file in files]
    for written in (folder, folder.parent):
        sync_folder(written)
    return paths


def _queue(
    service: Service,
    job: Job,
    paths: Sequence[Path],
    *,
    base: Path,
    shown: Path,
    chosen: Sequence[Chosen] = (),
) -> Job:
    """Put a job into the queue; sources are stored as seen from `base`, named from `shown`.

    chosen: for each of the paths, in their order, what is its own.
    """
    out = service.settings.folder(job.id) / "results"  # which is never made: it only gives names
    found = [
        named
        for named in walk(paths, out, format=job.options["format"])
        if Path(os.path.realpath(named.source)).is_relative_to(os.path.realpath(base))
    ]  # a link below the root may lead out of it
    if job.rooted:
        size = sum(_size(named.source) for named in found)
        _check(service, len(found), service.settings.max_paths, size)
    job.total = len(found)
    items = [
        Item(
            job=job.id, number=number, source=os.fsencode(named.source.relative_to(base)),
            name=_told(named.source, shown), target=_told(named.target, out),
            copy=_told(named.copy, out), problem=named.problem,
            size=0 if job.rooted else _size(named.source),
        )
        for number, named in enumerate(found, 1)
    ]  # fmt: skip
    for item, own in zip(items, chosen, strict=bool(chosen)):
        item.options, item.hints = dict(own.options), _plain(own.hints)
    return service.queue.add(job, items)


def _check(service: Service, count: int, most: int, size: int) -> None:
    """Raise a Problem for too few files, too many, or more than there is room for."""
    if not count:
        raise Problem(422, "There are no photographs in it: send `images`, or name a `path`.")
    if count > most:
        raise Problem(
            413, f"{count} photographs are more than the {most} of one job: make several."
        )
    check_room(service, 2 * size)  # a result takes about what its source takes


def check_room(service: Service, wanted: int) -> None:
    """Raise a Problem where there is no room for so many bytes more."""
    settings = service.settings
    if service.queue.usage() + wanted > settings.quota:
        raise Problem(
            507, "The service's disk quota is used up: delete jobs that you have fetched, or wait"
            " until some expire.",
        )  # fmt: skip
    if shutil.disk_usage(settings.data).free < wanted + SPARE:
        raise DISK_FULL


def names_of(given: Sequence[str]) -> list[str]:
    """Names for files on this disk: like those given, without their folders, no two the same."""
    names: dict[str, str] = {}
    for number, whole in enumerate(given, 1):
        name = re.split(r"[/\\]", whole)[-1]
        name = "".join(c for c in unicodedata.normalize("NFC", name) if c.isprintable())
        name = re.sub(r'[<>:"|?*]', "_", name)  # which no name on Windows can have
        path = Path(name.lstrip(". ") or "photograph")
        stem, suffix = path.stem[:80], path.suffix[:10].rstrip(". ")
        if PureWindowsPath(stem).is_reserved():  # CON, NUL: devices
            stem = f"_{stem}"
        if f"{stem}{suffix}".casefold() in names:
            stem = f"{stem}-{number}"
        names[f"{stem}{suffix}".casefold()] = f"{stem}{suffix}"
    return list(names.values())


def _plain(hints: Sequence[Hint]) -> list[dict[str, float]]:
    return [asdict(hint) for hint in hints]


def _save(file: UploadFile | Path, path: Path) -> Path:
    """Bring a file to the disk: an upload, or another one of this disk."""
    if isinstance(file, Path):
        with suppress(OSError):  # of a file system without hard links
            path.hardlink_to(file)
            return path
        shutil.copyfile(file, path)
        return path
    with path.open("xb") as target:
        shutil.copyfileobj(file.file, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    return path


def _told(path: Path, base: Path) -> str:
    """A path as clients see it."""
    return printable(path.relative_to(base)).replace("\\", "_")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # what is wrong with it is told when it is opened
