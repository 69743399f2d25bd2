"""A training, end to end at tiny size: learned, killed, resumed, exported, used."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from retint.cli.export import command as export_command
from retint.cli.train import command as train_command
from retint.errors import InputError, OutputError, RetintError
from retint.predict import OnnxPredictor
from retint.train import checkpoint, recipe
from retint.train.loop import Training
from test_corpus import sharded

RECIPE = """
seed = 5
[model]
bottleneck = 16
decoder = [16, 12, 8]
[data]
sizes = [32]
size_shares = [1.0]
large_side = 96
[validation]
share = 0.2
[bins]
step = 20.0
[optimiser]
batch = 4
warmup = 2
[schedule]
steps = 6
"""


def assert_equal(one: Training, two: Training) -> None:
    """Weights, averaged weights and what the terms remember."""
    for a, b in ((one.net, two.net), (one.ema, two.ema), (one.terms, two.terms)):
        for key, value in a.state_dict().items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, b.state_dict()[key]), key


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return sharded(folder)


@pytest.fixture
def small(tmp_path: Path) -> recipe.Recipe:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return recipe.load(path)


def test_a_resumed_training_equals_an_uninterrupted_one(
    corpus: Path, small: recipe.Recipe, tmp_path: Path
):
    torch.set_num_threads(1)
    whole = Training(small, corpus, tmp_path / "whole")
    assert whole.run()
    part = Training(small, corpus, tmp_path / "part")
    assert not part.run(steps=3)
    last = tmp_path / "part" / "last.pt"
    rest = Training(None, corpus, tmp_path / "part", resume=last)
    assert rest.step == 3
    assert rest.run()
    assert_equal(whole, rest)


def test_a_run_leaves_a_log_and_a_sheet(corpus: Path, small: recipe.Recipe, tmp_path: Path):
    said: list[str] = []
    training = Training(small, corpus, tmp_path / "run", tell=said.append)
    training.run()
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["6"]
    assert float(rows[0]["val_ab"]) > 0
    assert 0 <= float(rows[0]["val_accuracy"]) <= 1
    with Image.open(tmp_path / "run" / "sheets" / "00000006.jpg") as sheet:
        assert sheet.height == 3 * 32
    assert recipe.load(tmp_path / "run" / "recipe.toml") == small
    assert "parameters" in said[0]


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    corpus: Path, small: recipe.Recipe, tmp_path: Path
):
    training = Training(small, corpus, tmp_path / "run")
    training.run(steps=2)
    kept = (tmp_path / "run" / "last.pt").read_bytes()
    with torch.no_grad():
        training.net.classify.weight.fill_(float("nan"))
    with pytest.raises(RetintError, match="not finite"):
        training.run()
    assert (tmp_path / "run" / "last.pt").read_bytes() == kept


def test_an_encoder_that_is_not_there_is_named(corpus: Path, small: recipe.Recipe, tmp_path: Path):
    from dataclasses import replace

    with pytest.raises(RetintError, match=r"--backbones"):
        Training(replace(small, encoder="gone.safetensors"), corpus, tmp_path / "run")


def test_checkpoints_are_whole_and_hold_no_code(tmp_path: Path):
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 1})
    with pytest.raises(OutputError, match="the one before is kept"):
        checkpoint.save(tmp_path / "gone" / "last.pt", {"step": 2})
    assert checkpoint.load(path) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    torch.save({"path": Path()}, path)
    with pytest.raises(InputError, match="not a checkpoint"):
        checkpoint.load(path)
    with pytest.raises(InputError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "gone.pt")


def test_from_the_command_line_to_a_model_that_colours(corpus: Path, tmp_path: Path):
    (tmp_path / "small.toml").write_text(RECIPE)
    (tmp_path / "card.toml").write_text('license = "MIT"\nnot_for = "anything"\n')
    run = CliRunner()
    trained = run.invoke(
        train_command,
        [
            str(tmp_path / "small.toml"),
            "--data",
            str(corpus),
            "-o",
            str(tmp_path / "run"),
            "--device",
            "cpu",
            "--threads",
            "1",
            "--steps",
            "3",
        ],
        catch_exceptions=False,
    )
    assert trained.exit_code == 0, trained.output
    last = tmp_path / "run" / "last.pt"
    assert f"go on with --resume {last}" in trained.output
    resumed = run.invoke(
        train_command, ["--resume", str(last), "--data", str(corpus), "--threads", "1"]
    )
    assert "the schedule has ended" in resumed.output
    exported = run.invoke(
        export_command,
        [
            str(last),
            "-o",
            str(tmp_path),
            "--name",
            "small",
            "--card",
            str(tmp_path / "card.toml"),
            "--set",
            "scales=[1.0, 0.667]",
            "--set",
            "prior_weight=0.2",
        ],
        catch_exceptions=False,
    )
    assert exported.exit_code == 0, exported.output
    model = OnnxPredictor(tmp_path / "small.onnx")
    assert (model.card.name, model.card.not_for, model.card.family) == (
        "small",
        "anything",
        "retint",
    )
    prediction = model(np.full((1, 1, 41, 67), 50, np.float32))
    assert prediction.ab.shape == (1, 2, 41, 67)


def test_training_wants_a_recipe_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RETINT_SHARED", raising=False)
    run = CliRunner()
    assert run.invoke(train_command, []).exit_code == 2
    (tmp_path / "small.toml").write_text(RECIPE)
    missing = run.invoke(train_command, [str(tmp_path / "small.toml"), "--device", "cpu"])
    assert missing.exit_code == 2
    assert "--data" in missing.output
