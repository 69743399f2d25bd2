import json
import subprocess
import sys
from pathlib import Path

import pytest

SPEED = Path(__file__).parent.parent / "benchmarks" / "speed.py"


@pytest.mark.slow
def test_speed_says_where_and_what_it_measured(fake_onnx, tmp_path):
    report = tmp_path / "speed.json"
    sizes = ["--jpeg", "0.1", "--tiff", "0.2", "--runs", "1"]
    command = [sys.executable, SPEED, "-o", report, "--model", fake_onnx, *sizes]
    subprocess.run([*command, "--folder", tmp_path], check=True)
    found = json.loads(report.read_text())
    assert found["date"]
    assert found["commit"]
    assert found["hardware"]["cores"] >= 1
    assert found["import_retint"]["loads"] == []
    assert found["network"]["median_ms"] > 0
    assert found["cold_start_s"][0] > 0
    assert len(found["files"]) == 3
    for file in found["files"].values():
        assert file["ratio"] > 0
        assert file["ratio_cpu"] > 0
        assert file["retint"]["seconds"] > 0
        assert file["libvips"]["seconds"] > 0
