"""A network as a file has it: checkpoint, ONNX or safetensors in, one value out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from safetensors import SafetensorError, safe_open
from torch import Tensor

from retint.errors import InputError, ModelError
from retint.train import checkpoint

NO_NETWORK = "no network to be rebuilt from (it was exported by another program, or an old retint)"


@dataclass(frozen=True)
class Network:
    """A network's family, sizes and weights, and what a card can say of it.

    config: the family's Config as plain values. state: every parameter and buffer by its name in
    the module.
    """

    family: str
    config: dict[str, Any]
    state: dict[str, Tensor]
    card: dict[str, Any]


def read(path: Path) -> Network:
    """The network in an .onnx or .safetensors that retint wrote, else in a training's checkpoint
    (its averaged weights). InputError or ModelError where there is none."""
    if path.suffix == ".onnx":
        return _from_onnx(path)
    if path.suffix == ".safetensors":
        return _from_safetensors(path)
    return _from_checkpoint(path)


def state_of(path: Path) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    """Family, Config's values and state dict (single precision) of the network in a file, so that
    a training can start from it; errors as for `read`."""
    network = read(path)
    return network.family, network.config, network.state


def _from_checkpoint(path: Path) -> Network:
    state = checkpoint.load(path)
    if missing := {"recipe", "config", "ema", "step", "seconds"} - state.keys():
        raise InputError(f"{path}: not a training's checkpoint (no {', '.join(sorted(missing))})")
    recipe = state["recipe"]
    card = {
        "license": "MIT",
        "weights_license": "see data",
        **recipe.get("card", {}),
        "recipe": recipe["name"],
        "trained": f"{state['step']:,} steps of {recipe['optimiser']['batch']} pictures at "
        f"{recipe['data']['sizes'][0]} pixels, {state['seconds'] / 60:.0f} minutes",
    }
    if "subject.weight" in state["ema"]:
        card["subjects"] = state["classes"]
    return Network(recipe["family"], _tupled(state["config"]), state["ema"], card)


def _from_onnx(path: Path) -> Network:
    try:
        model = onnx.load(path)
    except (OSError, DecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    held = [*model.graph.initializer]
    for info in model.training_info:
        held += info.algorithm.initializer
    state = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in held}
    return _described(path, {p.key: p.value for p in model.metadata_props}, state)


def _from_safetensors(path: Path) -> Network:
    try:
        with safe_open(path, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return _described(path, file.metadata() or {}, state)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def _described(path: Path, metadata: Mapping[str, str], state: dict[str, Tensor]) -> Network:
    if not {"retint.card", "retint.config"} <= metadata.keys():
        raise ModelError(f"{path}: {NO_NETWORK}")
    card, config = json.loads(metadata["retint.card"]), json.loads(metadata["retint.config"])
    single = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    return Network(card["family"], _tupled(config), single, card)


def _tupled(value: Any) -> Any:
    """Plain values with tuples for lists: JSON and TOML have none, Configs have."""
    if isinstance(value, dict):
        return {k: _tupled(v) for k, v in value.items()}
    return tuple(map(_tupled, value)) if isinstance(value, list | tuple) else value
