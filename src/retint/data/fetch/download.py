"""A file from the web to the disk: it goes on where it was cut, and is whole and checked or not
there."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from retint.data.fetch.lock import Lock
from retint.data.fetch.web import Passing, Patience, Refused, Web
from retint.errors import InputError, OutputError

CHUNK = 1 << 18
SPARE = 64 << 20  # bytes left free on the disk

Progress = Callable[[str, int, int], None]
"""Hears a file's name, its bytes so far, and how many it will have (0: not known)."""


@dataclass(frozen=True)
class Remote:
    """A file that its publisher offers; `hash` is `md5:...` or `sha256:...`, empty where none is
    known; `page` is where a person would look for it."""

    name: str
    url: str
    hash: str = ""
    page: str = ""


def download(remote: Remote, folder: Path, web: Web, progress: Progress) -> Path:
    """Path of the file in the folder, downloaded if it is not there yet, its hash checked.

    Until it is whole it is NAME.part. InputError where the server is at fault, OutputError where
    this disk is; the same call goes on later.
    """
    target = folder / remote.name
    lock = Lock(folder, web.tell)
    if target.exists():
        lock.check(target, remote.hash, remote.url)
        return target
    part = folder / f"{remote.name}.part"
    patience = Patience(web, remote.url)
    while True:
        before = _size(part)
        try:
            _go_on(remote, part, web, progress)
            break
        except Passing as trouble:
            if _size(part) > before:
                patience.vain = 0
            patience.wait(trouble)
        except Refused as refused:
            raise InputError(_explain(remote, refused.code)) from None
    _validator(part).unlink(missing_ok=True)
    try:
        lock.check(part, remote.hash, remote.url, remote.name)
    except InputError as error:
        part.unlink()
        raise InputError(
            f"{remote.url}: {str(error).partition(': ')[2]}; it was removed. Try once more; if it "
            f"comes again the publisher has changed it: see {remote.page}"
        ) from None
    part.replace(target)
    return target


def _go_on(remote: Remote, part: Path, web: Web, progress: Progress) -> None:
    """One request for what is missing, appended to the part; Passing where it was cut."""
    start = _size(part)
    known = _validator(part).read_text("utf-8") if start and _validator(part).exists() else ""
    headers = {"Range": f"bytes={start}-"} if start else {}
    if known:
        headers["If-Range"] = known
    try:
        reply = web.open(remote.url, headers)
    except Refused as refused:
        if refused.code != 416 or not start:
            raise
        if refused.headers.get("Content-Range") == f"bytes */{start}":
            return  # it was whole already
        part.unlink()
        raise Passing("the server has another file now; from the beginning") from None
    with reply:
        if reply.status == 206:
            if _start_of(reply) != start or (known and _mark(reply.headers) not in ("", known)):
                part.unlink()
                raise Passing("the server sent another part; from the beginning")
        else:
            start = 0  # the range was ignored, or the file is not the one that was begun
        total = start + int(reply.headers.get("Content-Length") or 0)
        total = total if reply.headers.get("Content-Length") else 0
        _make_room(remote.name, part.parent, total - start)
        try:
            if not start:
                _validator(part).write_text(_mark(reply.headers), "utf-8")
            received = _pour(reply, part, start, lambda n: progress(remote.name, n, total))
        except OSError as error:
            raise OutputError(
                f"{part}: cannot be written ({error.strerror or error}); "
                "the same command goes on from here"
            ) from None
    if total and received < total:
        raise Passing(f"cut after {received:,} of {total:,} bytes")


def _pour(reply: HTTPResponse, part: Path, start: int, progress: Callable[[int], None]) -> int:
    """Write a body behind what is there; how many bytes the part has then."""
    received = start
    with part.open("ab" if start else "wb") as file:
        while True:
            progress(received)
            try:
                chunk = reply.read(CHUNK)
            except (OSError, HTTPException) as error:
                raise Passing(f"cut after {received:,} bytes ({error})") from None
            if not chunk:
                return received
            file.write(chunk)
            received += len(chunk)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _validator(part: Path) -> Path:
    """File that holds what the server calls this version of the file."""
    return part.with_name(f"{part.name}.version")


def _mark(headers: Message) -> str:
    """What names a version for If-Range: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    etag = headers.get("ETag") or ""
    return etag if etag.startswith('"') else headers.get("Last-Modified") or ""


def _start_of(reply: HTTPResponse) -> int:
    found = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range") or "")
    return int(found[1]) if found else -1


def _make_room(name: str, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise OutputError(
            f"{folder}: {name} needs {needed / 1e9:.1f} GB more and {free / 1e9:.1f} GB are free; "
            "make room or name another folder with -o"
        )


def _explain(remote: Remote, code: int) -> str:
    if code in (401, 403, 407, 451):
        return (
            f"{remote.url}: the server wants an account or an agreement (HTTP {code}); download "
            f"it by hand from {remote.page} and name the file with --from"
        )
    return (
        f"{remote.url}: not there (HTTP {code}); see {remote.page} for a new address, download it "
        "by hand and name the file with --from"
    )
