"""Batches of crops from a corpus."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from retint.data.corpus import Corpus, Entry
from retint.train.recipe import Data


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
