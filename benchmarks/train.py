"""Measure how fast a recipe trains, and how long the network waits for pictures.

    python benchmarks/train.py recipes/default.toml --data PHOTOS --backbones BACKBONES

The first steps, in which pictures are decoded and kernels chosen, are not counted. Beside the whole
step it times the device's share alone, on a batch that is there already.
"""

import argparse
import datetime
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from speed import commit, hardware

from retint.predict import available_threads
from retint.train import recipe as recipes
from retint.train.lately import Lately
from retint.train.loop import Training


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--backbones", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("-o", "--output", type=Path, help="where the JSON goes [standard output]")
    chosen = parser.parse_args()
    if chosen.device == "cpu":
        torch.set_num_threads(available_threads())
    recipe = recipes.load(chosen.recipe, tuple(chosen.changes))
    with tempfile.TemporaryDirectory() as folder:
        training = Training(
            recipe, chosen.data, Path(folder), backbones=chosen.backbones, device=chosen.device
        )
        measured = measure(training, chosen.steps)
    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "hardware": hardware() | {"device": name(chosen.device)},
        "torch": torch.__version__,
        "recipe": recipe.name,
        "changes": chosen.changes,
        **measured,
    }
    text = json.dumps(report, indent=2) + "\n"
    if chosen.output:
        chosen.output.write_text(text)
    else:
        sys.stdout.write(text)


def measure(training: Training, steps: int) -> dict[str, Any]:
    """Pictures per second of the loop as it is, and of the same steps on one batch."""
    training.run(steps=max(3, steps // 6))
    seen: dict[str, Any] = {}

    def noted(*_: Any) -> bool:
        seen.update(
            training.lately.row(
                training.position, stage="", batch=training.batches.batch, epoch=1, rate=0.0
            )
        )
        training.lately = Lately(training.step)
        return False

    training._keep = noted  # neither validation nor checkpoint is timed
    training.run(steps=steps)
    batch = training.batches(0)
    alone = steps // 3
    begun = time.perf_counter()
    for _ in range(alone):
        training._learn(batch, 0.5)
    float(training.lately.losses[-1])  # until the device is done
    seconds = time.perf_counter() - begun
    return {
        "steps": steps,
        "pictures_per_second": seen["per_second"],
        "waiting_share": seen["waiting"],
        "network_alone_pictures_per_second": round(alone * len(batch.pixels) / seconds, 1),
    }


def name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


if __name__ == "__main__":
    main()
