"""Pictures inside the page: truth, grey and colourings of one size, within a limit of bytes."""

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyvips

from retint.bench.contestants import Contestant, Grey
from retint.bench.sets import Truth
from retint.color import Floats
from retint.errors import InputError

TRUE, GREY = "true", "grey"
"""What is shown beside the contestants, who are called by the numbers of their rows."""

BYTES_PER_PIXEL = 0.3
"""About so much of the page: WebP of quality 80, in base64."""

CONFIDENCE_SIDE = 96
"""Pixels: a map of confidence has no finer detail that matters."""

_vips: Any = pyvips  # it has no types


@dataclass
class Shown:
    """A picture on the page: its ways of colouring as data URIs, and maps of confidence.

    Both by the number of the contestant's row, as text; `colours` also has "true" and "grey".
    `absent`: why a contestant has none.
    """

    width: int
    height: int
    colours: dict[str, str] = field(default_factory=dict[str, str])
    confidence: dict[str, str] = field(default_factory=dict[str, str])
    absent: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def size(self) -> int:
        """Bytes it takes of the page."""
        return sum(map(len, [*self.colours.values(), *self.confidence.values()]))

    @property
    def shape(self) -> float:
        """Width over height."""
        return round(self.width / self.height, 4)

    def plain(self) -> dict[str, Any]:
        """What the page's script needs of it."""
        return {"shape": self.shape, "colours": self.colours, "confidence": self.confidence}


@dataclass
class Album:
    """The pictures shown, by their number in the set; `confidence`: by contestant, the range of it
    that its maps are drawn in."""

    shown: dict[int, Shown] = field(default_factory=dict[int, Shown])
    confidence: dict[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]]
    )


def collect(
    wanted: Sequence[int],
    files: Sequence[str],
    contestants: Mapping[str, Contestant],
    truths: Callable[[str], Truth],
    *,
    side: int,
    limit: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = lambda numbers: numbers,
) -> Album:
    """Colour the pictures wanted, in their order, until `limit` bytes of the page are full.

    The longest side is `side` pixels, or less where all of them would not fit otherwise. A picture
    that cannot be read is left out; a contestant without a usable one is absent there.
    """
    room = limit / max(1, len(wanted) * (2 + len(contestants)) * BYTES_PER_PIXEL)
    side = max(160, min(side, int(math.sqrt(room * 4 / 3))))  # most photographs are 4:3 or 3:2
    album = Album()
    maps: dict[tuple[int, str], Floats] = {}
    left = limit
    for number in progress(wanted):
        try:
            shown, found = _shown(truths(files[number]), contestants, side)
        except InputError:
            continue
        if shown.size > left:
            break
        left -= shown.size
        album.shown[number] = shown
        maps |= {(number, key): confidence for key, confidence in found.items()}
    for key in {key for _, key in maps}:
        own = {number: found for (number, who), found in maps.items() if who == key}
        low, high = np.quantile(np.concatenate([m.ravel() for m in own.values()]), [0.01, 0.99])
        album.confidence[key] = float(low), float(high)
        for number, found in own.items():
            share = (found - low) / max(high - low, 1e-6)
            album.shown[number].confidence[key] = _data_uri(_scale(share), quality=70)
    while sum(shown.size for shown in album.shown.values()) > limit:
        album.shown.popitem()
    return album


def _shown(
    truth: Truth, contestants: Mapping[str, Contestant], side: int
) -> tuple[Shown, dict[str, Floats]]:
    """A picture, and the confidence of those who have any, small."""
    image = _shrunk(truth.rgb, side)
    shown = Shown(image.width, image.height, {TRUE: _data_uri(image)})
    shown.colours[GREY] = _data_uri(_shrunk(Grey().colour(truth).rgb, side))
    maps: dict[str, Floats] = {}
    for key, contestant in contestants.items():
        try:
            found = contestant.colour(truth)
        except InputError as error:
            shown.absent[key] = str(error)
            continue
        shown.colours[key] = _data_uri(_shrunk(found.rgb, side))
        if found.confidence is not None:
            small = _vips.Image.new_from_array(np.ascontiguousarray(found.confidence, np.float32))
            small = small.resize(min(1, CONFIDENCE_SIDE / max(small.width, small.height)))
            maps[key] = small.numpy()
    return shown, maps


def _shrunk(rgb: Floats, side: int) -> Any:
    image = _vips.Image.new_from_array(np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    image = image.copy(interpretation="srgb")
    return image.thumbnail_image(side, height=side, size="down").copy_memory()


def _data_uri(image: Any, quality: int = 80) -> str:
    # smart_subsample keeps colour at edges: it is what these pictures are looked at for.
    coded = image.webpsave_buffer(Q=quality, smart_subsample=True, effort=3)
    return f"data:image/webp;base64,{b64encode(coded).decode('ascii')}"


SCALE = ((0x2B, 0x2F, 0x77), (0xC2, 0x4E, 0x6B), (0xFB, 0xE3, 0x8A))
"""Colours of a map of confidence, unsure to sure: dark to light, also for the colour-blind."""


def _scale(share: Floats) -> Any:
    """A map (h, w), 0..1, as a picture."""
    at = np.linspace(0, 1, len(SCALE))
    channels = [np.interp(share, at, [colour[c] for colour in SCALE]) for c in range(3)]
    codes = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return _vips.Image.new_from_array(codes).copy(interpretation="srgb")
