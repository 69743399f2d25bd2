"""Judging models: on pictures whose right answer is known, and through the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from conftest import scene
from painters import Oracle, Reddish, draw, write
from retint import color, metrics
from retint.bench import report, tables
from retint.bench.evaluate import evaluate
from retint.bench.sets import PictureSet
from retint.colorizer import Colorizer, Options
from retint.errors import InputError


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn pictures of several sizes, in two folders, and a file that is no picture."""
    return draw(tmp_path_factory.mktemp("colours"))


def judged(
    folder: Path, gain: float = 1.0, limit: int | None = None, **more: Any
) -> dict[str, Any]:
    models = {"oracle": Colorizer(Oracle(folder, gain), Options(longest=512))}
    return report.summary(evaluate(models, PictureSet.of_folder(folder, limit), **more))


def row(summary: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(row for row in summary["rows"] if row["kind"] == kind)


def test_an_oracle_passes_the_bar(colours: Path):
    found = judged(colours)
    figures = row(found, "model")["figures"]
    assert figures["delta_e"]["value"] < 0.5  # 8-bit steps, and the guide's fit
    assert figures["colourfulness_ratio"]["value"] == pytest.approx(1, abs=0.02)
    assert figures["auc_rebalanced"]["low"] <= figures["auc_rebalanced"]["value"]
    assert figures["auc_rebalanced"]["value"] > 99
    assert figures["ssim"]["value"] > 0.98
    assert figures["delta_L"]["value"] < 0.2
    assert row(found, "model")["set_figures"]["ab_distance"] < 0.2
    assert row(found, "model")["no_better_than"] == []
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
    assert row(given, "mean colour")["figures"] == row(given, "grey")["figures"]


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


def test_what_cannot_be_read_is_named_and_left_out(colours: Path, tmp_path: Path):
    write(tmp_path / "good.png", scene(40, 40))
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    found = judged_by_fake(tmp_path)
    assert found["set"]["files"] == ["good.png"]
    assert list(found["set"]["left_out"]) == ["torn.jpg"]
    assert "torn.jpg" in tables.table(found)
    (tmp_path / "good.png").unlink()
    with pytest.raises(InputError, match="none of its 1 pictures can be read"):
        judged_by_fake(tmp_path)
    (tmp_path / "torn.jpg").unlink()
    with pytest.raises(InputError, match="there are no pictures in it"):
        judged_by_fake(tmp_path)
    write(tmp_path / "grey.png", np.full((30, 30, 3), 0.5))
    with pytest.raises(InputError, match="no colour to judge by"):
        judged_by_fake(tmp_path)


def test_a_folder_without_a_usable_picture_is_told_of(colours: Path, tmp_path: Path):
    (tmp_path / "0.png").write_bytes(b"no picture")
    write(tmp_path / "1.png", scene(8, 8))
    found = report.summary(
        evaluate(
            {"reddish": Colorizer(Reddish())},
            PictureSet.of_folder(colours),
            folders={"theirs": tmp_path},
        )
    )
    theirs = row(found, "folder")
    assert theirs["pictures"] == 0
    assert len(theirs["left_out"]) == 6
    assert "rank" not in theirs
    assert not any("theirs" in pair for pair in found["ties"])
    assert not report.passed(found["verdicts"]["theirs"])
    told = tables.table(json.loads(json.dumps(found, allow_nan=False)))
    assert "theirs: 0 of 6 pictures; without" in told
    assert "is 8 x 8 pixels, the picture 60 x 90; " in told
    assert "; and 3 more." in told


def test_lightness_that_was_not_kept_is_told_of(colours: Path, tmp_path: Path):
    for path in colours.rglob("*.png"):
        codes = pyvips.Image.new_from_file(str(path)).numpy()
        write(tmp_path / path.relative_to(colours), codes / 255 * 0.8)
    pictures = PictureSet.of_folder(colours)
    found = report.summary(evaluate({}, pictures, folders={"dark": tmp_path}))
    assert row(found, "folder")["figures"]["delta_L"]["value"] > 5
    assert "dark: lightness was not kept: mean |dL*| " in tables.table(found)


def judged_by_fake(folder: Path) -> dict[str, Any]:
    models = {"reddish": Colorizer(Reddish())}
    return report.summary(evaluate(models, PictureSet.of_folder(folder)))


def test_the_default_model_beats_its_baselines_on_real_pictures(shared: Path):
    from retint.predict import load

    pictures = PictureSet.of_folder(shared / "eval", limit=16)
    evaluation = evaluate({"default": Colorizer(load())}, pictures)
    found = report.summary(evaluation)
    delta = {r["kind"]: r["figures"]["delta_e"]["value"] for r in found["rows"]}
    assert delta["model"] < min(delta["grey"], delta["mean colour"], delta["shuffled"])
