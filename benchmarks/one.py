"""One measurement in an interpreter of its own: `python one.py NAME ARGUMENTS`, JSON out."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any


def make(path: str, pixels: int) -> dict[str, Any]:
    """A grey picture, 4:3, with the smooth parts, edges and grain of a scan."""
    from retint.bench.cost import make_photograph

    return make_photograph(Path(path), pixels / 1e6)


def libvips(source: str, target: str) -> dict[str, Any]:
    """Decode, make RGB of it, encode as retint does: JPEG at 4:4:4, TIFF as the source."""
    from retint.bench.cost import copy_with_libvips, timed

    return timed(lambda: copy_with_libvips(Path(source), Path(target)))


def retint(source: str, target: str, model: str) -> dict[str, Any]:
    """Everything `retint.colorize` does, hashing and loading the model included.

    And then the same photograph again as one of many, the model there, in its parts.
    """
    from retint.bench.cost import timed
    from retint.colorizer import Colorizer
    from retint.files import colorize
    from retint.photo import Photo
    from retint.predict import load

    found = timed(lambda: colorize(source, target, model=model))
    colorizer = Colorizer(load(model))
    Path(target).unlink()  # taking it away takes time of its own
    begin = time.perf_counter()
    photo = Photo.open(source)
    photo.hold()
    photo.thumbnail()
    seen = time.perf_counter()
    chroma = colorizer.predict(photo)
    guessed = time.perf_counter()
    photo.tint(chroma).save(target)
    saved = time.perf_counter()
    parts = {"thumbnail": seen - begin, "predict": guessed - seen, "save": saved - guessed}
    return found | {"parts": {name: round(seconds, 3) for name, seconds in parts.items()}}


def network(model: str, runs: int = 20) -> dict[str, Any]:
    """The network alone, on a ramp of lightness at its working size."""
    from retint import load
    from retint.bench.cost import time_network

    start = time.perf_counter()
    predictor = load(model, device="cpu")
    loaded = time.perf_counter() - start
    times = time_network(predictor, runs)
    longest = predictor.card.working_size
    return {
        "model": f"{predictor.name} {predictor.version}",
        "weights_sha256": predictor.weights_sha256,
        "size": [longest, longest * 3 // 4],
        "load_ms": round(1e3 * loaded, 1),
        "median_ms": round(1e3 * median(times), 1),
        "best_ms": round(1e3 * min(times), 1),
    }


def batches(model: str, pictures: int = 8, rounds: int = 5) -> dict[str, Any]:
    """The network on so many pictures of one size, by one, two, ... at a time: ms for each picture,
    of wall and of processor time, the fastest of some rounds; whether the pixels are the same.
    """
    import numpy as np

    from retint import load
    from retint.predict import available_threads

    predictor = load(model, device="cpu")
    size = predictor.card.working_size
    noise = np.random.default_rng(20).uniform(0, 100, (pictures, 1, size * 3 // 4, size))
    L = noise.astype(np.float32)
    alone = [predictor(one).ab for one in np.split(L, pictures)]
    same, wall, cpu = True, dict[int, list[float]](), dict[int, list[float]]()
    for _ in range(rounds):
        for count in (1, 2, 4, 8):
            begin, begin_cpu = time.perf_counter(), time.process_time()
            found = [predictor(batch).ab for batch in np.split(L, pictures // count)]
            wall.setdefault(count, []).append(1e3 * (time.perf_counter() - begin) / pictures)
            cpu.setdefault(count, []).append(1e3 * (time.process_time() - begin_cpu) / pictures)
            same = same and np.array_equal(np.concatenate(found), np.concatenate(alone))
    return {
        "size": [size, size * 3 // 4],
        "threads": available_threads(),
        "same_pixels": same,
        "wall_ms": {count: round(min(times), 1) for count, times in wall.items()},
        "cpu_ms": {count: round(min(times), 1) for count, times in cpu.items()},
    }


def imported() -> dict[str, Any]:
    """What `import retint` costs and what it brings."""
    start = time.perf_counter()
    import retint  # noqa: F401

    seconds = time.perf_counter() - start
    heavy = [m for m in ("numpy", "pyvips", "onnxruntime", "torch") if m in sys.modules]
    return {"ms": round(1e3 * seconds, 2), "loads": heavy}


def versions() -> dict[str, Any]:
    """What runs here."""
    import platform
    from importlib.metadata import version

    import pyvips

    from retint import kernel

    named = ("retint", "numpy", "pyvips", "onnxruntime")
    libvips = ".".join(str(pyvips.version(i)) for i in range(3))
    built = "numpy" if kernel.compiled is None else "compiled"
    return {"python": platform.python_version(), "libvips": libvips, "kernel": built} | {
        name: version(name) for name in named
    }


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    measurements: list[Callable[..., dict[str, Any]]] = [
        make, libvips, retint, network, batches, imported, versions
    ]  # fmt: skip
    measure = next(f for f in measurements if f.__name__ == name)
    sys.stdout.write(json.dumps(measure(*(int(a) if a.isdecimal() else a for a in arguments))))
