"""The command: files and folders, pipes, lines and JSON, exit codes, Ctrl-C at any moment."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pyvips
from click.testing import CliRunner, Result

from retint.cli import colorize as module
from retint.cli import main
from retint.files import PARTIAL, colorize
from retint.journal import NAME, Journal
from retint.photo import Photo


@pytest.fixture
def attic(photographs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder one stands in: scans/ with a grey, a toned and a colour photograph."""
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in ("grey16.tif", "toned.jpg", "colour.jpg"):
        shutil.copy(photographs[name], scans / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def retint(fake_onnx: Path) -> Any:
    """Run `retint colorize` with the small model."""

    def invoke(*words: object, **about: Any) -> Result:
        arguments = ["colorize", *map(str, words), "--model", str(fake_onnx)]
        return CliRunner().invoke(main, arguments, **about)

    return invoke


def test_a_file_alone(attic: Path, retint: Any):
    result = retint("scans/grey16.tif")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("done scans/grey16.tif -> scans/grey16.colour.tif (")
    assert result.stderr == ""
    assert Photo.open("scans/grey16.colour.tif").is_marked
    assert retint("scans/grey16.tif").stdout == "unchanged scans/grey16.tif\n"


def test_a_folder(attic: Path, retint: Any):
    result = retint("scans", "-o", "out", "--jobs", 1)
    assert result.exit_code == 0, result.output
    lines = sorted(result.stdout.splitlines())
    assert lines[0].startswith("done scans/grey16.tif -> out/grey16.tif (")
    assert lines[1].startswith("done scans/toned.jpg -> out/toned.jpg (")
    assert lines[2] == "skipped scans/colour.jpg: is a colour photograph"
    assert result.stderr == "retint: 1 skipped, 2 done\n"
    assert sorted(os.listdir("out")) == ["grey16.tif", NAME, "toned.jpg"]  # noqa: PTH208
    again = retint("scans", "-o", "out", "--jobs", 2)
    assert again.stderr == "retint: 3 unchanged\n"


def test_one_file_under_a_name(attic: Path, retint: Any):
    assert retint("scans/grey16.tif", "-o", "window.png").exit_code == 0
    assert Photo.open("window.png").format == "png"
    contradiction = retint("scans/grey16.tif", "-o", "b.png", "--format", "tiff")
    assert contradiction.exit_code == 2
    assert contradiction.stderr == "retint: b.png has another ending than --format tiff\n"


def test_json_has_a_receipt_per_line(attic: Path, retint: Any):
    (attic / "scans" / "empty.jpg").touch()
    result = retint("scans", "-o", "out", "--json", "--jobs", 1)
    assert result.exit_code == 1
    receipts = {Path(r["source"]).name: r for r in map(json.loads, result.stdout.splitlines())}
    assert {name: r["status"] for name, r in receipts.items()} == {
        "grey16.tif": "done", "toned.jpg": "done", "colour.jpg": "skipped", "empty.jpg": "failed",
    }  # fmt: skip
    assert receipts["empty.jpg"]["reason"] == "is empty"
    assert receipts["grey16.tif"]["target"] == str(attic / "out" / "grey16.tif")


def test_what_failed_is_one_line_and_exit_code_1(attic: Path, retint: Any):
    (attic / "scans" / "line\nbreak.jpg").write_bytes(b"no picture")
    result = retint("scans", "nowhere.tif", "-o", "out", "--jobs", 1)
    assert result.exit_code == 1
    failures = sorted(line for line in result.stderr.splitlines() if line.startswith("failed"))
    assert failures == [
        "failed nowhere.tif: no such file or directory",
        r"failed scans/line\nbreak.jpg: is not a picture, or of a kind that is not read",
    ]
    assert (attic / "out" / "scans" / "grey16.tif").exists()
    again = retint("scans", "nowhere.tif", "-o", "out", "--retry-failed")
    assert again.exit_code == 1
    assert again.stderr.endswith("retint: 2 failed\n")


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["scans", "--saturation", "9"], 2, "retint: saturation is 9.0, not between 0.0 and 4.0"),
        (["scans", "--format", "bmp"], 2, "retint: format is 'bmp', not one of jpeg, png"),
        (["scans", "--suffix", ""], 2, "retint: suffix is empty"),
        (["scans", "--jobs", "0"], 2, "Error: Invalid value for '--jobs'"),
        (["scans", "--if-colour", "no"], 2, "Error: Invalid value for '--if-colour'"),
        (["scans", "--mood", "blue"], 2, "Error: No such option"),
        ([], 2, "Error: Missing argument 'PATH...'"),
        (["scans", "--colours-from", "no.jpg"], 2, "retint: no.jpg: no such file or folder"),
        (["scans", "--colours-from", "scans/toned.jpg"], 2, "retint: "),
        (["-", "--json"], 2, "Error: - is for one photograph"),
        (["scans", "--device", "abacus"], 1, "retint: device abacus is not to be had"),
        (["scans", "--model", "nobody"], 1, "retint: no model is called 'nobody'"),
    ],
)
def test_misuse_is_2_and_what_is_not_to_be_had_is_1(
    attic: Path, fake_onnx: Path, words: list[str], code: int, line: str
):
    arguments = ["colorize", "--model", str(fake_onnx), *words]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    assert line in result.stderr
    assert result.stdout == ""
    assert not list(attic.rglob("*.colour.*"))


