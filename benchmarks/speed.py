"""Time retint beside libvips decoding the same file and encoding an RGB result of its format.

    python benchmarks/speed.py -o benchmarks/speed.json

The files are made here. Each measurement runs in an interpreter of its own; the two sides take
turns, and of each the fastest run counts. Timed is the call, without imports.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CASES = {"jpeg grey": "grey.jpg", "jpeg r=g=b": "rgb.jpg", "tiff grey 16 bits": "grey.tif"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="where the JSON goes [standard output]")
    parser.add_argument("--model", default="default", help="name, or path of an .onnx")
    parser.add_argument("--runs", type=int, default=3, help="of each side [3]")
    parser.add_argument("--jpeg", type=float, default=12, help="megapixels of the JPEGs [12]")
    parser.add_argument("--tiff", type=float, default=100, help="megapixels of the TIFF [100]")
    parser.add_argument("--folder", help="where the files lie meanwhile [the system's]")
    chosen = parser.parse_args()
    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "hardware": hardware(),
        "versions": one("versions"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "import_retint": one("imported"),
        "network": one("network", chosen.model),
        "files": {},
    }
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for name, file in CASES.items():
            source = Path(folder, file)
            megapixels = chosen.tiff if file.endswith("tif") else chosen.jpeg
            made = one("make", source, int(megapixels * 1e6))
            report["files"][name] = made | compare(source, chosen.model, chosen.runs)
            if file == "grey.jpg":
                report["cold_start_s"] = cold_start(source, chosen.model, chosen.runs)
            source.unlink()
    text = json.dumps(report, indent=2) + "\n"
    if chosen.output:
        chosen.output.write_text(text)
    else:
        sys.stdout.write(text)


def compare(source: Path, model: str, runs: int) -> dict[str, Any]:
    target = source.with_name("out" + source.suffix)
    sides: dict[str, list[dict[str, Any]]] = {"libvips": [], "retint": []}
    for _ in range(runs):
        sides["libvips"].append(one("libvips", source, target))
        target.unlink()
        sides["retint"].append(one("retint", source, target, model))
        target.unlink()
    found: dict[str, Any] = {}
    for name, done in sides.items():
        best = min(done, key=lambda run: run["seconds"])
        found[name] = best | {
            "seconds": round(best["seconds"], 3),
            "all_seconds": [round(run["seconds"], 3) for run in done],
            "cpu_seconds": round(min(run["cpu_seconds"] for run in done), 3),
            "peak_mb": max((run["peak_mb"] for run in done if run["peak_mb"]), default=None),
        }
    limit = found["libvips"]["seconds"]
    found["ratio"] = round(found["retint"]["seconds"] / limit, 2)
    found["ratio_cpu"] = round(found["retint"]["cpu_seconds"] / found["libvips"]["cpu_seconds"], 2)
    found["ratio_model_loaded"] = round(sum(found["retint"]["parts"].values()) / limit, 2)
    return found


def cold_start(source: Path, model: str, runs: int) -> list[float]:
    """Wall seconds of `retint colorize` on a small picture, from the shell's point of view."""
    small = source.with_name("one.jpg")
    one("make", small, 500_000)
    times: list[float] = []
    for i in range(runs):
        command = ["colorize", small, "-o", source.with_name(f"cold{i}"), "--model", model]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "retint", *command], check=True, capture_output=True)
        times.append(round(time.perf_counter() - start, 3))
    return times


def one(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, HERE / "one.py", *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True)
        return done.stdout.strip()

    changed = "+" if git("status", "--porcelain", "--untracked-files=no") else ""
    return git("rev-parse", "HEAD") + changed


def hardware() -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = platform.processor()
    about = Path("/proc/cpuinfo")
    if about.exists():
        names = [li.split(":")[1] for li in about.read_text().splitlines() if "model name" in li]
        processor = names[0].strip() if names else processor
    return {"system": platform.platform(), "processor": processor, "cores": cores}


if __name__ == "__main__":
    main()
