"""Judging models: on pictures whose right answer is known, and through the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from click.testing import CliRunner, Result

from conftest import scene
from retint import color, metrics
from retint.bench import report, statistics
from retint.bench.evaluate import evaluate, pictures
from retint.bench.film import look
from retint.cli import main
from retint.colorizer import Colorizer, Options
from retint.errors import InputError
from retint.predict import OnnxPredictor, Prediction


def write(path: Path, rgb: np.ndarray) -> None:
    codes = np.rint(rgb * 255).astype(np.uint8)
    pyvips.Image.new_from_array(codes).copy(interpretation="srgb").write_to_file(str(path))


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn pictures of several sizes, in two folders, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("colours")
    (folder / "below").mkdir()
    for i, (height, width) in enumerate([(60, 90), (90, 60), (64, 64), (40, 100), (77, 51)]):
        write(folder / f"{i}.png", scene(height, width, seed=i))
    write(folder / "below/5.png", scene(48, 48, seed=5)[::-1])
    (folder / "notes.txt").write_text("no picture", "utf-8")
    return folder


class Oracle:
    """A predictor that knows the pictures: the true colour of the lightness it is shown."""

    name = "oracle"
    version = "1"
    weights_sha256 = "0" * 64
    device = "cpu"

    def __init__(self, folder: Path, gain: float = 1.0) -> None:
        self.known: list[np.ndarray] = []
        self.gain = gain
        for path in folder.rglob("*.png"):
            rgb = pyvips.Image.new_from_file(str(path)).numpy()
            self.known.append(color.srgb_to_lab(rgb.astype(np.float32) / 255))

    def __call__(self, L: np.ndarray, hints: np.ndarray | None = None) -> Prediction:
        shape = L.shape[2:]
        right = min(
            (lab for lab in self.known if lab.shape[:2] == shape),
            key=lambda lab: float(np.abs(lab[..., 0] - L[0, 0]).mean()),
        )
        ab = self.gain * right[..., 1:].transpose(2, 0, 1)[None]
        return Prediction(ab.astype(np.float32), np.ones_like(L))


def judged(folder: Path, gain: float = 1.0, **more: Any) -> dict[str, Any]:
    models = {"oracle": Colorizer(Oracle(folder, gain), Options(longest=512))}
    return report.summary(evaluate(models, folder, **more))


def row(summary: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(row for row in summary["rows"] if row["kind"] == kind)


def test_an_oracle_passes_the_bar(colours: Path):
    found = judged(colours)
    figures = row(found, "model")["figures"]
    assert figures["delta_e"]["value"] < 0.5  # 8-bit steps, and the guide's fit
    assert figures["colourfulness_ratio"]["value"] == pytest.approx(1, abs=0.02)
    assert figures["auc_rebalanced"] > 99
    assert figures["ms_median"] > 0
    assert report.passed(found["verdicts"]["oracle"])
    assert found["set"]["pictures"] == 6


def test_pale_colours_miss_the_bar_of_colourfulness_only(colours: Path):
    verdict = judged(colours, gain=0.5)["verdicts"]["oracle"]
    assert [line["against"] for line in verdict if not line["holds"]] == ["true colourfulness"]


def test_wrong_colours_lose_to_grey(colours: Path):
    found = judged(colours, gain=-1.0)
    lines = {line["against"]: line for line in found["verdicts"]["oracle"]}
    assert lines["grey"]["difference"]["low"] > 0
    assert "dE is above that of grey" in lines["grey"]["says"]
    assert not report.passed(found["verdicts"]["oracle"])


def test_grey_and_mean_colour_are_what_they_say(colours: Path):
    found = judged(colours)
    deltas: list[float] = []
    means: list[np.ndarray] = []
    for path in found["set"]["files"]:
        lab = color.srgb_to_lab(pyvips.Image.new_from_file(str(colours / path)).numpy() / 255)
        deltas.append(float(metrics.delta_e2000(lab * (1, 0, 0), lab).mean()))
        means.append(lab[..., 1:].mean(axis=(0, 1)))
    grey = row(found, "grey")["figures"]
    assert grey["delta_e"]["value"] == pytest.approx(np.mean(deltas), abs=0.05)
    assert grey["colourfulness"]["value"] == 0
    assert row(found, "grey")["per_picture"]["delta_e"] == pytest.approx(deltas, abs=0.1)
    assert found["set"]["mean_ab"] == pytest.approx(np.mean(means, axis=0), abs=0.05)
    assert found["set"]["mean_ab_of"] == "the set itself"
    bias = row(found, "mean colour")["figures"]["bias_a"]["value"]
    assert bias == pytest.approx(0, abs=1)  # but for colours that do not fit the gamut

    given = judged(colours, mean_ab=(0.0, 0.0), mean_ab_of="nobody")
    assert row(given, "mean colour")["figures"] == {
        **row(given, "grey")["figures"],
    }


def test_shuffled_colours_are_another_pictures(colours: Path):
    """Of two pictures each gets the other's colours."""
    found = judged(colours, limit=2)
    assert found["set"]["files"] == ["0.png", "3.png"]
    truth = [
        color.srgb_to_lab(pyvips.Image.new_from_file(str(colours / name)).numpy() / 255)
        for name in found["set"]["files"]
    ]
    means = [lab[..., 1].mean() for lab in truth]
    bias = row(found, "shuffled")["per_picture"]["bias_a"]
    assert bias == pytest.approx([means[1] - means[0], means[0] - means[1]], abs=1)
    alone = judged(colours, limit=1)
    assert "shuffled" not in {row["kind"] for row in alone["rows"]}


