"""Curves of trainings: what a log says is what is drawn."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from retint.cli import main
from retint.errors import InputError, OptionsError, OutputError
from retint.watch import runs

HEADER = "step,epoch,stage,pictures,minutes,loss,val_loss,val_ab,val_a,val_b,loss_l1\n"


def training(folder: Path, *, rows: int = 30, stages: bool = False) -> Path:
    """A run's folder with a log of a loss that falls as 1/x."""
    folder.mkdir(parents=True)
    lines = [HEADER]
    for i in range(1, rows + 1):
        stage = "adversarial" if stages and i > rows // 2 else "l1"
        lines.append(
            f"{i * 10},{i / 4},{stage},{i * 640},{i / 2},{3 / i + 1},{4 / i + 1},{9 + 6 / i},"
            f"{1 / i},{-2 / i},{'' if i < 5 else 0.5}\n"
        )
    (folder / "log.csv").write_text("".join(lines))
    return folder


def curves(*words: object):
    return CliRunner().invoke(main, ["curves", *map(str, words)])


def test_a_log_is_read_as_numbers_with_gaps(tmp_path: Path):
    (run,) = runs.read([training(tmp_path / "mine", stages=True)])
    assert run.name == "mine"
    assert run.columns["step"][:3].tolist() == [10, 20, 30]
    assert np.isnan(run.columns["loss_l1"][:4]).all()
    assert run.stages == ((0, "l1"), (15, "adversarial"))
    assert "stage" not in run.columns
    assert run.at("val_ab", 20) == 12
    assert run.at("loss_l1", 20) is None
    assert run.last("val_b") == pytest.approx(-2 / 30)
    assert run.last("accuracy") is None


def test_older_logs_and_logs_being_written_are_read(tmp_path: Path):
    (tmp_path / "old").mkdir()
    log = tmp_path / "old" / "log.csv"
    log.write_bytes(b"step,pictures,loss\r\n46,2944,3.97\r\n59,3776,4.06\r\n60,38")
    (run,) = runs.read([log])
    assert run.columns["pictures"].tolist() == [2944, 3776]
    with pytest.raises(OptionsError, match="its log has no epoch; there are step, pictures"):
        run.over("epoch")


def test_runs_of_one_name_are_told_apart(tmp_path: Path):
    both = [training(tmp_path / "a" / "run"), training(tmp_path / "b" / "run")]
    assert [run.name for run in runs.read(both)] == [str(path) for path in both]


@pytest.mark.parametrize("text", [None, "", HEADER, "name,size\nx,3\n", "step,loss\nx,3\n"])
def test_what_is_no_log_is_said_in_one_line(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / "log.csv").write_text(text)
    with pytest.raises(InputError, match=r"log\.csv.*the log of a training"):
        runs.read([tmp_path])


def test_panels_hold_what_is_there_or_what_is_asked_for(tmp_path: Path):
    (run,) = runs.read([training(tmp_path / "mine")])
    drawn = [panel.measures for panel in runs.panels([run])]
    assert drawn == [("val_loss", "loss"), ("val_ab",), ("val_a", "val_b"), ("loss_l1",)]
    asked = [panel.measures for panel in runs.panels([run], ["epoch", "val_a", "loss"])]
    assert asked == [("loss",), ("val_a",), ("epoch",)]
    with pytest.raises(OptionsError, match=r"no measure 'val_los'.*loss, val_loss"):
        runs.panels([run], ["val_los"])


def test_smoothing_keeps_constants_and_gaps():
    values = np.array([np.nan, 2.0, 2.0, np.nan, 2.0])
    assert np.array_equal(runs.smoothed(values, 0.9), values, equal_nan=True)
    step = np.array([0.0, 1.0, 1.0])
    assert np.allclose(runs.smoothed(step, 0.5), [0, 0.5 / 0.75, 0.75 / 0.875])
    assert np.array_equal(runs.smoothed(step, 0.0), step)


def svg_texts(path: Path) -> str:
    """What matplotlib notes beside the outlines of each text."""
    return " ".join(path.read_text(encoding="utf-8").split("<!--")[1:])


def paths_of(figure: Path, colour: str) -> int:
    """Lines drawn in a colour."""
    styles = [e.get("style", "") for e in ET.parse(figure).iter("{http://www.w3.org/2000/svg}path")]
    return sum(f"stroke: {colour}" in style and "stroke-width: 1.8" in style for style in styles)


def test_many_runs_in_one_picture(tmp_path: Path):
    pytest.importorskip("matplotlib", exc_type=ImportError)
    folders = [training(tmp_path / name, stages=name == "two") for name in ("one", "two", "three")]
    target = tmp_path / "curves.svg"
    result = curves(*folders, "-o", target, "--measures", "val_loss,val_ab", "--smooth", 0.5)
    assert result.exit_code == 0, result.output
    said = svg_texts(target)
    assert all(word in said for word in ("one", "two", "three", "Steps", "Distance to the true"))
    for colour in ("#0072b2", "#d55e00", "#009e73"):
        assert paths_of(target, colour) == 3  # two panels and the legend
    before = target.read_bytes()
    curves(*folders, "-o", target, "--measures", "val_loss,val_ab", "--smooth", 0.5)
    assert target.read_bytes() == before


@pytest.mark.parametrize("over", ["step", "pictures", "minutes", "epoch"])
def test_one_run_over_each_axis(tmp_path: Path, over: str):
    pytest.importorskip("matplotlib", exc_type=ImportError)
    target = tmp_path / "curves.svg"
    folder = training(tmp_path / "mine", stages=True)
    result = curves(folder / "log.csv", "-o", target, "--over", over, "--log")
    assert result.exit_code == 0, result.output
    assert runs.AXES[over] in svg_texts(target)
    assert "adversarial" in svg_texts(target)


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_pictures_for_screen_and_print(tmp_path: Path, suffix: str, magic: bytes):
    pytest.importorskip("matplotlib", exc_type=ImportError)
    target = tmp_path / f"curves.{suffix}"
    assert curves(training(tmp_path / "mine"), "-o", target).exit_code == 0
    assert target.read_bytes().startswith(magic)


def test_errors_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("matplotlib", exc_type=ImportError)
    folder = training(tmp_path / "mine")
    from retint.watch.curves import draw

    result = curves(folder, "-o", tmp_path / "curves.jpg")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert ".png, .svg, .pdf" in result.output
    with pytest.raises(OutputError, match="cannot be written"):
        draw(runs.read([folder]), tmp_path / "nowhere" / "curves.png")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(OptionsError, match=r"pip install 'retint\[curves\]'"):
        draw(runs.read([folder]), tmp_path / "curves.png")
