"""Colour pictures to train on: ZIP shards with a manifest, or any folder; read one by one, never
all in memory."""

import csv
import hashlib
import io
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from retint.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Entry:
    """One picture: `shard` is a ZIP in the corpus' folder, or empty for a file of its own."""

    shard: str
    file: str
    width: int
    height: int
    dataset: str = ""
    labels: str = ""
    more: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)  # other columns

    @property
    def shorter(self) -> int:
        """Length of the shorter side, pixels."""
        return min(self.width, self.height)


class Corpus:
    """The pictures of a folder: by its `manifest.csv` (shard, file, dataset, labels, width,
    height) or by looking.

    A manifest may name shards that are not there: those pictures are left out. Raises InputError
    where nothing is left.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = threading.local()  # a ZipFile has one file position: each thread has its own
        manifest = folder / "manifest.csv"
        self.entries = self._listed(manifest) if manifest.is_file() else self._found()
        if not self.entries:
            raise InputError(
                f"{folder}: no pictures found (ZIP shards with manifest.csv, or image files)"
            )

    def _listed(self, manifest: Path) -> list[Entry]:
        with manifest.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        there = {s for s in {r["shard"] for r in rows} if not s or (self.folder / s).is_file()}
        return [
            Entry(
                r.pop("shard"),
                r.pop("file"),
                int(r.pop("width")),
                int(r.pop("height")),
                r.pop("dataset", ""),
                r.pop("labels", ""),
                r,
            )
            for r in rows
            if r["shard"] in there
        ]

    def _found(self) -> list[Entry]:
        names = [
            ("", p.relative_to(self.folder).as_posix()) for p in sorted(self.folder.rglob("*"))
        ]
        for shard in sorted(self.folder.glob("*.zip")):
            with zipfile.ZipFile(shard) as archive:
                names += [(shard.name, name) for name in sorted(archive.namelist())]
        entries: list[Entry] = []
        for shard, file in names:
            if Path(file).suffix.lower() in SUFFIXES:
                with Image.open(io.BytesIO(self._bytes(shard, file))) as picture:
                    entries.append(Entry(shard, file, *picture.size))
        return entries

    def _bytes(self, shard: str, file: str) -> bytes:
        if not shard:
            return (self.folder / file).read_bytes()
        archives: dict[str, zipfile.ZipFile] = self._open.__dict__
        if shard not in archives:
            archives[shard] = zipfile.ZipFile(self.folder / shard)
        return archives[shard].read(file)

    def read(self, entry: Entry) -> bytes:
        """One picture's file as it is. InputError with its name where that fails."""
        try:
            return self._bytes(entry.shard, entry.file)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            place = self.folder / entry.shard / entry.file
            raise InputError(f"{place}: cannot be read ({error})") from None

    def picture(self, entry: Entry) -> Image.Image:
        """Decode one picture to sRGB. InputError with its name where that fails."""
        try:
            return Image.open(io.BytesIO(self.read(entry))).convert("RGB")
        except (OSError, UnidentifiedImageError) as error:
            place = self.folder / entry.shard / entry.file
            raise InputError(f"{place}: cannot be read ({error})") from None

    def split(self, share: float) -> tuple[list[Entry], list[Entry]]:
        """Training and validation pictures; by hash of the name, so that it stays when pictures
        are added."""
        train: list[Entry] = []
        validation: list[Entry] = []
        for entry in self.entries:
            digest = hashlib.sha256(f"{entry.shard}/{entry.file}".encode()).digest()
            kept_apart = int.from_bytes(digest[:4]) < share * 2**32
            (validation if kept_apart else train).append(entry)
        return train, validation
