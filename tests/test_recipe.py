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
        ("[data]\nsizes = [100]", "multiple of 32"),
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
