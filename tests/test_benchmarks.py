import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.slow
def test_speed_says_where_and_what_it_measured(fake_onnx, tmp_path):
    report = tmp_path / "speed.json"
    sizes = ["--jpeg", "0.1", "--tiff", "0.2", "--runs", "1"]
    command = [sys.executable, BENCHMARKS / "speed.py", "-o", report, "--model", fake_onnx, *sizes]
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


@pytest.mark.slow
def test_a_service_is_loaded_by_one_client_and_by_many(fake_onnx, tmp_path):
    pytest.importorskip("fastapi", exc_type=ImportError)
    report = tmp_path / "serve.json"
    command = [sys.executable, BENCHMARKS / "serve.py", "-o", report, "--model", fake_onnx]
    sizes = ["--clients", "1", "3", "--workers", "1", "--seconds", "0.5", "--minutes", "0.02"]
    subprocess.run([*command, *sizes, "--megapixels", "0.1", "--folder", tmp_path], check=True)
    found = json.loads(report.read_text())
    assert found["batches"]["same_pixels"]
    assert found["batches"]["cpu_ms"].keys() == {"1", "2", "4", "8"}
    assert [one["clients"] for one in found["colorize"]] == [1, 3]
    for one in found["colorize"] + found["looks"]:
        assert one["answers"] > 0
        assert one["refused"] == 0
        assert 0 < one["p50_s"] <= one["p95_s"] <= one["p99_s"]
        assert one["cpu_s_each"] > 0
    assert found["memory"]["refused"] == 0
    assert found["memory"]["samples"][0][1] > 1
