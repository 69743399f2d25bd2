"""`retint bench`: the command, from its words to its files."""

import json
from pathlib import Path
from typing import Any

import pytest
import pyvips
from click.testing import CliRunner, Result

from conftest import scene
from painters import draw, write
from retint.cli import main
from retint.predict import OnnxPredictor


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("colours"))


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["bench", "--no-cost", *map(str, words)])


def row(summary: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(row for row in summary["rows"] if row["kind"] == kind)


def test_the_command_writes_all_it_is_asked_for(colours: Path, fake_onnx: Path, tmp_path: Path):
    other = tmp_path / "other.onnx"
    other.write_bytes(fake_onnx.read_bytes())
    files = {name: tmp_path / f"out.{name}" for name in ("json", "md", "png")}
    result = run(
        "--model", fake_onnx, "--model", other, "--set", colours, "--mean-ab", 3, -2,
        "--json", files["json"], "--markdown", files["md"],
        "--sheet", files["png"], "--sheet-pictures", 2,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(files["json"].read_text("utf-8"))
    assert [r["name"] for r in found["rows"]] == [
        "grey", "mean colour", "fake, shuffled", "fake", "other, shuffled", "other",
    ]  # fmt: skip
    assert found["models"]["fake"]["weights_sha256"] == OnnxPredictor(fake_onnx).weights_sha256
    assert found["set"]["mean_ab"] == [3, -2]
    assert {"commit", "date", "processor", "versions", "threads"} <= found.keys()
    assert len(row(found, "model")["per_picture"]["delta_e"]) == 6
    table = files["md"].read_text("utf-8")
    assert table in result.output
    assert table.count("\n| ") == 5
    assert "- not to be told apart by dE: fake and other" in table
    assert "NO : fake: dE is above that of grey" in table
    sheet = pyvips.Image.new_from_file(str(files["png"]))
    assert (sheet.width, sheet.height) == (1 * 4 * 306 + 6, 2 * 274 - 12 + 12)
    assert sheet.numpy().std(axis=-1).max() > 30


def test_check_says_so_in_the_exit_code(colours: Path, fake_onnx: Path):
    assert run("--model", fake_onnx, "--set", colours, "--limit", 2).exit_code == 0
    assert run("--model", fake_onnx, "--set", colours, "--limit", 2, "--check").exit_code == 1


def test_film_through_the_command(photographs: dict[str, Path], fake_onnx: Path, tmp_path: Path):
    folder = photographs["grey.jpg"].parent
    sheet = tmp_path / "film.jpg"
    result = run("--model", fake_onnx, "--film", folder, "--sheet", sheet, "--json",
                 tmp_path / "film.json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "left grey" in result.output
    assert "5 photographs, 0 left out" in result.output
    assert "grey16.tif" in json.loads((tmp_path / "film.json").read_text("utf-8"))["files"]
    assert pyvips.Image.new_from_file(str(sheet)).width > 600


def test_film_beside_a_set(
    photographs: dict[str, Path], colours: Path, fake_onnx: Path, tmp_path: Path
):
    film = photographs["grey.jpg"].parent
    words = "--model", fake_onnx, "--set", colours, "--film", film, "--json", tmp_path / "both.json"
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "not to be told from" in result.output or "above that of" in result.output
    assert "left grey" in result.output
    found = json.loads((tmp_path / "both.json").read_text("utf-8"))
    assert len(found["set"]["files"]) == 6
    assert len(found["film_of"]["files"]) == 5
    assert "left_grey" in found["film"]["fake"]["figures"]


def test_sheets_go_on_on_further_pages(fake_onnx: Path, tmp_path: Path):
    for i in range(19):
        write(tmp_path / f"{i:02}.png", scene(20, 30, seed=i))
    (tmp_path / "torn.png").write_bytes(b"no picture")
    sheet = tmp_path / "sheet.png"
    result = run("--model", fake_onnx, "--film", tmp_path, "--sheet", sheet)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "sheet-2.png").exists()
    assert not (tmp_path / "sheet-3.png").exists()
    assert "sheet-2.png" in result.output


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        ([], "give --set DIR or --film DIR", 2),
        (["--film", ".", "--html", "page.html"], "--html needs the true colours of --set", 2),
        (["--film", ".", "--check"], "--check needs the true colours", 2),
        (["--set", "nowhere"], "there are no pictures", 1),
        (["--set", ".", "--device", "abacus"], "device abacus is not to be had", 1),
    ],
)
def test_misuse_is_one_line(
    words: list[str], says: str, code: int, fake_onnx: Path, tmp_path: Path, monkeypatch: Any
):
    monkeypatch.chdir(tmp_path)
    result = run("--model", fake_onnx, *words)
    assert result.exit_code == code
    assert says in result.output
    assert "Traceback" not in result.output


