"""Batches of crops from a corpus.

A picture is decoded once, kept in memory as bytes while there is room, and cut, turned and scaled
on the device where the network is.
"""

import math
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from retint.color import srgb_to_lab
from retint.data.corpus import Corpus, Entry
from retint.errors import OptionsError
from retint.train.recipe import Augment, Data


class Batch(NamedTuple):
    """Crops (n, 3, size, size), sRGB as uint8, and what they show: classes (n,), -1 unknown."""

    pixels: Tensor
    subjects: Tensor


class Pictures:
    """The pixels of some pictures of a corpus, decoded when first asked for.

    largest: pictures are reduced to about this shorter side. gigabytes: how much is kept.
    """

    def __init__(
        self, corpus: Corpus, entries: Sequence[Entry], *, largest: int, gigabytes: float
    ) -> None:
        self.corpus, self.entries, self.largest = corpus, entries, largest
        self.room = int(gigabytes * 1e9)
        self._kept: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 (h, w, 3), sRGB. InputError with its name where it cannot be read."""
        if (found := self._kept.get(index)) is not None:
            return found
        picture = self.corpus.picture(self.entries[index])
        shorter = min(picture.size)
        if shorter > 1.5 * self.largest:
            scale = self.largest / shorter
            size = (round(picture.width * scale), round(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
        pixels = np.asarray(picture)
        with self._lock:
            if pixels.nbytes <= self.room and index not in self._kept:
                self._kept[index] = pixels
                self.room -= pixels.nbytes
        return pixels

    def mean_colour(self, index: int) -> tuple[float, float]:
        """Mean a* and b* of a picture: the manifest's, or measured."""
        entry = self.entries[index]
        if entry.a is not None and entry.b is not None:
            return entry.a, entry.b
        small = Image.fromarray(self[index]).resize((16, 16), Image.Resampling.BOX)
        a, b = srgb_to_lab(np.asarray(small, np.float32) / 255)[..., 1:].mean((0, 1))
        return float(a), float(b)