def test_an_empty_folder_is_told(attic: Path, retint: Any):
    (attic / "empty").mkdir()
    result = retint("empty", "-o", "out")
    assert result.exit_code == 0
    assert result.stderr == "retint: no photographs in empty\nretint: nothing\n"
    assert not (attic / "out").exists()


def test_a_dry_run_tells_and_writes_nothing(attic: Path, retint: Any):
    result = retint("scans", "-o", "out", "--dry-run", "--jobs", 1)
    assert result.exit_code == 0
    assert "planned scans/grey16.tif -> out/grey16.tif" in result.stdout
    assert not (attic / "out").exists()


def test_every_option_reaches_the_pixels_or_the_file(attic: Path, retint: Any):
    words = ["--longest", 32, "--saturation", 0, "--mute-uncertain", 1, "--keep-tone"]
    words += ["--format", "jpeg", "--quality", 30, "--device", "cpu", "--suffix", "-x"]
    assert retint("scans/toned.jpg", "scans/grey16.tif", *words).exit_code == 0
    toned = Photo.open("scans/toned-x.jpg")
    assert toned.colour() == "toned"  # no colour but the print's own
    assert Photo.open("scans/toned.jpg").colour() == "toned"
    other = Photo.open("scans/grey16.tif-x.jpg")
    assert other.coding().quality == 30
    assert retint("scans/grey16.tif", "--max-pixels", 1000, "--overwrite").exit_code == 1


def test_colours_from_a_folder(attic: Path, retint: Any, photographs: dict[str, Path]):
    (attic / "theirs").mkdir()
    shutil.copy(photographs["colour.jpg"], "theirs/grey16.jpg")
    result = retint("scans", "-o", "out", "--colours-from", "theirs", "--json", "--jobs", 1)
    receipts = {Path(r["source"]).name: r for r in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 1
    assert receipts["grey16.tif"]["model"] == "with the colours of grey16.jpg"
    assert receipts["toned.jpg"]["reason"] == f"has no colouring in {attic / 'theirs'}"
    again = retint("scans/grey16.tif", "-o", "out", "--colours-from", "theirs")
    assert again.stdout == "unchanged scans/grey16.tif\n"


# Pipes


def test_standard_input_to_standard_output(attic: Path, retint: Any, fake_onnx: Path):
    data = (attic / "scans" / "grey16.tif").read_bytes()
    result = retint("-", input=data)
    assert result.exit_code == 0, result.stderr
    (attic / "piped.tif").write_bytes(result.stdout_bytes)
    colorize("scans/grey16.tif", "direct.tif", model=str(fake_onnx))
    assert (attic / "direct.tif").read_bytes() == result.stdout_bytes
    assert retint("scans/grey16.tif", "-o", "-").stdout_bytes == result.stdout_bytes
    assert Photo.open(retint("-", "--format", "png", input=data).stdout_bytes).format == "png"
    assert not list(attic.rglob(NAME))


def test_standard_input_to_a_file(attic: Path, retint: Any):
    data = (attic / "scans" / "grey16.tif").read_bytes()
    assert retint("-", "-o", "a.png", input=data).exit_code == 0
    assert Photo.open("a.png").format == "png"
    (attic / "mine.png").write_text("my diary")
    refused = retint("-", "-o", "mine.png", input=data)
    assert refused.exit_code == 1
    assert "mine.png is there and is not retint's" in refused.stderr
    assert (attic / "mine.png").read_text() == "my diary"
    assert not list(attic.rglob(PARTIAL))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "standard input: is empty"),
        (b"nonsense", "standard input: is not a picture"),
        (None, "standard input: is a colour photograph"),
    ],
)
def test_a_pipe_that_fails_writes_nothing(
    attic: Path, retint: Any, source: bytes | None, words: str
):
    data = (attic / "scans" / "colour.jpg").read_bytes() if source is None else source
    result = retint("-", input=data)
    assert result.exit_code == 1
    assert result.stdout_bytes == b""
    assert words in result.stderr
    if source is None:
        assert retint("-", "--if-colour", "copy", input=data).stdout_bytes == data


