"""Nothing is told to anybody: what retint is built on keeps its own counsel, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GUESS = """
import sys
import numpy as np
from retint import predict
predict.load(sys.argv[1], device="cpu")(np.zeros((1, 1, 8, 8), np.float32))
"""


@pytest.mark.parametrize(
    "room", ["retint.predict", "retint.export.formats", "retint.train.features"]
)
def test_onnxruntime_sends_no_telemetry(room: str, fake_onnx: Path, tmp_path: Path):
    """Where it does, it leaves an id of the device and a queue of events behind."""
    if not room.endswith("predict"):
        pytest.importorskip("torch")
    hushed = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
    there = {name: text for name, text in os.environ.items() if name not in hushed}
    there |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    code = f"import {room}\n{GUESS}"
    subprocess.run([sys.executable, "-c", code, fake_onnx], env=there, check=True)
    assert list(tmp_path.rglob("*")) == []
