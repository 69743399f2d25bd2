"""The network that a recipe asks for, before its first step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retint.errors import OptionsError
from retint.layers import bins
from retint.models import family
from retint.train.batches import Batch
from retint.train.recipe import Film, Optimiser, Recipe
from retint.train.tasks import Truth

COUNTED = 32  # batches whose colours are counted to choose the bins


def build(
    recipe: Recipe,
    *,
    classes: Sequence[str],
    colours: Callable[[], Tensor],
    backbones: Path | None,
) -> Any:
    """A network of the recipe's family and variant, its encoder from a file where one is named.

    colours: gives ab of the corpus (m, 2), Lab units, from which the bins are counted. OptionsError
    for an unknown variant or key of `[model]`, or an encoder that is not in `backbones`.
    """
    architecture = family(recipe.family)
    if recipe.variant not in architecture.variants:
        known = ", ".join(architecture.variants)
        raise OptionsError(f"{recipe.family} has no variant {recipe.variant!r}: there are {known}")
    config = _configured(architecture.variants[recipe.variant], recipe, classes)
    if not hasattr(config, "bins"):
        net = architecture.Net(config)
    else:
        centres, prior = _counted(colours(), recipe)
        net = architecture.Net(replace(config, bins=len(centres)))
        net.set_bins(centres, prior)
    _check_sizes(net, recipe)
    if recipe.encoder:
        if backbones is None or not (backbones / recipe.encoder).is_file():
            raise OptionsError(
                f"the recipe starts from {recipe.encoder}: give its folder with --backbones, "
                "or train from scratch with --set encoder=''"
            )
        net.start_from(backbones / recipe.encoder)
    return net


def _check_sizes(net: Any, recipe: Recipe) -> None:
    """OptionsError for a size of crops that the network does not take."""
    multiple = net.size.get("multiple_of", 1)
    for side in recipe.data.sizes:
        if "fixed" in net.size and net.size["fixed"] != [side, side]:
            height, width = net.size["fixed"]
            raise OptionsError(f"data.sizes: {recipe.family} takes {height}x{width} only")
        if side % multiple:
            raise OptionsError(f"data.sizes: {recipe.family} takes multiples of {multiple}")


def rebuild(family_: str, config: dict[str, Any], state: Mapping[str, Tensor]) -> Any:
    """The network of a checkpoint, as it was."""
    architecture = family(family_)
    net = architecture.Net(architecture.Config(**config))
    net.load_state_dict(state)
    return net


def go_on_from(
    recipe: Recipe, config: dict[str, Any], state: Mapping[str, Tensor], classes: Sequence[str]
) -> Any:
    """A network with a model's weights, for other pictures.

    config: the model's Config, to which the recipe's `[model]` is added. Where the recipe learns
    subjects or hints, and the model knows none or others, that part begins anew. OptionsError where
    weights do not fit otherwise.
    """
    architecture = family(recipe.family)
    wanted = _configured(architecture.Config(**config), recipe, classes)
    net = architecture.Net(wanted)
    if getattr(wanted, "subjects", 0) != config.get("subjects", 0):
        state = {key: value for key, value in state.items() if not key.startswith("subject.")}
    try:
        missing = net.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        line = " ".join(str(error).split())[:200]
        raise OptionsError(f"[model]: the weights to start from do not fit: {line}") from None
    unknown = [key for key in missing if not key.startswith(("subject.", "told."))]
    if unknown:
        raise OptionsError(f"[model]: the weights to start from have no {unknown[0]}")
    return net


def _configured(config: Any, recipe: Recipe, classes: Sequence[str]) -> Any:
    """A family's Config with the recipe's `[model]` on top, and room for the subjects to learn."""
    unknown = [key for key in recipe.model if key not in vars(config)]
    if unknown:
        raise OptionsError(f"[model] {unknown[0]}: {recipe.family} has {', '.join(vars(config))}")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in recipe.model.items()}
    named = {term for stage in recipe.course for term in stage.loss}
    if named & {"subject", "distribution"} and hasattr(config, "subjects"):
        values["subjects"] = len(classes)
    return replace(config, **values)


def colours_drawn(batches: Callable[[int], Batch]) -> Tensor:
    """True ab (m, 2) of the first pictures drawn, as a network at a quarter of the size would learn
    them."""
    plain, random = Film(plain=1.0), torch.Generator()
    found: list[Tensor] = []
    for k in range(COUNTED):
        truth = Truth.developed(*batches(k), plain, random.manual_seed(k))
        found.append(truth.ab(truth.L[:, :, ::4, ::4]).movedim(1, -1).reshape(-1, 2))
    return torch.cat(found)


def _counted(ab: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """The bins of sRGB, or those that occur, and their shares."""
    if recipe.bins.colours == "gamut":
        centres = bins.in_gamut(recipe.bins.step)
        return centres, bins.histogram(ab, centres)
    centres = bins.grid(recipe.bins.step)
    share = bins.histogram(ab, centres)
    kept = share > recipe.bins.rarest
    return centres[kept], share[kept] / share[kept].sum()


def optimiser(net: Any, how: Optimiser, factor: float) -> torch.optim.Optimizer:
    """An optimiser of what is not frozen, the encoder at a rate of its own; each group's `peak` is
    the rate it falls from."""
    encoder = {id(p) for p in net.encoder.parameters()} if hasattr(net, "encoder") else set[int]()
    parameters = [p for p in net.parameters() if p.requires_grad]
    rates = (how.rate if how.encoder_rate is None else how.encoder_rate, how.rate)
    groups: list[dict[str, Any]] = []
    for inside, rate in zip((True, False), rates, strict=True):
        chosen = [p for p in parameters if (id(p) in encoder) == inside]
        if chosen:
            groups.append({"params": chosen, "peak": rate * factor})
    betas = (how.beta1, 0.999)
    decay = how.weight_decay
    match how.name:  # fused: each weight is read and written once a step
        case "adamw":
            return torch.optim.AdamW(groups, how.rate, betas, weight_decay=decay, fused=True)
        case "adam":
            return torch.optim.Adam(groups, how.rate, betas, fused=True)
        case "sgd":
            return torch.optim.SGD(
                groups, how.rate, how.momentum, weight_decay=decay, nesterov=how.momentum > 0,
                fused=True,
            )  # fmt: skip