# As a process of its own


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "retint", "colorize", *map(str, words)]


def test_a_terminal_gets_a_bar(attic: Path, fake_onnx: Path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("scans", "-o", "out", "--model", fake_onnx, "--jobs", 1),
        stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"},
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        try:
            while block := os.read(ours, 4096):
                seen += block
        except OSError:  # Linux tells the end of a terminal so
            pass
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    assert process.returncode == 0
    assert b"Colouring" in seen
    assert b"skipped scans/colour.jpg: is a colour photograph" in seen
    assert b"retint: 1 skipped, 2 done" in seen


@pytest.mark.parametrize(
    ("jobs", "number"), [(1, signal.SIGINT), (2, signal.SIGINT), (1, signal.SIGTERM)]
)
def test_ctrl_c_stops_cleanly_at_any_moment(
    attic: Path, fake_onnx: Path, jobs: int, number: signal.Signals
):
    noise: Any = pyvips.Image.gaussnoise(900, 900, mean=128, sigma=20)
    for name in "abcdefgh":
        noise.cast("uchar").copy(interpretation="b-w").tiffsave(f"scans/{name}.tif")
    words = command("scans", "-o", "out", "--model", fake_onnx, "--jobs", jobs)
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()  # it is under way
    time.sleep(0.2)
    if number == signal.SIGINT:
        for _ in range(3):  # an impatient one
            os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "retint: stopped"
    assert "Traceback" not in errors
    assert not (attic / "out" / PARTIAL).exists()
    written = {str(path) for path in (attic / "out").iterdir() if path.name != NAME}
    done = {r.target for r in Journal(attic / "out").receipts() if r.status == "done"}
    assert done <= written < {str(attic / "out" / p.name) for p in (attic / "scans").iterdir()}
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in (attic / "out").iterdir()} == {
        NAME, "grey16.tif", "toned.jpg", *(f"{name}.tif" for name in "abcdefgh"),
    }  # fmt: skip


def test_ctrl_c_while_it_starts_has_no_traceback(attic: Path, fake_onnx: Path):
    words = ["colorize", "scans", "-o", "out", "--model", str(fake_onnx), "--jobs", "2"]
    script = attic / "start.py"
    script.write_text(f"""
from retint.cli import colorize as module
from retint.cli import main
if __name__ == "__main__":
    print("here", flush=True)
    main({words!r})
""")
    for delay in (0.02, 0.2, 0.5, 0.9):
        process = subprocess.Popen(
            [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert not (attic / "out" / PARTIAL).exists()


def test_a_terminal_without_the_letters_of_a_name_ends_nothing(attic: Path, fake_onnx: Path):
    (attic / "scans" / "toned.jpg").rename(attic / "scans" / "Осень.jpg")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = command("scans", "-o", "out", "--model", fake_onnx, "--jobs", 1)
    ended = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert r"О" in ended.stdout


def test_as_many_processes_as_threads_and_memory_allow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("retint.predict.available_threads", lambda: 8)
    monkeypatch.setattr(module, "_memory", lambda: 5_500_000_000)
    assert [module._processes(files) for files in (0, 1, 3, 4, 9, 1000)] == [1, 1, 1, 2, 4, 5]
    monkeypatch.setattr(module, "_memory", lambda: 100)
    assert module._processes(1000) == 1


def test_a_reader_that_goes_away_is_no_traceback(attic: Path, fake_onnx: Path):
    words = command("scans", "-o", "out", "--model", fake_onnx, "--jobs", 1)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert not (attic / "out" / PARTIAL).exists()


def test_one_photograph_needs_no_more_than_it_must(attic: Path, fake_onnx: Path):
    code = f"""
import sys
from retint.cli import colorize as module
from retint.cli import main
main(["colorize", "scans/grey16.tif", "--model", {str(fake_onnx)!r}], standalone_mode=False)
print("loaded:", *sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.rpartition("loaded:")[2].split())
    assert "retint.files" in loaded
    assert not loaded & {"rich", "PIL", "onnx", "torch", "skimage", "unittest", "asyncio"}
