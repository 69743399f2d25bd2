"""Colours told and colours to choose from, judged on networks of which it is known what they do."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto, checker, helper, save

from painters import write
from retint import color, metrics
from retint.bench import report, tables
from retint.bench.alternatives import Alternatives
from retint.bench.contestants import Colouring, Model
from retint.bench.evaluate import evaluate
from retint.bench.hints import FALSE, RADIUS, Hints, region, true_hints
from retint.bench.measures import Judge
from retint.bench.sets import PictureSet
from retint.cli import main
from retint.colorizer import TILT, Colorizer, Options
from retint.predict import Prediction

HALVES = ((40.0, 25.0, 15.0), (70.0, -10.0, -25.0))
"""Lab of the left and the right half of the pictures."""

REACH = 30 / TILT
"""What brings a tilt to 30 Lab units."""


class Deaf:
    """Grey, whatever it is told, and no other answer; of the face of those that listen."""

    name = "deaf"
    version = "1"
    weights_sha256 = "4" * 64
    device = "cpu"
    takes = frozenset({"L", "hints", "tilt"})

    def __call__(self, L: np.ndarray, hints: Any = None, tilt: Any = None) -> Prediction:
        n = 1 if tilt is None else len(tilt)
        ab = np.zeros((n, 2, *L.shape[2:]), np.float32)
        if hints is not None and hints[0, 2].any():
            ab += self.told(L[0, 0], hints[0])
        confidence = np.broadcast_to(np.linspace(0, 1, L.shape[3], dtype=np.float32), L.shape)
        if tilt is not None:
            ab += self.tilted(tilt)[..., None, None] * (1 - confidence)
        return Prediction(ab, np.repeat(confidence, n, axis=0))

    def told(self, L: np.ndarray, hints: np.ndarray) -> np.ndarray:
        return np.zeros_like(hints[:2])

    def tilted(self, tilt: np.ndarray) -> np.ndarray:
        return np.zeros_like(tilt)


class Dots(Deaf):
    """What it is told, there and nowhere else."""

    weights_sha256 = "5" * 64

    def told(self, L: np.ndarray, hints: np.ndarray) -> np.ndarray:
        return hints[:2]


class Wash(Deaf):
    """The mean of what it is told, everywhere."""

    weights_sha256 = "6" * 64

    def told(self, L: np.ndarray, hints: np.ndarray) -> np.ndarray:
        return hints[:2, hints[2] > 0].mean(axis=1)[:, None, None]


class Objects(Deaf):
    """What it is told, wherever the lightness is the same; other answers where it is unsure."""

    weights_sha256 = "7" * 64

    def told(self, L: np.ndarray, hints: np.ndarray) -> np.ndarray:
        ab = np.zeros_like(hints[:2])
        for lightness, _, _ in HALVES:
            alike = np.abs(L - lightness) < 5
            shown = alike & (hints[2] > 0)
            if shown.any():
                ab[:, alike] = hints[:2, shown].mean(axis=1)[:, None]
        return ab

    def tilted(self, tilt: np.ndarray) -> np.ndarray:
        return REACH * tilt


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network alone follows hints, or not: nothing of it is changed afterwards."""
    monkeypatch.setattr("retint.colorizer.propagate", lambda before, after, *_: after)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureSet:
    """Pictures of two halves, each of one colour and one lightness."""
    folder = tmp_path_factory.mktemp("halves")
    for i, (height, width) in enumerate([(60, 90), (90, 60), (64, 64)] * 2):
        lab = np.empty((height, width, 3), np.float32)
        lab[:, : width // 2], lab[:, width // 2 :] = HALVES
        write(folder / f"{i}.png", color.lab_to_srgb(lab))
    return PictureSet.of_folder(folder)


def judged(
    models: dict[str, Any], pictures: PictureSet, *judges: Judge, **more: Any
) -> dict[str, Any]:
    """Rows of the models by their names, without what depends on the clock."""
    named = {name: Colorizer(model) for name, model in models.items()}
    found = report.summary(evaluate(named, pictures, judges=judges, **more))
    for row in found["rows"]:
        row["figures"].pop("ms_median", None)
        row["per_picture"].pop("ms", None)
    json.dumps(found, allow_nan=False)
    return found


def rows(found: dict[str, Any]) -> dict[str, Any]:
    return {row["name"]: row for row in found["rows"]}


def value(row: dict[str, Any], name: str) -> float:
    return row["figures"][name]["value"]


@pytest.mark.usefixtures("alone")
def test_who_ignores_hints_gains_nothing_by_them(pictures: PictureSet):
    deaf = rows(judged({"deaf": Deaf()}, pictures, Hints(10)))["deaf"]
    for name in ("hint_psnr_rise", "hints_psnr_rise", "hint_delta_e_fall", "hints_delta_e_fall"):
        assert deaf["figures"][name] == {"value": 0, "low": 0, "high": 0}
    assert value(deaf, "hints_psnr") == pytest.approx(value(deaf, "psnr"), abs=1e-4)
    assert value(deaf, "hint_followed") == 0
    assert "hint_near" not in deaf["figures"]
    assert "hints" not in deaf["set_figures"]


@pytest.mark.usefixtures("alone")
def test_colours_that_spread_over_their_objects_are_all_that_is_needed(pictures: PictureSet):
    objects = rows(judged({"objects": Objects()}, pictures, Hints(10)))["objects"]
    rises: list[float] = []
    for file in pictures.files:
        truth = pictures.open(file)
        ab = np.zeros_like(truth.lab[..., 1:])
        for hint in true_hints(truth, 1):
            half = 0 if hint.x < 0.5 else 1
            ab[np.abs(truth.lab[..., 0] - HALVES[half][0]) < 5] = hint.a, hint.b
        told = Colouring.of(truth.lab[..., 0], ab)
        grey = Colouring.of(truth.lab[..., 0], 0 * ab)
        rises.append(metrics.psnr(told.rgb, truth.rgb) - metrics.psnr(grey.rgb, truth.rgb))
    assert objects["per_picture"]["hint_psnr_rise"] == pytest.approx(rises, abs=0.01)
    assert min(rises) > 1
    assert value(objects, "hints_psnr_rise") > np.mean(rises)  # both halves are told
    assert value(objects, "hints_delta_e") < 1
    assert objects["figures"]["hints_delta_e_fall"]["low"] > 10
    assert value(objects, "hint_followed") == pytest.approx(1, abs=1e-4)
    assert value(objects, "hint_kept") == 1
    profile = objects["set_figures"]["hints"]
    assert {mean for mean in profile["off"] if mean is not None} == {0}
    assert [mean for mean in profile["on"] if mean is not None] == pytest.approx([1] * 6, abs=1e-4)


@pytest.mark.usefixtures("alone")
def test_a_dot_stays_where_it_is_and_a_wash_is_everywhere(pictures: PictureSet):
    found = rows(judged({"dots": Dots(), "wash": Wash()}, pictures, Hints(10)))
    dots, wash = found["dots"], found["wash"]
    assert value(dots, "hint_followed") == pytest.approx(1, abs=1e-4)
    assert value(dots, "hint_near") == 1
    assert value(dots, "hint_far") == 0
    assert 0 < value(dots, "hints_psnr_rise") < 1
    assert value(wash, "hint_followed") == pytest.approx(1, abs=1e-4)
    assert value(wash, "hint_kept") == pytest.approx(0.5, abs=1e-3)
    about = wash["set_figures"]["hints"]
    assert value(wash, "hint_near") == pytest.approx(about["even_near"], abs=1e-4)
    assert value(wash, "hint_far") == pytest.approx(about["even_far"], abs=1e-4)
    assert about["even_near"] < 0.06
    assert about["even_far"] > 0.5
    assert about["count"] == 10


def test_the_places_are_the_pictures_own_and_the_colours_true(pictures: PictureSet):
    truth = pictures.open("0.png")
    hints = true_hints(truth, 10)
    assert hints[:3] == true_hints(truth, 3)
    assert hints == true_hints(pictures.open("3.png"), 10)  # the same picture
    places = [(hint.x, hint.y) for hint in hints]
    others = [(hint.x, hint.y) for hint in true_hints(pictures.open("1.png"), 10)]
    assert not set(places) & set(others)
    assert {hint.radius for hint in hints} == {RADIUS}
    inside = [hint for hint in hints if abs(hint.x - 0.5) > 2 * RADIUS]
    assert len(inside) > 5
    for hint in inside:
        assert (hint.a, hint.b) == pytest.approx(HALVES[int(hint.x > 0.5)][1:], abs=0.5)


@pytest.mark.usefixtures("alone")
def test_the_false_colour_is_opposite_to_what_the_model_gave(pictures: PictureSet):
    shown: list[Any] = []

    class Reddish(Deaf):
        def __call__(self, L: np.ndarray, hints: Any = None, tilt: Any = None) -> Prediction:
            shown.append(hints)
            found = super().__call__(L)
            ab = found.ab + np.array([3, 4], np.float32)[:, None, None]
            return Prediction(ab, found.confidence)

    truth = pictures.open("2.png")
    colorizer = Colorizer(Reddish(), Options(saturation=2))
    found = Hints(3).measure(truth, Model("reddish", colorizer).colour(truth))
    a, b = shown[-1][0, :2, shown[-1][0, 2] > 0].mean(axis=0)
    assert (a, b) == pytest.approx((-0.6 * FALSE, -0.8 * FALSE), abs=1e-4)
    assert found["hint_followed"] == pytest.approx(0, abs=1e-6)


def test_who_ignores_hints_is_corrected_where_they_lie(pictures: PictureSet):
    deaf = rows(judged({"deaf": Deaf()}, pictures, Hints(10)))["deaf"]
    assert value(deaf, "hints_psnr_rise") > 2
    assert value(deaf, "hint_followed") == pytest.approx(1, abs=0.05)
    assert value(deaf, "hint_kept") > 0.9  # each half of a picture is of one lightness


def test_a_region_ends_where_the_lightness_does():
    L = np.full((20, 30), 50.0)
    L[:, 15:] = 80
    L[3, 5] += 40  # grain
    L[15:, :] = 20
    L[17:20, 20:] = 50  # of the same lightness, but not joined
    expected = np.zeros(L.shape, bool)
    expected[:15, :15] = True
    found = region(L, 10, 7)
    assert np.argwhere(found != expected).tolist() == [[14, 15]]  # a median moves corners


def test_alternatives_differ_where_the_model_is_unsure(pictures: PictureSet):
    found = judged({"objects": Objects(), "deaf": Deaf()}, pictures, Alternatives(2))
    objects, deaf = rows(found)["objects"], rows(found)["deaf"]
    assert value(objects, "alternatives_apart") == pytest.approx(15, abs=0.01)  # 30 to 0
    assert value(objects, "alternatives_unsure") == pytest.approx(1, abs=1e-5)
    first = np.array(objects["per_picture"]["delta_e"])
    best = np.array(objects["per_picture"]["alternatives_delta_e"])
    fall = objects["per_picture"]["alternatives_delta_e_fall"]
    assert fall == pytest.approx(first - best, abs=1e-3)
    even = objects["per_picture"]["alternatives_even_fall"]
    for file, delta_e, gained in zip(pictures.files, first, even, strict=True):
        truth = pictures.open(file)
        moved = np.full_like(truth.lab[..., 1:], 15 / np.sqrt(2))  # red and yellow alike
        told = metrics.delta_e2000_mean(Colouring.of(truth.lab[..., 0], moved).lab, truth.lab)
        assert gained == pytest.approx(max(0, delta_e - told), abs=0.01)
    assert value(deaf, "alternatives_apart") == 0
    assert deaf["figures"]["alternatives_delta_e_fall"] == {"value": 0, "low": 0, "high": 0}
    assert "alternatives_unsure" not in deaf["figures"]
    nine = rows(judged({"objects": Objects()}, pictures, Alternatives(9)))["objects"]
    assert value(nine, "alternatives_delta_e") < np.mean(best) + 1e-4
    assert value(nine, "alternatives_delta_e_fall") > 2


def test_figures_are_kept_and_the_same_in_several_processes(pictures: PictureSet, tmp_path: Path):
    models: dict[str, Any] = {"objects": Objects(), "dots": Dots()}
    judges = Hints(4), Alternatives(3)
    whole = judged(models, pictures, *judges, resume=tmp_path)
    journal = next(tmp_path.iterdir()).read_bytes()
    assert judged(models, pictures, *judges, resume=tmp_path) == whole
    assert next(tmp_path.iterdir()).read_bytes() == journal
    assert judged(models, pictures, *judges, jobs=2) == whole
    assert judged(models, pictures, Hints(5), resume=tmp_path) != whole


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .onnx that gives what it is told, there; elsewhere a tilt shows where L is low."""

    def tensor(name: str, *shape: int | str):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])

    def numbers(name: str, kind: int, values: list[float]):
        return helper.make_tensor(name, kind, [len(values)], values)

    nodes = [
        helper.make_node("Split", ["hints", "two_one"], ["told", "mask"], axis=1),
        helper.make_node("Unsqueeze", ["tilt", "last"], ["direction"]),
        helper.make_node("Split", ["direction", "one_one"], ["red", "yellow"], axis=1),
        helper.make_node("Sub", ["red", "red"], ["each"]),  # a zero for each tilt
        helper.make_node("Div", ["L", "hundred"], ["share"]),
        helper.make_node("Add", ["share", "each"], ["confidence"]),
        helper.make_node("Sub", ["one", "confidence"], ["unsure"]),
        helper.make_node("Sub", ["one", "mask"], ["untold"]),
        helper.make_node("Mul", ["unsure", "untold"], ["free"]),
        helper.make_node("Mul", ["direction", "reach"], ["colour"]),
        helper.make_node("Mul", ["colour", "free"], ["other"]),
        helper.make_node("Add", ["told", "other"], ["ab"]),
    ]
    graph = helper.make_graph(
        nodes,
        "listening",
        inputs=[
            tensor("L", 1, "h", "w"),
            tensor("hints", 3, "h", "w"),
            helper.make_tensor_value_info("tilt", TensorProto.FLOAT, ["m", 2]),
        ],
        outputs=[
            helper.make_tensor_value_info("ab", TensorProto.FLOAT, ["m", 2, "h", "w"]),
            helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["m", 1, "h", "w"]),
        ],
        initializer=[
            numbers("two_one", TensorProto.INT64, [2, 1]),
            numbers("one_one", TensorProto.INT64, [1, 1]),
            numbers("last", TensorProto.INT64, [2, 3]),
            numbers("hundred", TensorProto.FLOAT, [100]),
            numbers("one", TensorProto.FLOAT, [1]),
            numbers("reach", TensorProto.FLOAT, [REACH]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    card = {"name": "listening", "version": "1", "license": "MIT", "weights_license": "MIT"}
    card |= {"family": "dots", "parameters": 0, "size": {"multiple_of": 1}, "working_size": 128}
    helper.set_model_props(model, {"retint.card": json.dumps(card)})
    checker.check_model(model)
    path = tmp_path_factory.mktemp("listening") / "listening.onnx"
    save(model, path)
    return path


def test_the_command_tells_of_hints_and_alternatives(
    pictures: PictureSet, listening: Path, fake_onnx: Path, tmp_path: Path
):
    files = {name: tmp_path / f"judged.{name}" for name in ("json", "html")}
    words = [
        "bench", "--no-cost", "--model", listening, "--model", fake_onnx, "--set", pictures.root,
        "--hints", 3, "--alternatives", 2, "--json", files["json"], "--html", files["html"],
    ]  # fmt: skip
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert "| 3 hints |" in result.output
    assert "best dE" in result.output
    assert "hints_psnr" not in result.output
    assert "fake takes no hints." in result.output
    assert "fake gives no alternatives." in result.output
    found = json.loads(files["json"].read_text("utf-8"))
    row = rows(found)["listening"]
    assert value(row, "hint_followed") == pytest.approx(1, abs=1e-3)
    assert value(row, "hint_near") == 1
    assert value(row, "hints_psnr_rise") > value(row, "hint_psnr_rise") > 0
    assert value(row, "alternatives_unsure") == pytest.approx(1, abs=1e-3)
    assert len(row["per_picture"]["hints_psnr_rise"]) == 6
    assert tables.table(found) in result.output
    assert "PSNR, all hints" in files["html"].read_text("utf-8")


def test_hints_need_true_colours(listening: Path, tmp_path: Path):
    words = ["bench", "--model", str(listening), "--film", str(tmp_path), "--hints", "3"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "--hints needs the true colours of --set" in result.output
