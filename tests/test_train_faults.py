"""What a training survives: being killed, stages, several processes, bad luck of every kind."""

import csv
import errno
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import scene
from retint.errors import InputError, OptionsError, OutputError, RetintError
from retint.models import family
from retint.train import checkpoint, recipe
from retint.train.loop import Training
from retint.train.recipe import Recipe, Subject
from test_corpus import sharded
from test_train import assert_equal

STAGED = """
family = "basic"
variant = "tiny"
seed = 4
[data]
sizes = [32]
[critic]
channels = 4
depth = 2
[optimiser]
name = "adam"
batch = 4
warmup = 0
[validation]
share = 0.2
steps = 2
minutes = 60
[[stages]]
name = "L1 pretraining"
loss = { l1 = 1.0 }
schedule = { steps = 4 }
[[stages]]
name = "adversarial"
loss = { l1 = 10.0, adversarial = 1.0 }
schedule = { steps = 5, curve = "constant" }
freeze = ["first"]
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return sharded(folder)


@pytest.fixture
def staged(tmp_path: Path) -> Recipe:
    (tmp_path / "staged.toml").write_text(STAGED)
    return recipe.load(tmp_path / "staged.toml")


def simple(staged: Recipe, **more: Any) -> Recipe:
    """The same without stages."""
    return replace(staged, stages=(), loss={"mse": 1.0}, **more)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_stages_follow_each_other_and_can_be_resumed_anywhere(
    corpus: Path, staged: Recipe, tmp_path: Path
):
    torch.set_num_threads(1)
    whole = Training(staged, corpus, tmp_path / "whole")
    first = whole.net.first.weight.clone()
    assert whole.run()
    stages = [row["stage"] for row in rows(tmp_path / "whole")]
    assert stages == ["L1 pretraining"] * 2 + ["adversarial"] * 3
    assert not torch.equal(whole.net.first.weight, first)
    for cut in (2, 4, 7):
        folder = tmp_path / f"cut{cut}"
        begun = Training(staged, corpus, folder)
        assert not begun.run(steps=cut)
        assert begun.step == cut
        rest = Training(None, corpus, folder, resume=folder / "last.pt")
        assert rest.run()
        assert_equal(whole, rest)
        assert [row["step"] for row in rows(folder)][-1] == "9"


def test_what_is_frozen_stays(corpus: Path, staged: Recipe, tmp_path: Path):
    recipe = simple(staged, freeze=("first",), schedule=recipe_schedule(3))
    training = Training(recipe, corpus, tmp_path / "run")
    before = {k: v.clone() for k, v in training.net.state_dict().items()}
    training.run()
    same = {k for k, v in training.net.state_dict().items() if torch.equal(v, before[k])}
    assert same == {"first.weight", "first.bias"}
    everything = replace(recipe, freeze=("first", "second", "last"))
    with pytest.raises(OptionsError, match="everything is frozen"):
        Training(everything, corpus, tmp_path / "none")


def recipe_schedule(steps: int) -> recipe.Schedule:
    return recipe.Schedule(steps=steps)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "retint", "train", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    corpus: Path, staged: Recipe, tmp_path: Path
):
    """SIGKILL in the middle of the adversarial stage, resumed from the shell."""
    torch.set_num_threads(1)
    whole = Training(staged, corpus, tmp_path / "whole")
    whole.run()
    folder = tmp_path / "killed"
    started = command(
        tmp_path / "staged.toml", "--data", corpus, "-o", folder, "--device", "cpu", "--threads", 1
    )
    killed = subprocess.Popen(started, env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (folder / "log.csv").exists() and len(rows(folder)) >= 3:
            break
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 6 <= checkpoint.load(folder / "last.pt")["step"] <= 9
    resumed = command(
        "--resume", folder / "last.pt", "--data", corpus, "--device", "cpu", "--threads", 1
    )
    subprocess.run(resumed, env=environment(), check=True, capture_output=True)
    rest = Training(None, corpus, folder, resume=folder / "last.pt")
    assert_equal(whole, rest)
    assert [row["step"] for row in rows(folder)] == ["2", "4", "6", "8", "9"]


@pytest.mark.slow
def test_two_processes_learn_what_one_does(corpus: Path, tmp_path: Path):
    """The same batches, split over two gloo processes, give the same weights."""
    text = """
