"""The log of a training survives whatever ends it; progress says where a training is."""

import csv
import io
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

logs = pytest.importorskip("retint.train.logs", exc_type=ImportError)
from retint.errors import OutputError  # noqa: E402


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_rows_are_appended_and_read_as_they_were_given(tmp_path: Path):
    log = logs.Log(tmp_path / "run")
    log.row({"step": 50, "stage": "L1, first", "loss": 0.123456789, "val_loss": None})
    before = (tmp_path / "run" / "log.csv").read_bytes()
    log.row({"step": 100, "stage": "L1, first", "loss": 2e-7})
    log.close()
    assert table(tmp_path / "run") == [
        {"step": "50", "stage": "L1, first", "loss": "0.123457", "val_loss": ""},
        {"step": "100", "stage": "L1, first", "loss": "2e-07", "val_loss": ""},
    ]
    assert (tmp_path / "run" / "log.csv").read_bytes().startswith(before)


def test_new_columns_widen_the_table(tmp_path: Path):
    log = logs.Log(tmp_path)
    log.row({"step": 1, "loss": 1.0})
    log.row({"step": 2, "loss": 0.5, "loss_adversarial": 0.7})
    log.row({"step": 3, "loss": 0.4})
    assert [row["loss_adversarial"] for row in table(tmp_path)] == ["", "0.7", ""]
    assert [path.name for path in tmp_path.glob("log.csv*")] == ["log.csv"]


def test_a_resumed_training_drops_what_its_checkpoint_does_not_know(tmp_path: Path):
    log = logs.Log(tmp_path)
    for step in (10, 20, 30):
        log.row({"step": step, "loss": 1 / step})
    again = logs.Log(tmp_path, step=20)
    assert [row["step"] for row in table(tmp_path)] == ["10", "20"]
    again.row({"step": 30, "loss": 0.01})
    assert [row["loss"] for row in table(tmp_path)] == ["0.1", "0.05", "0.01"]
    logs.Log(tmp_path)
    assert table(tmp_path) == []


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path, cut: int):
    path = tmp_path / "log.csv"
    path.write_bytes(b"step,loss\r\n10,0.5\r\n20,0.125\r\n"[:-cut])
    logs.Log(tmp_path, step=20).row({"step": 30, "loss": 0.25})
    steps = [row["step"] for row in table(tmp_path)]
    assert steps == (["10", "20", "30"] if cut == 1 else ["10", "30"])
    assert all(row["loss"] for row in table(tmp_path))


@pytest.mark.parametrize("damage", [b"", b"st", b"\0\0\0\0", b"a,b\n1,2\n", b"step,loss\n\0\0,3\n"])
def test_a_damaged_table_gives_way(tmp_path: Path, damage: bytes):
    (tmp_path / "log.csv").write_bytes(damage)
    logs.Log(tmp_path, step=5).row({"step": 6, "loss": 1.0})
    assert table(tmp_path) == [{"step": "6", "loss": "1"}]


