"""What a model costs: time, memory and size, beside libvips decoding and encoding the same picture.

Each measurement runs in a process of its own, which imports what it needs before the clock starts.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from retint import pool
from retint.errors import ModelError

MEGAPIXELS = 2.0
"""Of the photograph that is coloured from file to file."""

RUNS = 3
"""Of which the fastest counts."""

NETWORK_RUNS = 11
"""Of the network alone; the median counts."""


@dataclass(frozen=True)
class Subject:
    """A model to measure: its name or file, where it runs, and its threads, None for all."""

    model: str | Path
    device: str = "auto"
    threads: int | None = None


def measure(
    subjects: Mapping[str, Subject], megapixels: float = MEGAPIXELS
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The cost of each model, and that of libvips, of one grey JPEG of so many megapixels.

    `ms`, `megapixels_per_second`: file to file, the model loaded. `network_ms`: the network alone,
    at the model's working size, 4:3. `peak_mb`: most memory of a process that did nothing else, in
    10^6 bytes, on Linux. `parameters`, `megabytes` of weights, `device`. Raises ModelError where
    a model fails or its process dies.
    """
    with TemporaryDirectory(prefix="retint-cost-") as folder:
        source, target = Path(folder, "grey.jpg"), Path(folder, "coloured.jpg")
        size = make_photograph(source, megapixels)
        pixels = size["width"] * size["height"] / 1e6
        what = f"a grey JPEG of {size['width']} x {size['height']} pixels"
        libvips = _alone(_Libvips(source, target))
        found = {name: _alone(_Coloured(one, source, target)) for name, one in subjects.items()}
    for figures in (libvips, *found.values()):
        figures["megapixels_per_second"] = 1000 * pixels / figures["ms"]
    return found, {"what": what, **libvips}


def make_photograph(path: Path, megapixels: float, seed: int = 20) -> dict[str, int]:
    """Write a grey picture, 4:3, with the smooth parts, edges and grain of a scan.

    A .tif has 16 bits; anything else is a JPEG, stored as RGB where its name contains "rgb".
    Returns width, height and nbytes.
    """
    import pyvips

    vips: Any = pyvips.Image
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    shapes = vips.gaussnoise(width // 96 + 4, height // 96 + 4, sigma=60, mean=128, seed=seed)
    shapes = shapes.resize(96, kernel="nearest").crop(0, 0, width, height)
    shade = vips.gaussnoise(width // 300 + 4, height // 300 + 4, sigma=40, mean=0, seed=seed + 1)
    shade = shade.resize(300, kernel="cubic").crop(0, 0, width, height)
    grain = vips.gaussnoise(width, height, sigma=10, mean=0, seed=seed + 2)
    grey = shapes + shade + grain
    if path.suffix == ".tif":
        (grey * 257).cast("ushort").copy(interpretation="grey16").tiffsave(str(path))
    else:
        grey = grey.cast("uchar").copy(interpretation="b-w")
        grey = grey.colourspace("srgb") if "rgb" in path.name else grey
        grey.jpegsave(str(path), Q=90)
    return {"width": width, "height": height, "nbytes": path.stat().st_size}


def copy_with_libvips(source: Path, target: Path) -> None:
    """Decode, make RGB of it, encode as retint does: JPEG at 4:4:4, TIFF as the source."""
    import pyvips

    vips: Any = pyvips.Image
    image = vips.new_from_file(str(source), access="sequential")
    image = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
    if target.suffix == ".tif":
        image.tiffsave(str(target))
    else:
        image.jpegsave(str(target), Q=90, subsample_mode="off")


def time_network(predictor: Any, runs: int) -> list[float]:
    """Seconds that a predictor takes for a ramp of lightness at its working size, 4:3."""
    import numpy as np

    longest = predictor.card.working_size
    ramp = np.linspace(0, 100, longest * (longest * 3 // 4), dtype=np.float32)
    L = ramp.reshape(1, 1, longest * 3 // 4, longest)
    predictor(L)
    return [timed(lambda: predictor(L))["seconds"] for _ in range(runs)]


def timed(work: Callable[[], object]) -> dict[str, Any]:
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


@dataclass(frozen=True)
class _Libvips:
    source: Path
    target: Path

    def __call__(self) -> dict[str, Any]:
        found = [timed(lambda: copy_with_libvips(self.source, self.target)) for _ in range(RUNS)]
        return _best(found)


@dataclass(frozen=True)
class _Coloured:
    subject: Subject
    source: Path
    target: Path

    def __call__(self) -> dict[str, Any]:
        from retint.colorizer import Colorizer
        from retint.photo import Photo
        from retint.predict import load

        one = self.subject
        predictor = load(one.model, device=one.device, threads=one.threads)
        colorizer = Colorizer(predictor)

        def colorize() -> None:
            photo = Photo.open(self.source)
            photo.hold()
            self.target.unlink(missing_ok=True)
            colorizer.colorize(photo).save(self.target)

        found = _best([timed(colorize) for _ in range(RUNS)])
        network = median(time_network(predictor, NETWORK_RUNS))
        return {
            "device": predictor.device,
            "parameters": predictor.card.parameters,
            "megabytes": predictor.path.stat().st_size / 1e6,
            "network_ms": 1000 * network,
            **found,
        }


def _best(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "ms": 1000 * min(run["seconds"] for run in found),
        "peak_mb": found[-1]["peak_mb"],
    }


@dataclass(frozen=True)
class _Started:
    """What the new process calls first; it works off one item, whatever it is."""

    work: Callable[[], dict[str, Any]]

    def __call__(self) -> Callable[[int], dict[str, Any]]:
        found = self.work()
        return lambda _: found


def _alone(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do it in a new process; what it raises on purpose is raised here."""
    return next(iter(list(pool.work_off(_Started(work), [0], 1, _lost))))


def _lost(item: int, reason: str) -> dict[str, Any]:
    raise ModelError(f"measuring the cost: {reason}")
