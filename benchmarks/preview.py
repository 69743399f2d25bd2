"""What looking at a photograph of 20 megapixels costs the desk, in processor time: JSON out.

`python benchmarks/preview.py` counts what all threads take together. Pictures are 1600 pixels long,
in WebP.
"""

import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from retint import predict
from retint.bench.cost import make_photograph
from retint.colorizer import Options
from retint.serve.workers.looking import Opened, Opening, Seeing

MEGAPIXELS = 20
WHOLE = (0.0, 0.0, 1.0, 1.0)
MOST = 500_000_000


def cost(path: Path) -> dict[str, float]:
    """Processor seconds of each question about a photograph."""
    model = predict.load("default", device="cpu", threads=1)
    model(np.zeros((1, 1, 64, 64), np.float32))  # the first run prepares the network
    costs: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        begin = time.process_time()
        result = work()
        costs[name] = round(time.process_time() - begin, 3)
        return result

    opened = timed("open and decode", lambda: Opened(path, MOST, lambda _: model))
    timed("facts", lambda: Opening(path, MOST).answer(opened))

    def look(name: str, part: tuple[float, ...] = WHOLE, show: Any = "colour", **chosen: Any):
        left, top, width, height = part
        question = Seeing(
            path, Options(**chosen), (), 0, show, (left, top, width, height), 1600, "webp"
        )
        timed(name, lambda: question.answer(opened))

    look("whole, first time")
    look("whole, another saturation", saturation=1.3)
    look("whole, faded where unsure", mute_uncertain=0.5)
    look("1600 pixels at full size", (0.4, 0.4, 0.29, 0.29))
    look("1600 others at full size", (0.6, 0.5, 0.29, 0.29))
    look("confidence", show="confidence")
    look("guessed at 512 pixels", longest=512)
    look("an alternative, first time", alternative=1)
    look("another alternative", alternative=2)
    opened.release()
    look("at full size, decoded again", (0.1, 0.1, 0.29, 0.29))
    return costs


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.jpg"
        about = make_photograph(path, MEGAPIXELS)
        told = {"machine": platform.processor() or platform.machine(), "photograph": about}
        print(json.dumps({**told, "cpu_s": cost(path)}, indent=1))


if __name__ == "__main__":
    main()
