"""Colour pictures to train on: ZIP shards with a manifest, or any folder; read one by one, never
all in memory."""

import csv
import hashlib
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from retint.errors import InputError
from retint.train.recipe import Data

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
                r["shard"], r["file"], int(r["width"]), int(r["height"]), r["dataset"], r["labels"]
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

    def picture(self, entry: Entry) -> Image.Image:
        """Decode one picture to sRGB. InputError with its name where that fails."""
        try:
            return Image.open(io.BytesIO(self._bytes(entry.shard, entry.file))).convert("RGB")
        except (OSError, KeyError, zipfile.BadZipFile, UnidentifiedImageError) as error:
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


class Batches:
    """Batch number k, always the same for the same seed: crops as uint8 (n, 3, size, size), sRGB.

    The data position of a training is therefore its step, and nothing else has to be stored to go
    on.
    """

    def __init__(
        self,
        corpus: Corpus,
        entries: list[Entry],
        data: Data,
        batch: int,
        seed: int,
        threads: int = 2,
    ) -> None:
        self.corpus, self.data, self.batch, self.seed = corpus, data, batch, seed
        self.large = [e for e in entries if e.shorter >= data.large_side] or entries
        self.small = [e for e in entries if e.shorter < data.large_side] or entries
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="pictures")

    def __call__(self, step: int) -> np.ndarray:
        """The batch of this step."""
        random = np.random.default_rng((self.seed, step))
        size = int(random.choice(self.data.sizes, p=self.data.size_shares))
        count = max(1, round(self.batch * (self.data.sizes[0] / size) ** 2))
        large = count
        if size <= self.data.large_side and self.small is not self.large:
            large = round(count * self.data.large_share)
        picked = [self.large[i] for i in random.integers(len(self.large), size=large)]
        picked += [self.small[i] for i in random.integers(len(self.small), size=count - large)]
        draws = random.random((count, 5))
        return np.stack(list(self.pool.map(lambda e, d: self._crop(e, d, size), picked, draws)))

    def _crop(self, entry: Entry, draw: np.ndarray, size: int) -> np.ndarray:
        """A window of random place, scale and slight stretch, perhaps mirrored, resized to size x
        size."""
        picture = self.corpus.picture(entry)
        width, height = picture.size
        side = min(width, height) / self.data.zoom ** draw[0]
        ratio = self.data.stretch ** (2 * draw[1] - 1)
        w, h = min(side * ratio, width), min(side / ratio, height)
        x, y = draw[2] * (width - w), draw[3] * (height - h)
        window = picture.resize(
            (size, size), Image.Resampling.BICUBIC, box=(x, y, x + w, y + h), reducing_gap=3.0
        )
        pixels = np.asarray(window).transpose(2, 0, 1)
        return pixels[:, :, ::-1] if draw[4] < 0.5 else pixels


def centre_crops(corpus: Corpus, entries: list[Entry], size: int) -> np.ndarray:
    """The middle square of each picture, resized: uint8 (n, 3, size, size), for validation and
    sheets."""
    crops: list[np.ndarray] = []
    for entry in entries:
        picture = corpus.picture(entry)
        side = min(picture.size)
        x, y = (picture.width - side) / 2, (picture.height - side) / 2
        window = picture.resize((size, size), Image.Resampling.BICUBIC, (x, y, x + side, y + side))
        crops.append(np.asarray(window).transpose(2, 0, 1))
    return np.stack(crops)
