"""Sets of colour pictures to judge by: those below a folder, or those that a manifest names."""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

from retint import color
from retint.color import Floats
from retint.errors import InputError
from retint.formats.codecs import FORMATS
from retint.photo import Photo

Item = TypeVar("Item")

ENDINGS = frozenset(ending for format in FORMATS.values() for ending in format.suffixes)
"""Endings that names of pictures have, in small letters."""


@dataclass(frozen=True)
class Truth:
    """A colour picture, upright: the right answer. `file`: its posix path within its set.

    Its pixels are decoded when first asked for; InputError where they cannot be.
    """

    photo: Photo
    file: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        height, width = self.photo.height, self.photo.width
        return (height, width) if self.photo.orientation < 5 else (width, height)

    @cached_property
    def lab(self) -> Floats:
        """Lab (h, w, 3), float32."""
        return self.photo.thumbnail_lab(max(self.size))

    @cached_property
    def rgb(self) -> Floats:
        """Encoded sRGB (h, w, 3), 0..1, float32."""
        return color.lab_to_srgb(self.lab)


@dataclass(frozen=True)
class PictureSet:
    """The pictures of a set by their posix paths below `root`, in order.

    `files`: those to judge by; `others`: those of the set that are not. A path may lead into a ZIP
    archive: `shard.zip/picture.webp`. `hashes`: the sha256 of each where it is known already.
    `frozen`: whether a manifest named them and every one was as it says.
    """

    name: str
    root: Path
    files: Sequence[str]
    hashes: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    frozen: bool = False
    others: Sequence[str] = ()

    @classmethod
    def of_folder(cls, folder: Path, limit: int | None = None) -> "PictureSet":
        """The pictures below a folder. Raises InputError where there are none."""
        names = [path.relative_to(folder).as_posix() for path in pictures(folder)]
        return cls(folder.resolve().name, folder, names).limited(limit)

    def limited(self, limit: int | None) -> "PictureSet":
        """So many of its pictures, evenly spread."""
        files = spread(self.files, limit)
        chosen = set(files)
        others = [file for file in self.files if file not in chosen]
        return replace(self, files=files, others=[*self.others, *others])

    def open(self, file: str) -> Truth:
        """Open one of the pictures. InputError names it where that fails."""
        path = self.root / file
        archive, member = _in_archive(self.root, file)
        if archive is None:
            return Truth(Photo.open(path), file)
        return Truth(_opened(_member(archive, member), path), file)

    def opened(self, files: Iterable[str]) -> Iterator[Truth]:
        """Open some of the pictures, one by one; those that cannot be are passed over."""
        for file in files:
            with suppress(InputError):
                yield self.open(file)

    def sha256(self, file: str) -> str:
        """Hash of a picture's file. Raises InputError where it cannot be read."""
        if file in self.hashes:
            return self.hashes[file]
        archive, member = _in_archive(self.root, file)
        if archive is not None:
            return hashlib.sha256(_member(archive, member)).hexdigest()
        try:
            with (self.root / file).open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{self.root / file}: cannot be read ({error.strerror})") from None

    @property
    def digest(self) -> str:
        """One hash of all names and hashes: the set's own."""
        lines = "".join(f"{self.sha256(file)}  {file}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()


def pictures(folder: Path, limit: int | None = None) -> list[Path]:
    """Pictures below a folder, by their names' endings, sorted; `limit` of them, evenly spread."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not found:
        raise InputError(f"{folder}: there are no pictures in it")
    return spread(found, limit)


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """So many of the items, evenly spread; all of them where they are fewer, or for None."""
    count = min(limit or len(items), len(items))
    return [items[i * len(items) // count] for i in range(count)]


def _in_archive(root: Path, file: str) -> tuple[Path | None, str]:
    """The ZIP archive that a path leads into, or None, and the rest of the path."""
    head, dot_zip, member = file.partition(".zip/")
    archive = root / (head + dot_zip.removesuffix("/"))
    return (archive, member) if dot_zip and archive.is_file() else (None, file)


def _member(archive: Path, member: str) -> bytes:
    try:
        return _archive(archive).read(member)
    except Exception as error:  # of an archive cut short zipfile raises nearly anything
        raise InputError(f"{archive / member}: cannot be read ({error})") from None


@lru_cache(maxsize=16)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _opened(data: bytes, path: Path) -> Photo:
    try:
        return Photo.open(data)
    except InputError as error:
        raise InputError(f"{path}{str(error).removeprefix('<bytes>')}") from None
