"""The doctor tells what is there, and what is not."""

import json

import pytest
from click.testing import CliRunner

from retint import hub, predict
from retint.cli import main
from retint.cli.doctor import examine, words


def test_it_tells_what_is_there():
    result = CliRunner().invoke(main, ["doctor"])
    for word in ("retint 0", "libvips 8", "ONNX Runtime", "jpeg", "tiff", "cpu", "Threads: "):
        assert word in result.stdout
    assert result.stderr == ""


def test_json_is_the_same_as_plain_values():
    result = CliRunner().invoke(main, ["doctor", "--json"])
    found = json.loads(result.stdout)
    assert found.keys() == {"versions", "formats", "devices", "threads", "models", "problems"}
    assert found["formats"]["tiff"] == {
        "read": True, "written": [8, 16], "becomes": "tiff", "endings": [".tif", ".tiff"],
    }  # fmt: skip
    assert found["formats"]["gif"]["written"] == []
    assert found["threads"]["usable"] == predict.available_threads()
    assert "cpu" in found["devices"]
    assert found["models"].keys() == set(hub.cards())
    assert result.exit_code == (1 if found["problems"] else 0)


def test_limits_of_a_container_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(predict, "available_threads", lambda: 1)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    told = "Threads: 1 usable of 64 in the machine (affinity, or the container's limit)"
    assert told in words(examine())


def test_what_is_missing_is_a_problem_and_exit_code_1(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "cards", list[str])
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith("Problem: there is no default model")


def test_a_device_that_cannot_start_is_not_said_to_work(monkeypatch: pytest.MonkeyPatch):
    """A CUDA provider that is there but finds no card: the commonest lie in this field."""
    if "default" not in hub.cards() or hub.where("default") != "shipped":
        pytest.skip("this checkout has no default model")
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    found = examine()
    assert found["devices"]["cpu"] == "works"
    assert found["devices"]["cuda"].startswith("does not work: ")
