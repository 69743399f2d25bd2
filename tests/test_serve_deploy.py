"""The container and the systemd unit ask for commands that exist, and the unit stays hardened."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

from retint.serve import Settings
from served import served
from test_docs import ROOT, commands, options_of

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "retint.service"

pytestmark = pytest.mark.skipif(not DEPLOY.is_dir(), reason="deploy/ is not in this copy")


def unit() -> configparser.SectionProxy:
    read = configparser.RawConfigParser(strict=False)  # some settings stand there twice
    read.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    read.read(UNIT)
    return read["Service"]


def instructions() -> list[str]:
    """The Containerfile's lines, joined where they go on."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    return [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line]


def container(name: str) -> str:
    """What the last instruction of a name says."""
    return [line for line in instructions() if line.startswith(f"{name} ")][-1].partition(" ")[2]


def test_what_is_run_exists():
    asked = [
        shlex.split(unit()["ExecStart"]),
        json.loads(container("ENTRYPOINT")) + json.loads(container("CMD")),
    ]
    for program, command, *words in asked:
        assert Path(program).name == "retint"
        assert {w for w in words if w.startswith("--")} <= options_of(commands()[command])


def test_the_image_is_made_of_what_is_there():
    for line in instructions():
        if line.startswith("COPY ") and "--from" not in line:
            *sources, _ = line.split()[1:]
            assert all((ROOT / source).exists() for source in sources), line


def test_the_container_gives_up_what_it_does_not_need():
    assert container("USER") == "10001:10001"
    data = json.loads(container("CMD"))[2]
    assert data == container("VOLUME") == container("WORKDIR")
    assert f"TMPDIR={data}/tmp" in container("ENV")


def test_the_health_check_tells_a_service_from_none(tmp_path: Path, fake_onnx: Path):
    _, python, option, code = re.findall(r'CMD|"[^"]*"', container("HEALTHCHECK"))
    assert (python, option) == ('"python"', '"-c"')

    def check(there: str) -> int:
        run = [sys.executable, "-c", code.strip('"').replace("http://127.0.0.1:8791", there)]
        return subprocess.run(run, capture_output=True, check=False).returncode

    with served(Settings(data=tmp_path, models={"fake": str(fake_onnx)}, workers=0)) as here:
        assert check(here.url) == 0
    assert check(here.url) != 0


def test_the_unit_can_be_read_and_is_hardened(tmp_path: Path):
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        pytest.skip("systemd-analyze is not installed")
    here = tmp_path / UNIT.name  # `verify` wants the program to be there
    here.write_text(UNIT.read_text().replace("/opt/retint/bin/retint", sys.executable))
    read = subprocess.run(
        [systemd, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False
    )
    assert (read.returncode, read.stderr) == (0, "")
    judged = subprocess.run(
        [systemd, "security", "--offline=true", "--no-pager", "--threshold=15", str(UNIT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout


def test_workers_finish_what_they_began_and_one_that_dies_is_not_the_end():
    told = unit()
    assert (told["KillMode"], told["OOMPolicy"], told["Restart"]) == ("mixed", "continue", "always")
    assert int(told["TimeoutStopSec"]) > Settings(data=Path()).limit + 60
