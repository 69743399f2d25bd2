"""docs/serve.md is true: its curl lines and its Python run against a real service."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

from retint.serve import Settings
from served import Served, served
from test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "serve.md"
THERE = "http://127.0.0.1:8791"


@pytest.fixture(scope="module")
def here(
    photographs: dict[str, Path], fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "root" / "attic").mkdir(parents=True)
    for place in ("1912.jpg", "1913.jpg", "root/attic/1912.jpg"):
        shutil.copy(photographs["grey.jpg"], folder / place)
    models = {"fake": str(fake_onnx)}
    with served(Settings(data=folder / "data", root=folder / "root", models=models)) as here:
        yield here


def test_the_curl_lines_run(here: Served):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [block for block in blocks(PAGE, "sh") if "curl " in block]
    assert len(lines) == 5
    script = "set -eu\n" + "".join(lines).replace(THERE, here.url)
    folder = here.service.settings.data.parent
    done = subprocess.run(
        ["bash"], input=script, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("event: item") == 2
    assert done.stdout.count("event: end") == 1
    assert {"1912.colour.jpg", "1912.png", "results.zip"} <= {p.name for p in folder.iterdir()}


def test_the_client_lines_run(
    here: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(here.service.settings.data.parent)
    (code,) = blocks(PAGE, "py")
    exec(compile(code.replace(THERE, here.url), PAGE.name, "exec"), {"__name__": "__main__"})
    assert "1913.jpg done" in capsys.readouterr().out
