"""A judgement that is stopped, goes on, is split among processes: the same figures each time."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from painters import Bluish, Broken, Oracle, Reddish, draw
from retint.bench import report, tables
from retint.bench.contestants import Colouring
from retint.bench.evaluate import evaluate
from retint.bench.records import NAME, Records, key_of
from retint.bench.sets import PictureSet, Truth
from retint.bench.work import work_off
from retint.colorizer import Colorizer, Options
from retint.errors import ModelError, OptionsError, OutputError


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureSet:
    return PictureSet.of_folder(draw(tmp_path_factory.mktemp("colours")))


def judged(models: dict[str, Any], pictures: PictureSet, **more: Any) -> dict[str, Any]:
    """The summary without what depends on the clock."""
    named = {name: Colorizer(model) for name, model in models.items()}
    found = report.summary(evaluate(named, pictures, **more))
    for row in found["rows"]:
        row["figures"].pop("ms_median", None)
        row["per_picture"].pop("ms", None)
    return found


def test_the_order_of_answers_is_that_of_the_tasks():
    assert list(work_off(abs, range(-50, 0), 2)) == list(range(50, 0, -1))


def test_a_second_model_costs_only_itself(pictures: PictureSet, tmp_path: Path):
    red, blue = Reddish(), Bluish()
    first = judged({"red": red}, pictures, resume=tmp_path)
    assert red.calls == 7  # the last picture's colours go to the first one, when shuffled
    again = judged({"red": red}, pictures, resume=tmp_path)
    assert red.calls == 7
    assert again == first
    both = judged({"red": red, "blue": blue}, pictures, resume=tmp_path)
    assert (red.calls, blue.calls) == (7, 7)
    assert both == judged({"red": Reddish(), "blue": Bluish()}, pictures)
    judged({"another name": red}, pictures, resume=tmp_path)
    assert red.calls == 7


def test_a_stopped_run_goes_on(pictures: PictureSet, tmp_path: Path):
    """Stopped at every place, torn lines and all, it ends with the figures of a whole run."""
    whole = judged({"red": Reddish()}, pictures)
    journal = tmp_path / NAME

    def stop(after: int) -> Any:
        def progress(what: str, done: int, of: int) -> None:
            if what == "judging" and done == after:
                raise KeyboardInterrupt

        return progress

    for after in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            judged({"red": Reddish()}, pictures, resume=tmp_path, progress=stop(after))
        journal.write_bytes(journal.read_bytes()[:-7])
    red = Reddish()
    assert judged({"red": red}, pictures, resume=tmp_path) == whole
    assert 0 < red.calls < 7


def test_other_options_are_measured_anew(pictures: PictureSet, tmp_path: Path):
    red = Reddish()
    for saturation in (1.0, 0.5):
        colorizer = Colorizer(red, Options(saturation=saturation))
        evaluate({"red": colorizer}, pictures, resume=tmp_path)
    assert red.calls == 14


def test_records_are_kept_past_torn_lines(tmp_path: Path):
    with Records(tmp_path / "kept") as records:
        records.append(key_of("a", 1), {"x": 1})
        records.append(key_of("b"), {"y": [1, 2]}, file="b.png")
        assert records.find(key_of("b")) == {"y": [1, 2]}
        assert records.find(key_of("c")) is None
        with pytest.raises(OutputError, match="another run"), Records(tmp_path / "kept"):
            pass
    path = tmp_path / "kept" / NAME
    path.write_bytes(path.read_bytes() + b'{"key": "torn')
    with Records(tmp_path / "kept") as records:
        records.append(key_of("c"), {"z": None})
        assert records.find(key_of("a", 1)) == {"x": 1}
        assert records.find(key_of("c")) == {"z": None}
    assert len([line for line in path.read_text("utf-8").splitlines() if "torn" in line]) == 1
    with Records(None) as records:
        records.append(key_of("a"), {})
        assert records.find(key_of("a")) is None
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OutputError, match="file"), Records(tmp_path / "file"):
        pass


def test_a_model_that_fails_is_left_out_and_the_others_go_on(pictures: PictureSet):
    found = judged({"broken": Broken(), "red": Reddish()}, pictures)
    assert found["failed"] == {"broken": "reddish: gave colours that are no numbers"}
    names = [row["name"] for row in found["rows"]]
    assert names == ["grey", "mean colour", "red, shuffled", "red"]
    assert found["rows"] == judged({"red": Reddish()}, pictures)["rows"]
    assert "Left out altogether: broken: reddish: gave colours" in tables.table(found)
    json.dumps(found, allow_nan=False)


def test_two_contestants_of_one_name_are_refused(pictures: PictureSet):
    with pytest.raises(OptionsError, match="two contestants are named red"):
        judged({"red": Reddish()}, pictures, folders={"red": pictures.root})


class Brightness:
    """A judge: the mean of the codes, and how many pictures it saw."""

    name = "brightness"
    key = "brightness 1"
    note = "Brightness: mean of the codes."

    def __init__(self) -> None:
        self.calls = 0

    def measure(self, truth: Truth, colouring: Colouring) -> dict[str, Any]:
        self.calls += 1
        return {"mean": float(colouring.rgb.mean()), "of": [truth.file]}

    def compute(self, found: Any) -> dict[str, Any]:
        return {"brightness": float(np.mean([record["mean"] for record in found]))}


class Blind(Brightness):
    """A judge whose network fails."""

    name = "blind"
    key = "blind 1"

    def measure(self, truth: Truth, colouring: Colouring) -> dict[str, Any]:
        raise ModelError("eyes.onnx: failed")


class Silent(Brightness):
    """A judge that finds nothing."""

    name = "silence"
    key = "silence 1"

    def measure(self, truth: Truth, colouring: Colouring) -> dict[str, Any]:
        return {}

    def compute(self, found: Any) -> dict[str, Any]:
        return {}


def test_extra_judges_are_asked_and_remembered(pictures: PictureSet, tmp_path: Path):
    first = judged({"red": Reddish()}, pictures, resume=tmp_path)
    judge = Brightness()
    found = judged({"red": Reddish()}, pictures, judges=[judge, Blind()], resume=tmp_path)
    red = found["rows"][3]
    assert red["figures"]["delta_e"] == first["rows"][3]["figures"]["delta_e"]
    assert len(red["per_picture"]["mean"]) == 6
    brightness = red["set_figures"]["brightness"]["brightness"]
    assert brightness == pytest.approx(red["figures"]["mean"]["value"], rel=1e-6)
    assert found["judges"] == [
        "Brightness: mean of the codes.",
        "Without blind: eyes.onnx: failed.",
    ]
    told = tables.table(found)
    assert "mean | brightness |" in told
    assert "Without blind: eyes.onnx: failed." in told

    again = Brightness()
    red_again = Reddish()
    found = judged({"red": red_again}, pictures, judges=[again, Silent()], resume=tmp_path)
    assert found["rows"][3] == red
    assert again.calls == 0
    judged({"red": red_again}, pictures, judges=[Silent()], resume=tmp_path)
    assert red_again.calls == 7  # that there is nothing to say is remembered too


def test_several_processes_find_what_one_finds(pictures: PictureSet):
    """Judges, a model that fails, and all."""

    def found(jobs: int) -> dict[str, Any]:
        models = {"oracle": Oracle(pictures.root), "broken": Broken()}
        return judged(models, pictures, judges=[Brightness(), Blind()], jobs=jobs)

    assert found(2) == found(1)