def test_a_report_that_cannot_be_written_is_one_line(
    colours: Path, fake_onnx: Path, tmp_path: Path
):
    base = ("--model", fake_onnx, "--set", colours, "--limit", 1)
    for option in ("--json", "--markdown", "--sheet"):
        result = run(*base, option, tmp_path / "gone" / "file.png")
        assert result.exit_code == 1
        assert "cannot be written" in result.output


def test_models_are_listed():
    result = CliRunner().invoke(main, ["models"])
    assert result.exit_code == 0, result.output
    assert "default" in result.output
    result = CliRunner().invoke(main, ["models", "--json"])
    assert "default" in {card["name"] for card in json.loads(result.output)}


def test_a_folder_beside_a_model_and_a_frozen_set(colours: Path, fake_onnx: Path, tmp_path: Path):
    """Three lines are enough for somebody else's method: freeze, colour, judge."""
    manifest = tmp_path / "set.json"
    done = CliRunner().invoke(main, ["bench", "freeze", str(colours), "-o", str(manifest)])
    assert done.exit_code == 0, done.output
    assert "6 pictures, 0 left out" in done.output
    for path in colours.rglob("*.png"):
        name = path.relative_to(colours).with_suffix(".jpg")
        if name.name != "3.jpg":
            write(tmp_path / "theirs" / name, pyvips.Image.new_from_file(str(path)).numpy() / 255)
    write(tmp_path / "theirs/more.png", scene(10, 10))
    files = {name: tmp_path / f"out.{name}" for name in ("json", "html", "png")}
    result = run(
        "--model", fake_onnx, "--folder", f"theirs={tmp_path / 'theirs'}", "--set", manifest,
        "--pictures", colours, "--resume", tmp_path / "kept", "--json", files["json"],
        "--html", files["html"], "--sheet", files["png"], "--lpips", tmp_path / "gone.onnx",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(files["json"].read_text("utf-8"))
    assert found["schema"] == 2
    assert found["set"]["frozen"]
    theirs = row(found, "folder")
    assert "rank" not in theirs  # five pictures tell nobody apart
    assert row(found, "model")["rank"] == 1
    assert list(theirs["left_out"]) == ["3.png"]
    assert theirs["extra"] == ["more.png"]
    assert theirs["per_picture"]["delta_e"][3] is None
    assert (
        theirs["figures"]["delta_e"]["value"] < row(found, "model")["figures"]["delta_e"]["value"]
    )
    assert "theirs: 5 of 6 pictures; without" in result.output
    assert "Without LPIPS: " in result.output
    assert "theirs" in files["html"].read_text("utf-8")
    assert (tmp_path / "kept/judged.jsonl").exists()

    write(colours / "more.png", scene(12, 12))
    try:
        changed = run("--model", fake_onnx, "--set", manifest, "--pictures", colours)
    finally:
        (colours / "more.png").unlink()
    assert changed.exit_code == 1
    assert "1 extra: more.png" in changed.output


def test_a_model_that_fails_is_named_and_the_report_made(
    colours: Path, fake_onnx: Path, tmp_path: Path
):
    import onnx

    network = onnx.load(fake_onnx)
    for constant in network.graph.initializer:
        if constant.name == "ten":
            constant.CopyFrom(onnx.helper.make_tensor("ten", onnx.TensorProto.FLOAT, [], [0.0]))
    onnx.save(network, tmp_path / "broken.onnx")
    result = run("--model", fake_onnx, "--model", tmp_path / "broken.onnx", "--set", colours)
    assert result.exit_code == 1
    assert "Left out altogether: broken: " in result.output
    assert "gave colours that are no numbers" in result.output
    assert "| fake " in result.output
    assert "| broken" not in result.output


def test_what_a_model_costs_stands_beside_libvips(colours: Path, fake_onnx: Path, tmp_path: Path):
    words = ["bench", "--model", fake_onnx, "--set", colours, "--limit", 1]
    result = CliRunner().invoke(main, [*map(str, words), "--json", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    cost = row(found, "model")["cost"]
    assert cost["device"] == "cpu"
    assert cost["megabytes"] == pytest.approx(fake_onnx.stat().st_size / 1e6)
    assert cost["ms"] > cost["network_ms"] > 0
    assert found["libvips"]["megapixels_per_second"] > cost["megapixels_per_second"] > 0
    assert "| libvips" in result.output
    assert "a grey JPEG of 1633 x 1225 pixels" in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--folder", "theirs"], "'theirs' is not NAME=DIR"),
        (["--folder", "a=.", "--folder", "a=.."], "two folders have one name"),
        (["--folder", "grey=."], "two contestants are named grey"),
        (["--folder", "a=gone"], "gone: there are no pictures in it"),
    ],
)
def test_folders_given_wrongly_are_one_line(
    words: list[str], says: str, colours: Path, fake_onnx: Path
):
    result = run("--model", fake_onnx, "--set", colours, *words)
    assert result.exit_code in (1, 2)
    assert says in result.output
