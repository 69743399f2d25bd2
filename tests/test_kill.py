"""A run killed at any moment and taken up again ends as if nothing had happened.

The moments are counted: each thing a run does to its output folder (open, make, link, rename,
remove, and the write of a receipt, whole and half) is one, and the process kills itself at the
n-th. The runs are forked from a process that has imported everything but started nothing, so that
a moment costs a fraction of a second.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retint.files import PARTIAL
from retint.journal import NAME, Journal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

DRIVER = '''
"""Argument: a JSON file, [model, scans, first options, second options, [[folder, moment], ...]]."""
import json, os, shutil, signal, sys
from dataclasses import replace
from pathlib import Path

from retint.colorizer import Options
from retint.run import run
from retint.walk import walk

model, scans, first, second, moments = json.loads(Path(sys.argv[1]).read_text())


def colour(out, about):
    options = Options(model=model, device="cpu", **about)
    return list(run(walk([Path(scans)], out), options))


def watched(out, moment, about):
    """Run, and die at the moment; say how many there were if it is not reached."""
    count = 0

    def step(half=None):
        nonlocal count
        count += 1
        if count == moment:
            if half is not None:
                write(*half)
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, arguments):
        if event == "open" or event.startswith(("os.", "shutil.")):
            if any(str(a).startswith(str(out)) for a in arguments if isinstance(a, (str, Path))):
                step()

    write = os.write

    def written(descriptor, data):
        step()
        step(half=(descriptor, bytes(data[: len(data) // 2])))
        count = write(descriptor, data)
        step()
        return count

    sys.addaudithook(hook)
    os.write = written
    colour(out, about)
    os.write = write
    (out.parent / (out.name + ".count")).write_text(str(count))


for folder, moment in moments:
    out = Path(folder)
    child = os.fork()
    if child == 0:
        if second:
            colour(out, first)
        watched(out, moment, second or first)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    (out.parent / (out.name + ".killed")).write_text(str(killed))
    if not killed and status:
        sys.exit(f"moment {moment}: status {status}")
    child = os.fork()
    if child == 0:
        colour(out, second or first)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"moment {moment}: the resumed run failed")
'''


@pytest.fixture(scope="module")
def scans(photographs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs to colour and one that is copied."""
    folder = tmp_path_factory.mktemp("kill") / "scans"
    (folder / "box").mkdir(parents=True)
    shutil.copy(photographs["grey.jpg"], folder / "a.jpg")
    shutil.copy(photographs["grey16.tif"], folder / "box" / "b.tif")
    shutil.copy(photographs["toned.jpg"], folder / "box" / "a.jpg")
    shutil.copy(photographs["grey.png"], folder / "d.png")
    shutil.copy(photographs["colour.jpg"], folder / "c.jpg")
    return folder


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def drive(
    folder: Path, model: Path, scans: Path, first: object, second: object, moments: list[int]
) -> list[Path]:
    """Kill and resume a run at each moment; the output folders."""
    folders = [folder / f"out{moment}" for moment in moments]
    pairs = [[str(folder), moment] for folder, moment in zip(folders, moments, strict=True)]
    plan = [str(model), str(scans), first, second, pairs]
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "driver.py").write_text(DRIVER)
    command = [sys.executable, folder / "driver.py", folder / "plan.json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert ended.returncode == 0, ended.stderr
    return folders


@pytest.mark.parametrize(
    ("second", "number"),
    [
        pytest.param(None, 50, id="the first run"),
        pytest.param({"saturation": 0.5, "if_colour": "copy"}, 20, id="a run with other options"),
    ],
)
def test_killed_at_any_moment_and_resumed(
    tmp_path: Path, fake_onnx: Path, scans: Path, second: dict[str, object] | None, number: int
):
    first = {"if_colour": "copy"}
    sources = tree(scans)
    (whole,) = drive(tmp_path, fake_onnx, scans, first, second, [10**9])
    expected = tree(whole)
    assert expected.keys() == sources.keys()
    count = int((tmp_path / f"{whole.name}.count").read_text())
    assert count >= number
    moments = sorted({1 + step * (count - 1) // (number - 1) for step in range(number)})
    assert len(moments) == number
    for out in drive(tmp_path, fake_onnx, scans, first, second, moments):
        assert (tmp_path / f"{out.name}.killed").read_text() == "True", out.name
        assert tree(out) == expected, out.name  # no byte different, no file left behind
        receipts = [r for r in Journal(out).receipts() if r.status in ("done", "copied")]
        assert len(receipts) == len(sources)
        assert {
            Path(r.source).relative_to(scans).as_posix(): r.output_sha256 for r in receipts
        } == (expected)
        lines = [json.loads(line) for line in whole_lines(out)]
        wanted = len(sources) * (1 if second is None else 2)
        # a run that died between a rename and its receipt has one receipt all the same
        assert len(lines) == wanted, out.name
    assert tree(scans) == sources


def whole_lines(out: Path) -> list[str]:
    """The journal's lines but for torn ones."""
    return [line for line in (out / NAME).read_text().splitlines() if line.endswith("}")]


@pytest.mark.parametrize("fraction", [0.6, 0.9])
def test_the_command_killed_with_its_processes_and_resumed(
    tmp_path: Path, fake_onnx: Path, photographs: dict[str, Path], fraction: float
):
    """By the clock, so the moments differ; what must hold does not."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for number in range(6):
        shutil.copy(photographs["grey16.tif"], scans / f"{number}.tif")
    sources = tree(scans)
    command = [sys.executable, "-m", "retint", "colorize", scans, "-o", out]
    command += ["--model", fake_onnx, "--jobs", "2"]
    begin = time.monotonic()
    subprocess.run([*command, "--dry-run"], check=True, stdout=subprocess.DEVNULL)
    killed = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    time.sleep(fraction * (time.monotonic() - begin))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert tree(scans) == sources
    assert {r.output_sha256 for r in Journal(out).receipts()} == set(tree(out).values())
    assert sorted(tree(out)) == sorted(sources)
    assert not (out / PARTIAL).exists()
