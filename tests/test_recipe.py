"""Recipes: every one in the tree parses; mistakes are named with the nearest right word."""

from pathlib import Path

import pytest

from retint.errors import OptionsError
from retint.train import recipe

RECIPES = sorted(Path(__file__).parents[1].glob("recipes/**/*.toml"))


def test_there_are_recipes():
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_parses_and_survives_plain_values(path: Path):
    read = recipe.load(path)
    assert recipe.from_dict(recipe.to_dict(read)) == read


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_written_whole_is_read_back(path: Path, tmp_path: Path):
    read = recipe.load(path)
    recipe.write(read, tmp_path / "whole.toml")
    assert recipe.load(tmp_path / "whole.toml") == read


def test_stages_take_what_they_do_not_name_from_the_recipe(tmp_path: Path):
    path = tmp_path / "r.toml"
    path.write_text(
        "[loss]\nl1 = 100\nadversarial = 1\n[schedule]\nsteps = 9\n[model]\nnote = 'b'\n"
        "[[stages]]\nname = 'first'\nloss = {l1 = 1}\nschedule = {epochs = 2}\n"
        "[[stages]]\nname = 'then'\nfreeze = ['encoder']\n"
    )
    read = recipe.load(path)
    first, then = read.course
    assert first.schedule
    assert then.schedule
    assert (first.loss, first.schedule.epochs) == ({"l1": 1.0}, 2.0)
    assert (then.loss, then.schedule.steps) == ({"l1": 100.0, "adversarial": 1.0}, 9)
    recipe.write(read, tmp_path / "whole.toml")
    assert recipe.load(tmp_path / "whole.toml") == recipe.changed(read, ("name=r",))


def test_changes_are_put_on_top(tmp_path: Path):
    path = tmp_path / "r.toml"
    path.write_text("[schedule]\nsteps = 5\n")
    read = recipe.load(path, ("schedule.minutes=30", "encoder=vgg.safetensors", "bins.sigma=4.5"))
    assert (read.name, read.schedule.steps, read.schedule.minutes) == ("r", 5, 30.0)
    assert (read.encoder, read.bins.sigma) == ("vgg.safetensors", 4.5)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[optimiser]\nrat = 1e-3", "did you mean 'rate'"),
        ("[nonsense]\nx = 1", "unknown key 'nonsense'"),
        ("seed = 'one'", "is not of type int"),
        ("seed = true", "is not of type int"),
        ("[data]\nsizes = [100]", "multiple of 8"),
        ("[optimiser]\nname = 'adamx'", "did you mean 'adam"),
        ("[loss]\nmes = 1", "did you mean 'mse'"),
        ("[[stages]]\nname = 'x'\nschedule = {epoch = 1}", "did you mean 'epochs'"),
        ("[[stages]]\nrate = 1", "missing"),
        ("[data]\nsizes = [64, 96]", "differ in length"),
        ("seed = ", "Invalid value"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, complaint: str):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(OptionsError, match=complaint):
        recipe.load(path)


def test_a_missing_recipe_is_named(tmp_path: Path):
    with pytest.raises(OptionsError, match=r"gone\.toml"):
        recipe.load(tmp_path / "gone.toml")