class Batches:
    """Batch number k, always the same for the same seed, whatever came before.

    The data position of a training is therefore its step, and nothing else has to be stored to go
    on. Without weights every picture comes once an epoch, in an order that changes; with them
    (large_share, balance, sources) pictures are drawn with replacement. classes: names of the
    subjects, found in the entries' labels. rank, world: this process' rows of each batch are
    rank::world.
    """

    def __init__(
        self,
        corpus: Corpus,
        entries: Sequence[Entry],
        data: Data,
        augment: Augment,
        *,
        batch: int,
        seed: int,
        classes: Sequence[str] = (),
        general: tuple[Corpus, Sequence[Entry]] | None = None,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
        threads: int = 2,
    ) -> None:
        self.data, self.augment, self.batch, self.seed = data, augment, batch, seed
        self.rank, self.world, self.device = rank, world, torch.device(device)
        largest, gigabytes = max(data.sizes), data.memory_gb
        self.pictures = Pictures(corpus, entries, largest=largest, gigabytes=gigabytes)
        self.general = None
        if general and data.general_share:
            self.general = Pictures(*general, largest=largest, gigabytes=gigabytes)
        number = {name: k for k, name in enumerate(classes)}
        self.subjects = [number.get(e.labels, -1) for e in entries]
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self.shares = self._shares()
        self.large = np.array([e.shorter >= data.large_side for e in entries])
        if self.large.all() or not self.large.any():
            self.large[:] = True

    def __len__(self) -> int:
        """Batches an epoch."""
        return max(1, math.ceil(len(self.pictures) / self.batch))

    def __call__(self, step: int) -> Batch:
        """The batch of this step."""
        random = np.random.default_rng((self.seed, step))
        size = int(random.choice(self.data.sizes, p=self.data.size_shares))
        count = max(1, round(self.batch * (self.data.sizes[0] / size) ** 2))
        count = max(count // self.world, 1) * self.world
        known = count - (round(count * self.data.general_share) if self.general else 0)
        picked = [(self.pictures, k) for k in self._picked(random, step, size, known)]
        subjects = [self.subjects[k] for _, k in picked]
        if self.general:
            others = random.integers(len(self.general), size=count - known)
            picked += [(self.general, int(k)) for k in others]
            subjects += [-1] * len(others)
        draws = random.random((count, 8))
        mine = slice(self.rank, None, self.world)
        pixels = list(self.pool.map(lambda one: one[0][one[1]], picked[mine]))
        crops = cut(pixels, draws[mine], size, self.augment, self.device)
        return Batch(crops, torch.tensor(subjects[mine], device=self.device))

    def _picked(self, random: np.random.Generator, step: int, size: int, count: int) -> list[int]:
        share, mixed = self.data.large_share, size <= self.data.sizes[0]
        if share is None and self.shares is None and mixed:
            return self._in_turn(step, count)
        large = count
        if mixed:
            large = round(count * share) if share is not None and not self.large.all() else 0
        groups = [(large, self.large)]
        if count > large:
            groups.append((count - large, ~self.large if share is not None else self.large | True))
        picked: list[int] = []
        for number, among in groups:
            if not among.any():
                among = ~among
            candidates = np.flatnonzero(among)
            p = None if self.shares is None else self.shares[candidates]
            if p is not None:
                p = p / p.sum()
            picked += random.choice(candidates, number, p=p).tolist()
        return picked

    def _in_turn(self, step: int, count: int) -> list[int]:
        """The next pictures of this epoch's order; the last batch goes on into the next epoch."""
        total, place = len(self.pictures), step * self.batch
        picked: list[int] = []
        while len(picked) < count:
            epoch, begun = divmod(place, total)
            order = np.random.default_rng((self.seed, 1, epoch)).permutation(total)
            taken = order[begun : begun + count - len(picked)].tolist()
            picked += taken
            place += len(taken)
        return picked

    def _shares(self) -> np.ndarray | None:
        """How often each picture comes, relative to the others; None: equally often."""
        entries, balance = self.pictures.entries, self.data.balance
        if balance == "none" and not self.data.sources:
            return None
        shares = np.array([self.data.sources.get(e.dataset, 1.0) for e in entries])
        if not shares.any():
            raise OptionsError("data.sources: every picture has the weight 0")
        if balance == "colour":
            colours = self.pool.map(self.pictures.mean_colour, range(len(entries)))
            return tilted(np.array(list(colours)), np.array(self.data.mean_ab), shares)
        if balance != "none":
            groups = [e.dataset if balance == "source" else e.labels for e in entries]
            counts = Counter(groups)
            shares /= np.array([counts[group] for group in groups])
        return shares / shares.sum()


def tilted(colours: np.ndarray, mean: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The shares nearest to the given ones under which the mean colour is `mean`.

    colours: (n, 2), Lab units; shares: (n,), at least 0. Nearest by Kullback-Leibler divergence:
    each share is multiplied by exp(k . colour), k found by Newton's method. OptionsError where
    there are no pictures on the other side of `mean`.
    """
    k, away = np.zeros(2), colours - mean
    for _ in range(100):
        score = away @ k
        new = shares * np.exp(score - score.max())
        new /= new.sum()
        now = new @ away
        if np.abs(now).max() < 0.01:
            return new
        spread = (away * new[:, None]).T @ away - np.outer(now, now)
        step = np.linalg.solve(spread + 1e-3 * np.eye(2), now)
        k -= step * min(1.0, 0.1 / np.abs(step).max())  # a full step may overshoot at first
    raise OptionsError(
        f"data.balance: no sampling of these pictures has the mean colour {tuple(mean)}: "
        "add pictures of the other colours, or set data.mean_ab"
    )


def cut(
    pictures: Sequence[np.ndarray],
    draws: np.ndarray,
    size: int,
    augment: Augment,
    device: torch.device | str,
) -> Tensor:
    """A window of each picture, of random place, scale, stretch and turn.

    uint8 (n, 3, size, size). pictures: uint8 (h, w, 3) each. draws: (n, 8), uniform in 0..1.
    Beyond a picture's edge lies its mirror image. Windows larger than `size` are sampled several
    times a pixel and averaged.
    """
    heights = np.array([len(p) for p in pictures], np.float64)
    widths = np.array([p.shape[1] for p in pictures], np.float64)
    side = np.minimum(widths, heights) / augment.zoom ** draws[:, 0]
    ratio = augment.stretch ** (2 * draws[:, 1] - 1)
    w, h = np.minimum(side * ratio, widths), np.minimum(side / ratio, heights)
    x, y = draws[:, 2] * (widths - w) + w / 2, draws[:, 3] * (heights - h) + h / 2
    turn = np.array(augment.angles)[(draws[:, 5] * len(augment.angles)).astype(int)]
    turn = np.deg2rad(turn + augment.rotate * (2 * draws[:, 6] - 1))
    lean = augment.shear * (2 * draws[:, 7] - 1)
    flip = np.where(draws[:, 4] < augment.mirror, -1.0, 1.0)
    # from the window, -1..1 each way, to pixels of the picture: scale, shear, turn, shift
    cos, sin = np.cos(turn), np.sin(turn)
    window = np.array([[flip * w / 2, lean * w / 2], [np.zeros_like(w), h / 2]])
    turned = np.einsum("ijn,jkn->nik", np.array([[cos, -sin], [sin, cos]]), window)
    theta = np.concatenate([turned, np.stack([x, y], 1)[:, :, None]], 2)
    finer = min(4, math.ceil(max(np.maximum(w, h)) / size - 0.25))
    return _sampled(pictures, theta, max(1, finer), size, torch.device(device))


def _sampled(
    pictures: Sequence[np.ndarray], theta: np.ndarray, finer: int, size: int, device: torch.device
) -> Tensor:
    """Bilinear samples of each picture at theta (n, 2, 3) of a grid of size * finer, averaged."""
    high, wide = max(len(p) for p in pictures), max(p.shape[1] for p in pictures)
    padded = np.zeros((len(pictures), high, wide, 3), np.uint8)
    for k, picture in enumerate(pictures):
        padded[k, : len(picture), : picture.shape[1]] = picture
    stack = torch.from_numpy(padded).to(device, non_blocking=True)
    stack = stack.permute(0, 3, 1, 2).to(torch.float32)
    ends = torch.tensor([[p.shape[1], len(p)] for p in pictures], device=device)
    steps = (torch.arange(size * finer, device=device) + 0.5) / (size * finer) * 2 - 1
    place = torch.stack(
        [steps.expand(len(steps), -1), steps[:, None].expand(-1, len(steps))], -1
    )  # (s, s, 2): x, y
    maps = torch.from_numpy(theta).to(device, torch.float32)
    at = torch.einsum("nij,hwj->nhwi", maps[:, :, :2], place) + maps[:, None, None, :, 2]
    # mirrored at the edges, and never between a picture's last pixel and the padding
    ends = ends[:, None, None]
    at = (at.abs() % (2 * ends)).sub(ends).abs().neg().add(ends)
    at = at.clamp_min(0.5).minimum(ends - 0.5)
    grid = at * (2 / torch.tensor([wide, high], device=device)) - 1
    crops = F.grid_sample(stack, grid, mode="bilinear", padding_mode="border", align_corners=False)
    crops = F.avg_pool2d(crops, finer) if finer > 1 else crops
    return crops.round().to(torch.uint8)


def centre_crops(pictures: Pictures, count: int, size: int) -> Tensor:
    """The middle square of the first `count` pictures, resized: uint8 (n, 3, size, size)."""
    crops: list[np.ndarray] = []
    for k in range(min(count, len(pictures))):
        picture = Image.fromarray(pictures[k])
        side = min(picture.size)
        x, y = (picture.width - side) / 2, (picture.height - side) / 2
        window = picture.resize((size, size), Image.Resampling.BICUBIC, (x, y, x + side, y + side))
        crops.append(np.asarray(window).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(crops))


def classes(entries: Sequence[Entry], fewest: int) -> list[str]:
    """Labels that at least `fewest` pictures carry, sorted."""
    counts = Counter(e.labels for e in entries if e.labels)
    return sorted(label for label, count in counts.items() if count >= fewest)


def some(entries: Sequence[Entry], most: int | None, seed: int) -> list[Entry]:
    """At most so many of the entries, in their order; the same for a seed. None: all."""
    if most is None or most >= len(entries):
        return list(entries)
    lots = np.random.default_rng((seed, 2)).permutation(len(entries))
    return [entries[k] for k in sorted(lots[:most])]