family = "basic"
variant = "tiny"
loss = { mse = 1.0 }
data.sizes = [32]
film.plain = 1.0
optimiser = { name = "sgd", rate = 0.5, batch = 6, warmup = 0, precision = "fp32" }
schedule.steps = 5
validation = { share = 0.2, steps = 2 }
"""
    path = tmp_path / "plain.toml"
    path.write_text(text)
    one = Training(recipe.load(path), corpus, tmp_path / "one")
    before = one.net.last.weight.clone()
    one.run()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    both = [*torchrun, "--nproc-per-node=2", "-m", "retint", "train", path, "--data", corpus]
    both += ["-o", tmp_path / "two", "--device", "cpu"]
    done = subprocess.run(
        list(map(str, both)), env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("for validation") == 1  # one of them speaks
    two = checkpoint.load(tmp_path / "two" / "last.pt")
    assert two["step"] == 5
    moved = (one.net.last.weight - before).abs().max()
    for key, value in one.net.state_dict().items():
        assert (value - two["net"][key]).abs().max() < 1e-3 * moved, key
    assert [row["step"] for row in rows(tmp_path / "two")] == ["2", "4", "5"]


def test_ctrl_c_finishes_the_step_and_keeps_it(corpus: Path, staged: Recipe, tmp_path: Path):
    training = Training(simple(staged), corpus, tmp_path / "run")
    learn = training._learn

    def interrupted(batch: Any, done: float) -> None:
        if training.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        learn(batch, done)

    training._learn = interrupted
    with pytest.raises(KeyboardInterrupt):
        training.run()
    assert checkpoint.load(tmp_path / "run" / "last.pt")["step"] == 3


def test_a_vanished_picture_is_named_and_the_checkpoint_kept(
    corpus: Path, staged: Recipe, tmp_path: Path
):
    loose = tmp_path / "loose"
    for shard in corpus.glob("*.zip"):
        with zipfile.ZipFile(shard) as archive:
            archive.extractall(loose / shard.stem)
    data = replace(staged.data, memory_gb=0.0)
    training = Training(simple(staged, data=data), loose, tmp_path / "run")
    training.run(steps=2)
    kept = (tmp_path / "run" / "last.pt").read_bytes()
    for picture in loose.rglob("*.webp"):
        picture.unlink()
    with pytest.raises(InputError, match=r"\.webp: cannot be read \(.*No such file"):
        training.run()
    assert (tmp_path / "run" / "last.pt").read_bytes() == kept


def test_out_of_memory_is_said_with_what_to_do(corpus: Path, staged: Recipe, tmp_path: Path):
    training = Training(simple(staged), corpus, tmp_path / "run")
    training.run(steps=2)

    def greedy(batch: Any, done: float) -> None:
        torch.empty(1 << 60)

    training._learn = greedy
    with pytest.raises(RetintError, match=r"step 2: out of memory .* optimiser\.batch"):
        training.run()
    assert checkpoint.load(tmp_path / "run" / "last.pt")["step"] == 2


def test_a_full_disk_keeps_the_checkpoint_before(
    corpus: Path, staged: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    training = Training(simple(staged), corpus, tmp_path / "run")
    training.run(steps=2)
    kept = (tmp_path / "run" / "last.pt").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"No space left on device.*one before is kept"):
            training.run(steps=2)
    assert (tmp_path / "run" / "last.pt").read_bytes() == kept
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.parametrize("best", ["val_loss", "val_accuracy"])
def test_training_stops_when_it_gets_no_better(
    corpus: Path, staged: Recipe, tmp_path: Path, best: Any
):
    said: list[str] = []
    validation = replace(staged.validation, steps=1, best=best, stop=True, patience=3)
    how = replace(staged.optimiser, rate=0.0, encoder_rate=None)  # it learns nothing
    still = simple(staged, validation=validation, optimiser=how)
    training = Training(still, corpus, tmp_path / "run", tell=said.append)
    assert training.run()
    assert training.step == 4
    assert f"{best} is no better for 3 measurements" in said[-1]
    assert checkpoint.load(tmp_path / "run" / "best.pt")["step"] == 1
    again = Training(None, corpus, tmp_path / "run", resume=tmp_path / "run" / "last.pt")
    assert again.run()
    assert again.step == 4


def test_epochs_and_learning_rates(corpus: Path, staged: Recipe, tmp_path: Path):
    schedule = recipe.Schedule(epochs=2, curve="steps", milestones=(0.5,))
    validation = replace(staged.validation, steps=None, epochs=1)
    training = Training(
        simple(staged, schedule=schedule, validation=validation), corpus, tmp_path / "run"
    )
    epoch = len(training.batches)
    training.run()
    assert training.step == 2 * epoch
    found = [(int(row["step"]), float(row["rate"])) for row in rows(tmp_path / "run")]
    assert found == [(epoch, 2e-3), (2 * epoch, pytest.approx(2e-4))]


def test_fine_tuning_starts_from_a_model_and_watches_the_general_set(
    corpus: Path, staged: Recipe, tmp_path: Path
):
    torch.manual_seed(7)
    module = family("basic")
    net = module.Net(module.variants["tiny"])
    start = ("basic", dict(vars(net.config)), net.state_dict())
    how = replace(staged.optimiser, rate=0.0)
    general = tmp_path / "general"
    general.mkdir()
    sharded(general)
    kept = Training(
        simple(staged, optimiser=how, schedule=recipe_schedule(2)),
        corpus,
        tmp_path / "run",
        start=start,
        general=general,
    )
    kept.run()
    for key, value in net.state_dict().items():
        assert torch.equal(value, kept.net.state_dict()[key])
    before, after = rows(tmp_path / "run")
    assert (before["step"], after["step"]) == ("0", "2")
    assert float(before["general_ab"]) == float(after["general_ab"]) > 0
    said: list[str] = []
    for k in range(8):  # where the pictures to learn from are blue, these are orange
        pixels = (scene(64, 64, k)[..., ::-1] * 255).astype(np.uint8)
        Image.fromarray(pixels).save(general / f"{k}.png")
    (general / "manifest.csv").unlink()
    for shard in general.glob("*.zip"):
        shard.unlink()
    forgetful = simple(
        staged,
        optimiser=replace(staged.optimiser, rate=1e-2),
        validation=replace(staged.validation, steps=1, forget=0.0),
        schedule=recipe_schedule(200),
    )
    training = Training(
        forgetful, corpus, tmp_path / "other", start=start, general=general, tell=said.append
    )
    assert training.run()
    assert training.step < 200
    assert "of the general set are" in said[-1]


def test_a_critic_goes_on_in_the_next_stage(corpus: Path, staged: Recipe, tmp_path: Path):
    """A stage at rate 0 lets the critic learn alone (DeOldify's NoGAN); what it learned counts."""
    torch.set_num_threads(1)
    loss = {"adversarial": 1.0}
    alone = replace(staged.stages[1], name="critic alone", loss=loss, rate=0.0, freeze=())
    both = replace(alone, name="both", rate=1.0)
    recipe = replace(staged, stages=(alone, both), film=replace(staged.film, plain=1.0))
    whole = Training(recipe, corpus, tmp_path / "whole")
    net = {k: v.clone() for k, v in whole.net.state_dict().items()}
    first = whole.terms["adversarial"].critic.layers[0].weight.clone()
    whole.run(steps=5)
    assert all(torch.equal(v, net[k]) for k, v in whole.net.state_dict().items())
    learned = whole.terms["adversarial"].critic.layers[0].weight.clone()
    assert not torch.equal(first, learned)
    rest = Training(None, corpus, tmp_path / "whole", resume=tmp_path / "whole" / "last.pt")
    assert rest.stage.name == "both"
    assert torch.equal(rest.terms["adversarial"].critic.layers[0].weight, learned)
    uninterrupted = Training(recipe, corpus, tmp_path / "other")
    uninterrupted.run()
    rest.run()
    assert_equal(uninterrupted, rest)


def test_subjects_can_be_added_to_a_model(corpus: Path, staged: Recipe, tmp_path: Path):
    module = family("retint")
    net = module.Net(module.variants["tiny"])
    start = ("retint", dict(vars(net.config)), net.state_dict())
    recipe = replace(
        simple(staged, schedule=recipe_schedule(1)),
        loss={"bins": 1.0, "subject": 0.1},
        subject=Subject(fewest=2),
    )
    training = Training(recipe, corpus, tmp_path / "run", start=start)
    assert training.net.config.subjects == 1
    assert torch.equal(training.net.classify.weight, net.classify.weight)
    training.run()
    other = replace(recipe, loss={"bins": 1.0}, model={"bottleneck": 24})
    with pytest.raises(OptionsError, match="weights to start from do not fit"):
        Training(other, corpus, tmp_path / "other", start=start)


def test_a_term_or_variant_that_does_not_fit_is_named(corpus: Path, staged: Recipe, tmp_path: Path):
    with pytest.raises(OptionsError, match="basic has no variant 'huge'"):
        Training(replace(staged, variant="huge"), corpus, tmp_path / "a")
    with pytest.raises(OptionsError, match=r"\[model\] width: basic has gain, channels"):
        Training(replace(staged, model={"width": 3}), corpus, tmp_path / "b")
    with pytest.raises(OptionsError, match="has no bins"):
        Training(replace(simple(staged), loss={"bins": 1.0}), corpus, tmp_path / "c")
    stage = replace(staged.stages[0], datasets=("elsewhere",))
    with pytest.raises(OptionsError, match="no pictures of"):
        Training(replace(staged, stages=(stage,)), corpus, tmp_path / "d")