def test_the_same_set_gives_the_same_figures_and_name(colours: Path):
    def without_time(found: dict[str, Any]) -> dict[str, Any]:
        for row in found["rows"]:
            row["figures"].pop("ms_median", None)
            row["per_picture"].pop("ms", None)
        return found

    assert without_time(judged(colours)) == without_time(judged(colours))
    assert judged(colours, limit=3)["set"]["sha256"] != judged(colours)["set"]["sha256"]


def test_pictures_are_spread_over_the_set_and_found_below(colours: Path):
    names = [path.name for path in pictures(colours)]
    assert names == ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png"]
    assert [path.name for path in pictures(colours, 3)] == ["0.png", "2.png", "4.png"]
    assert len(pictures(colours, 100)) == 6


def test_what_cannot_be_read_is_named_and_left_out(colours: Path, tmp_path: Path):
    write(tmp_path / "good.png", scene(40, 40))
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    found = judged_by_fake(tmp_path)
    assert found["set"]["files"] == ["good.png"]
    assert list(found["set"]["left_out"]) == ["torn.jpg"]
    assert "torn.jpg" in report.table(found)
    (tmp_path / "good.png").unlink()
    with pytest.raises(InputError, match="none of its 1 pictures can be read"):
        judged_by_fake(tmp_path)
    (tmp_path / "torn.jpg").unlink()
    with pytest.raises(InputError, match="there are no pictures in it"):
        judged_by_fake(tmp_path)
    write(tmp_path / "grey.png", np.full((30, 30, 3), 0.5))
    with pytest.raises(InputError, match="no colour to judge by"):
        judged_by_fake(tmp_path)


class Reddish:
    """Everything a little red."""

    name = "reddish"
    version = "1"
    weights_sha256 = "0" * 64
    device = "cpu"

    def __call__(self, L: np.ndarray, hints: np.ndarray | None = None) -> Prediction:
        ab = np.broadcast_to(np.array([10, 0], np.float32)[:, None, None], (2, *L.shape[2:]))
        return Prediction(ab[None], np.ones_like(L))


def judged_by_fake(folder: Path) -> dict[str, Any]:
    return report.summary(evaluate({"reddish": Colorizer(Reddish())}, folder))


def test_film_is_looked_at_without_truth(photographs: dict[str, Path]):
    paths = [photographs["grey.jpg"], photographs["grey16.tif"]]
    models = {
        "reddish": Colorizer(Reddish()),
        "pale": Colorizer(Reddish(), Options(saturation=0.2)),
    }
    found = look(paths, models)["film"]
    assert found["reddish"]["figures"]["mean_a"] == pytest.approx(10, abs=0.7)
    assert found["reddish"]["figures"]["left_grey"] < 0.1
    assert found["pale"]["figures"]["left_grey"] > 0.99
    ratio = found["pale"]["figures"]["colourfulness"] / found["reddish"]["figures"]["colourfulness"]
    assert ratio == pytest.approx(0.2, abs=0.05)


def test_bootstrap_intervals_cover_as_they_should():
    """Of many samples with a known mean about 95 % have it in their interval."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        found = statistics.mean(rng.normal(3, 2, 80))
        assert found.low < found.value < found.high
        covered += found.low < 3 < found.high
    assert 88 <= covered <= 99
    values = rng.uniform(1, 2, 50)
    assert statistics.mean(values) == statistics.mean(values)
    ratio = statistics.ratio_of_means(2 * values, values)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, words)])


def test_the_command_writes_all_it_is_asked_for(colours: Path, fake_onnx: Path, tmp_path: Path):
    other = tmp_path / "other.onnx"
    other.write_bytes(fake_onnx.read_bytes())
    files = {name: tmp_path / f"out.{name}" for name in ("json", "md", "png")}
    result = run(
        "--model", fake_onnx, "--model", other, "--set", colours, "--limit", 4, "--mean-ab", 3, -2,
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
    assert len(row(found, "model")["per_picture"]["delta_e"]) == 4
    table = files["md"].read_text("utf-8")
    assert table in result.output
    assert table.count("\n| ") == 7
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


def test_sheets_go_on_on_further_pages(fake_onnx: Path, tmp_path: Path):
    for i in range(19):
        write(tmp_path / f"{i:02}.png", scene(20, 30, seed=i))
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
        (["--set", ".", "--film", "."], "give --set DIR or --film DIR", 2),
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


def test_the_default_model_beats_its_baselines_on_real_pictures(shared: Path):
    from retint.predict import load

    evaluation = evaluate({"default": Colorizer(load())}, shared / "eval", limit=16)
    found = report.summary(evaluation)
    delta = {r["kind"]: r["figures"]["delta_e"]["value"] for r in found["rows"]}
    assert delta["model"] < min(delta["grey"], delta["mean colour"], delta["shuffled"])
