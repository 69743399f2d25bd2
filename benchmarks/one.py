"""One measurement in an interpreter of its own: `python one.py NAME ARGUMENTS`, JSON out."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any


def make(path: str, pixels: int, seed: int = 20) -> dict[str, Any]:
    """A grey picture, 4:3, with the smooth parts, edges and grain of a scan."""
    import pyvips

    vips: Any = pyvips.Image
    height = round((pixels * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    shapes = vips.gaussnoise(width // 96 + 4, height // 96 + 4, sigma=60, mean=128, seed=seed)
    shapes = shapes.resize(96, kernel="nearest").crop(0, 0, width, height)
    shade = vips.gaussnoise(width // 300 + 4, height // 300 + 4, sigma=40, mean=0, seed=seed + 1)
    shade = shade.resize(300, kernel="cubic").crop(0, 0, width, height)
    grain = vips.gaussnoise(width, height, sigma=10, mean=0, seed=seed + 2)
    grey = shapes + shade + grain
    if path.endswith(".tif"):
        (grey * 257).cast("ushort").copy(interpretation="grey16").tiffsave(path)
    else:
        grey = grey.cast("uchar").copy(interpretation="b-w")
        grey = grey.colourspace("srgb") if "rgb" in path else grey
        grey.jpegsave(path, Q=90)
    return {"width": width, "height": height, "nbytes": Path(path).stat().st_size}


def libvips(source: str, target: str) -> dict[str, Any]:
    """Decode, make RGB of it, encode as retint does: JPEG at 4:4:4, TIFF as the source."""
    import pyvips

    vips: Any = pyvips.Image

    def work() -> None:
        image = vips.new_from_file(source, access="sequential")
        deep = image.format == "ushort"
        image = image.colourspace("rgb16" if deep else "srgb")
        if target.endswith(".tif"):
            image.tiffsave(target)
        else:
            image.jpegsave(target, Q=90, subsample_mode="off")

    return timed(work)


def retint(source: str, target: str, model: str) -> dict[str, Any]:
    """Everything `retint.colorize` does, hashing and loading the model included.

    And then the same photograph again as one of many, the model there, in its parts.
    """
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
    """The network alone, on the lightness of one photograph at its working size."""
    import numpy as np

    from retint import load

    start = time.perf_counter()
    predictor = load(model, device="cpu")
    loaded = time.perf_counter() - start
    longest = predictor.card.working_size
    ramp = np.linspace(0, 100, longest * longest * 3 // 4, dtype=np.float32)
    L = ramp.reshape(1, 1, longest * 3 // 4, longest)
    predictor(L)
    times = [timed(lambda: predictor(L))["seconds"] for _ in range(runs)]
    return {
        "model": f"{predictor.name} {predictor.version}",
        "weights_sha256": predictor.weights_sha256,
        "size": [longest, longest * 3 // 4],
        "load_ms": round(1e3 * loaded, 1),
        "median_ms": round(1e3 * median(times), 1),
        "best_ms": round(1e3 * min(times), 1),
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


def timed(work: Any) -> dict[str, Any]:
    """Seconds, those of all processors, and the most memory this process ever had in use."""
    start, used = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - used
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb()}


def peak_mb() -> float | None:
    """Peak resident memory in 10^6 bytes, where the system tells (Linux).

    Not getrusage's: that one begins with the memory of whoever started this process.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return round(int(lines["VmHWM"].split()[0]) * 1024 / 1e6, 1)


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    measurements: list[Callable[..., dict[str, Any]]] = [
        make, libvips, retint, network, imported, versions
    ]  # fmt: skip
    measure = next(f for f in measurements if f.__name__ == name)
    sys.stdout.write(json.dumps(measure(*(int(a) if a.isdecimal() else a for a in arguments))))
