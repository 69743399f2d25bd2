"""Recipes cut to so many pictures, so that every family can be taught alike and compared."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from retint.errors import OptionsError
from retint.models import family
from retint.train import recipe as recipes
from retint.train.recipe import Data, Film, Optimiser, Recipe, Schedule, Stage, Validation

PICTURES = 6400
BATCH = 32
SIDE = 96
"""Of the crops, pixels, at least: the smallest that a family takes from here on."""

RATES = 5e-4, 2e-3
"""The family's own learning rate is kept between these: fewer steps want larger ones."""

POINTS = 8
"""Measurements on the way, at least."""

APART = 0.05
"""Share of the pictures kept apart, by hash: those of benchmarks/sets/validation.json are among
them."""

DATA = Data(large_side=128, large_share=0.6)
"""Three of five pictures have 128 pixels or more on the shorter side; the others are thumbnails."""


COMMON = ("data", "augment", "film", "optimiser", "schedule", "validation")
"""Parts of a recipe that are alike for all."""


def short_of(
    path: Path, changes: Sequence[str] = (), *, pictures: int = PICTURES, seed: int = 0
) -> Recipe:
    """The recipe in a file cut short, with changes ("variant=small") that count more than what is
    common. OptionsError as for `recipe.load` and `short`."""
    recipe = short(recipes.load(path, tuple(changes)), pictures=pictures, seed=seed)
    again = tuple(c for c in changes if c.partition("=")[0].partition(".")[0].strip() in COMMON)
    return recipes.changed(recipe, again)


def short(recipe: Recipe, *, pictures: int = PICTURES, seed: int = 0) -> Recipe:
    """The recipe's own loss, stages, bins, critic and parts left as they are, with everything else
    as for all others: pictures, crops, optimiser, and a cosine over `pictures` in all.

    What the network sees is plain luminance. The stages keep their shares of the whole, each at
    least a step. OptionsError for stages whose lengths are not all in the same unit.
    """
    steps = max(len(recipe.course), round(pictures / BATCH))
    low, high = RATES
    rate = min(max(recipe.optimiser.rate, low), high)
    stages = tuple(
        replace(stage, schedule=Schedule(steps=count))
        for stage, count in zip(recipe.stages, _shared(recipe.stages, steps), strict=True)
    )
    return replace(
        recipe,
        seed=seed,
        data=replace(DATA, sizes=(side(recipe),)),
        augment=type(recipe.augment)(),
        film=Film(plain=1.0),
        optimiser=Optimiser(
            rate=rate,
            encoder_rate=rate / 5 if recipe.encoder else None,
            beta1=recipe.optimiser.beta1,
            warmup=steps // 10,
            ema=1 - 4 / max(steps, 8),
            batch=BATCH,
        ),
        schedule=Schedule(steps=steps),
        validation=Validation(
            share=APART, pictures=64, steps=max(1, steps // POINTS), best="val_ab"
        ),
        stages=stages,
    )


def side(recipe: Recipe) -> int:
    """The smallest side of square crops, from SIDE on, that the recipe's network takes."""
    architecture = family(recipe.family)
    with torch.device("meta"):  # no weights
        rule = architecture.Net(architecture.variants[recipe.variant]).size
    if "fixed" in rule:
        return int(rule["fixed"][0])
    multiple = int(rule.get("multiple_of", 1))
    return -(-SIDE // multiple) * multiple


def _shared(stages: Sequence[Stage], steps: int) -> list[int]:
    """Steps of each stage: at least one, in the proportion of their own lengths."""
    if not stages:
        return []
    lengths = [_length(stage) for stage in stages]
    if len({unit for unit, _ in lengths}) > 1:
        raise OptionsError("stages measured in different units cannot be cut to pictures")
    total = sum(length for _, length in lengths)
    counts = [max(1, round(steps * length / total)) for _, length in lengths]
    counts[counts.index(max(counts))] += steps - sum(counts)  # rounding, at the longest's cost
    return counts


def _length(stage: Stage) -> tuple[str, float]:
    schedule = stage.schedule or Schedule()
    for unit in ("minutes", "epochs"):
        length = getattr(schedule, unit)
        if length is not None:
            return unit, length
    return "steps", schedule.steps
