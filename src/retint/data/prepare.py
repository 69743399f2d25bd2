"""From pictures as they lie about to a corpus: upright, small, sRGB, without exact duplicates."""

import hashlib
import io
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from PIL import Image

from retint.data.measure import mean_colour
from retint.data.picture import decode
from retint.data.sources import LARGEST, Original
from retint.data.writer import CorpusWriter
from retint.errors import RetintError
from retint.pool import work_off

Fate = Literal["taken", "done", "broken", "duplicate", "too large"]
"""What became of an original; done: by an earlier run."""


@dataclass(frozen=True)
class Form:
    """How pictures are stored: as WebP, the shorter side at most so long, or byte by byte (`keep`).

    Pictures of more than `max_pixels` are not decoded.
    """

    shorter: int = 192
    quality: int = 75
    keep: bool = False
    max_pixels: int = 500_000_000


@dataclass(frozen=True)
class Outcome:
    """What became of an original, and why."""

    original: Original
    fate: Fate
    reason: str = ""


def prepare(
    originals: Iterable[Original],
    folder: Path,
    form: Form | None = None,
    *,
    shard_mb: float = 26,
    jobs: int = 1,
    columns: Iterable[str] = (),
) -> Generator[Outcome]:
    """Add originals to the corpus in `folder`, and tell of each what became of it, in their order.

    The corpus is the same for any number of processes (`jobs`), and whether or not the run was
    interrupted: originals whose origin is in the manifest or in `rejected.csv` are done. `columns`:
    those of the originals beside the known ones. Raises OutputError.
    """
    with CorpusWriter(folder, shard_mb=shard_mb, columns=("origin", *columns)) as writer:
        done = {entry.origin for entry in writer.entries} | {row[0] for row in writer.rejected}
        known = {entry.more.get("sha256", ""): k for k, entry in enumerate(writer.entries)}
        waiting: dict[int, Original] = {}
        ready: dict[int, _Encoded | _Refused] = {}
        told = 0

        def work() -> Iterator[_Item]:
            for number, original in enumerate(originals):
                waiting[number] = original
                if original.origin in done:
                    ready[number] = _Refused("done")
                else:
                    done.add(original.origin)
                    yield number, _bytes_of(original)

        def settle() -> Iterator[Outcome]:
            """Take in what is ready, in order."""
            nonlocal told
            while told in ready:
                result, original = ready.pop(told), waiting.pop(told)
                told += 1
                if isinstance(result, _Encoded):
                    first = known.setdefault(result.columns["sha256"], len(writer.entries))
                    if first == len(writer.entries):
                        columns = {**original.columns, **result.columns, "origin": original.origin}
                        writer.add(result.data, result.suffix, columns)
                        yield Outcome(original, "taken")
                        continue
                    result = _Refused("duplicate", f"same as {writer.entries[first].name}")
                if result.fate != "done":
                    writer.reject(original.origin, result.fate, result.reason)
                yield Outcome(original, result.fate, result.reason)

        with closing(work_off(partial(_encoder, form or Form()), work(), jobs, _lost)) as results:
            for number, result in results:
                ready[number] = result
                yield from settle()
        yield from settle()


@dataclass(frozen=True)
class _Encoded:
    data: bytes
    suffix: str
    columns: dict[str, str]


@dataclass(frozen=True)
class _Refused:
    fate: Fate
    reason: str = ""


_Item = tuple[int, "tuple[bytes, str] | _Refused"]
_Result = tuple[int, _Encoded | _Refused]


def _bytes_of(original: Original) -> "tuple[bytes, str] | _Refused":
    """Bytes and ending of an original, or why it cannot be read."""
    if original.size > LARGEST:
        return _Refused("too large", f"a file of {original.size / 2**30:.1f} GiB")
    try:
        return original.read(), PurePosixPath(original.origin).suffix.lower()
    except RetintError as error:
        return _Refused("broken", str(error))
    except Exception as error:  # archives break in as many ways as pictures
        return _Refused("broken", f"cannot be read ({error})")


def _encoder(form: Form) -> Callable[[_Item], _Result]:
    """What a process does with each picture."""
    Image.MAX_IMAGE_PIXELS = None  # the form's own limit holds, and a warning helps nobody here
    Image.init()
    return partial(_encode, form)


def _encode(form: Form, item: _Item) -> _Result:
    number, given = item
    if isinstance(given, _Refused):
        return number, given
    data, suffix = given
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > form.max_pixels:
                size = f"{image.width} x {image.height} pixels"
                return number, _Refused("too large", size)
        image = decode(data, None if form.keep else form.shorter)
        if not form.keep:
            buffer, suffix = io.BytesIO(), ".webp"
            image.save(buffer, "WEBP", quality=form.quality)
            data = buffer.getvalue()
        a, b, dhash = mean_colour(image)
    except Exception as error:  # decoders raise nearly anything for bytes that are no picture
        return number, _Refused("broken", str(error) or type(error).__name__)
    columns = {
        "width": str(image.width),
        "height": str(image.height),
        "sha256": hashlib.sha256(data).hexdigest(),
        "a": f"{a:.2f}",
        "b": f"{b:.2f}",
        "dhash": f"{dhash:016x}",
    }
    return number, _Encoded(data, suffix, columns)


def _lost(item: _Item, reason: str) -> _Result:
    return item[0], _Refused("broken", reason)