def test_what_a_training_knows_of_itself(tmp_path: Path):
    log = logs.Log(tmp_path)
    log.about({"parameters": 1})
    log.about({"parameters": 3_876_928, "device": "cpu"})
    assert json.loads((tmp_path / "about.json").read_text())["parameters"] == 3_876_928


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError, match="run: log not written"):
        logs.Log(tmp_path / "run")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk_is_one_line(tmp_path: Path):
    log = logs.Log(tmp_path)
    log.row({"step": 1})
    log.path = Path("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        log.row({"step": 2})


def events(folder: Path) -> list[Any]:
    """All events of a folder, by the format: length, its checksum, data, its checksum."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2")
    found: list[Any] = []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda p: int(p.suffix[1:])):
        data = io.BytesIO(path.read_bytes())
        while head := data.read(12):
            (length,) = struct.unpack("<Q", head[:8])
            found.append(proto.Event.FromString(data.read(length)))
            data.read(4)
    return found


def test_tensorboard_gets_numbers_and_sheets(tmp_path: Path):
    from PIL import Image

    log = logs.Log(tmp_path)
    log.row({"step": 7, "stage": "one", "loss": 0.5, "val_ab": 11.25, "val_loss": float("nan")})
    picture = tmp_path / "sheet.jpg"
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(picture)
    log.sheet(7, picture)
    found = events(tmp_path)  # while the log is still open: nothing waits in a buffer
    scalars = {v.tag: v.simple_value for e in found for v in e.summary.value if not v.image.height}
    assert {"training/loss": 0.5, "validation/ab": 11.25}.items() <= scalars.items()
    assert not {"training/stage", "validation/loss", "training/step"} & scalars.keys()
    images = [v.image for e in found for v in e.summary.value if v.tag == "sheet"]
    assert images[0].encoded_image_string == picture.read_bytes()
    assert (images[0].width, images[0].height) == (8, 6)
    logs.Log(tmp_path, step=4)
    starts = [e for e in events(tmp_path) if e.session_log.status == 1]
    assert [e.step for e in starts] == [1, 5]


def test_without_tensorboard_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "_has_tensorboard", lambda: False)
    told: list[str] = []
    log = logs.Log(tmp_path, tell=told.append)
    log.row({"step": 1, "loss": 1.0})
    log.row({"step": 2, "loss": 1.0})
    assert len(told) == 1
    assert "tensorboardX" in told[0]
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(logs.time, "monotonic", lambda: self.now)


def test_lines_come_at_intervals_at_a_new_stage_and_at_the_end(monkeypatch: pytest.MonkeyPatch):
    clock, told = Clock(monkeypatch), []
    progress = logs.Progress(told.append, "mine", bar=False)
    for second in range(41):
        clock.now = 1000.0 + second
        progress.update(second / 40, 3.25, 41.6, "two" if second > 35 else "one", 10 * second)
    progress.close()
    assert [line.split("  ")[1] for line in told] == [
        "step 0", "step 150", "step 300", "step 360", "step 400"
    ]  # fmt: skip
    assert told[1] == "mine  step 150  37.5%  one  loss 3.25  42 pictures/s  25 s left"


def test_a_resumed_training_counts_only_its_own_time(monkeypatch: pytest.MonkeyPatch):
    clock, told = Clock(monkeypatch), []
    progress = logs.Progress(told.append, "mine", bar=False, every=0)
    progress.update(0.5, 1.0, 1.0)
    assert told[-1].endswith("? left")
    clock.now += 600
    progress.update(0.6, 1.0, 1.0)
    assert told[-1].endswith("40 min left")


def test_time_left_is_that_of_the_stage(monkeypatch: pytest.MonkeyPatch):
    clock, told = Clock(monkeypatch), []
    progress = logs.Progress(told.append, "mine", bar=False, every=0)
    for minute, share, stage in ((0, 0.0, "one"), (10, 0.9, "one"), (20, 0.0, "two")):
        clock.now = 1000.0 + 60 * minute
        progress.update(share, 1.0, 1.0, stage)
    assert told[-1].endswith("? left")
    clock.now += 60
    progress.update(0.25, 1.0, 1.0, "two")
    assert told[-1].endswith("3 min left")


def test_a_terminal_gets_a_bar_and_lines_above_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "100")
    told: list[str] = []
    progress = logs.Progress(told.append, "mine", bar=True)
    progress.update(0.25, 3.25, 41.6, None, 1234)
    progress.line("checkpoint [1] kept")
    progress.close()
    shown = capsys.readouterr().err
    assert not told
    assert "25.0 %  step 1,234  loss 3.25  42 pictures/s" in shown
    assert "checkpoint [1] kept\n" in shown


def test_no_terminal_and_no_rich_mean_plain_lines(monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []
    monkeypatch.setitem(sys.modules, "rich.console", None)
    progress = logs.Progress(told.append, "mine", bar=True)
    progress.update(1.0, 1.0, 1.0)
    progress.line("kept")
    assert [line.split()[0] for line in told] == ["mine", "kept"]
