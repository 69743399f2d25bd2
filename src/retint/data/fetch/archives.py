"""What lies in an archive, one member after the other: ZIP, tar of any compression, tar in tar."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from retint.errors import InputError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Member:
    """A file in an archive: its path there, and what reads it while it is its turn."""

    name: str
    read: Callable[[], bytes]

    @property
    def is_picture(self) -> bool:
        """Whether the name is that of a picture (and not of macOS' leftovers)."""
        path = PurePosixPath(self.name)
        hidden = path.name.startswith("._") or "__MACOSX" in path.parts
        return path.suffix.lower() in PICTURES and not hidden


def members(path: Path) -> Iterator[Member]:
    """The files of an archive in its order; of a tar in it, its files as `inner.tar/name`.

    InputError where it is no archive or a damaged one.
    """
    with readable(path):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if not entry.is_dir():
                        yield Member(entry.filename, lambda entry=entry: archive.read(entry))
        else:
            with tarfile.open(path) as tar:
                yield from _of_tar(tar)


def texts(path: Path, *endings: str) -> dict[str, bytes]:
    """Those members whose paths end so, read; by path."""
    with readable(path):
        return {m.name: m.read() for m in members(path) if m.name.endswith(endings)}


@contextmanager
def readable(path: Path) -> Generator[None]:
    """Turn what goes wrong while an archive is read into InputError with its name."""
    try:
        yield
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as an archive ({error})") from None


def _of_tar(tar: tarfile.TarFile, prefix: str = "") -> Iterator[Member]:
    for entry in tar:
        if not entry.isfile():
            continue
        name = prefix + entry.name.removeprefix("./")
        if name.endswith(".tar"):
            with tarfile.open(fileobj=tar.extractfile(entry)) as inner:
                yield from _of_tar(inner, f"{name}/")
        else:
            yield Member(name, lambda entry=entry: _bytes(tar, entry))
        tar.members = []  # a million headers are not kept  # pyright: ignore[reportAttributeAccessIssue]


def _bytes(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry)
    assert file is not None
    return file.read()
