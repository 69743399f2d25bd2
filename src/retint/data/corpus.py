"""Colour pictures to train on: ZIP shards with a manifest, or any folder; read one by one, never
all in memory."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path

from PIL import ExifTags, Image

from retint.data.manifest import NAME, Entry, Manifest
from retint.data.picture import SUFFIXES, decode
from retint.errors import InputError


class Corpus:
    """The pictures of a folder: by its `manifest.csv` (`retint.data.manifest`) or by looking.

    A manifest may name shards that are not there: those pictures are left out. Raises InputError
    where nothing is left. `entries`: the pictures, where they are known already.
    """

    def __init__(self, folder: Path, entries: list[Entry] | None = None) -> None:
        self.folder = folder
        self._open = threading.local()  # a ZipFile has one file position: each thread has its own
        manifest = folder / NAME
        if entries is not None:
            self.entries = entries
            return
        self.entries = self._listed(manifest) if manifest.is_file() else self._found()
        if not self.entries:
            raise InputError(
                f"{folder}: no pictures found (ZIP shards with manifest.csv, or image files)"
            )

    def _listed(self, manifest: Path) -> list[Entry]:
        entries = Manifest.read(manifest).entries
        there = {s for s in {e.shard for e in entries} if not s or (self.folder / s).is_file()}
        return [entry for entry in entries if entry.shard in there]

    def _found(self) -> list[Entry]:
        names = [
            ("", p.relative_to(self.folder).as_posix()) for p in sorted(self.folder.rglob("*"))
        ]
        for shard in sorted(self.folder.glob("*.zip")):
            with zipfile.ZipFile(shard) as archive:
                names += [(shard.name, name) for name in sorted(archive.namelist())]
        wanted = [(s, f) for s, f in names if Path(f).suffix.lower() in SUFFIXES]
        return [
            Entry(shard, file, *self._size(shard, file))
            for shard, file in wanted
            if not Path(file).name.startswith(".")
        ]

    def _size(self, shard: str, file: str) -> tuple[int, int]:
        """Width and height, upright."""
        try:
            with Image.open(io.BytesIO(self._bytes(shard, file))) as picture:
                turned = picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
                return (picture.height, picture.width) if turned else picture.size
        except Exception as error:  # decoders raise nearly anything for bytes that are no picture
            raise InputError(
                f"{self.folder / shard / file}: no picture that can be read ({error}); "
                "retint data prepare leaves such files out"
            ) from None

    def _bytes(self, shard: str, file: str) -> bytes:
        if not shard:
            return (self.folder / file).read_bytes()
        archives: dict[str, zipfile.ZipFile] = self._open.__dict__
        if shard not in archives:
            archives[shard] = zipfile.ZipFile(self.folder / shard)
        return archives[shard].read(file)

    def data(self, entry: Entry) -> bytes:
        """One picture as it is stored. InputError with its name where that fails."""
        try:
            return self._bytes(entry.shard, entry.file)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.folder / entry.name}: cannot be read ({error})") from None

    def picture(self, entry: Entry, shorter: int | None = None) -> Image.Image:
        """Decode one picture to upright sRGB, its shorter side at most so long. InputError with its
        name where that fails."""
        data = self.data(entry)
        try:
            return decode(data, shorter)
        except Exception as error:  # decoders raise nearly anything for bytes that are no picture
            raise InputError(f"{self.folder / entry.name}: cannot be read ({error})") from None

    def split(self, share: float) -> tuple[list[Entry], list[Entry]]:
        """Training and validation pictures: by the column `split`, else by hash of the name.

        The hash stays when pictures are added. Left out are pictures whose decision is drop, and
        those kept for a test.
        """
        train: list[Entry] = []
        validation: list[Entry] = []
        for entry in used(self.entries):
            side = entry.split or ("validation" if lot(entry) < share else "train")
            if side != "test":
                (validation if side == "validation" else train).append(entry)
        return train, validation


def used(entries: Iterable[Entry]) -> list[Entry]:
    """The entries whose decision is not drop."""
    return [entry for entry in entries if entry.decision != "drop"]


def lot(entry: Entry) -> float:
    """A number in 0..1 drawn by hash of where the picture came from: the same in any selection."""
    return int.from_bytes(hashlib.sha256(entry.origin.encode()).digest()[:4]) / 2**32
