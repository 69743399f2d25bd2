"""Weights of published encoders, from a local file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from retint.errors import InputError

WRAPPINGS = ("state_dict", "model", "params")
"""Keys under which files of torch keep the weights, beside other things."""


def read(path: Path) -> dict[str, Tensor]:
    """Weights of a safetensors file, or of one that torch.save wrote; in single precision.

    Of torch's files tensors and plain values are read, never code. InputError where the file is
    neither, or holds something else.
    """
    try:
        found: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        if code := re.search(r"Unsupported \w+: (?:GLOBAL )?(\S+)", str(error)):
            raise InputError(
                f"{path}: refused, since it holds code ({code[1]}); tensors and plain values are"
                " read, and nothing else"
            ) from None
        raise InputError(f"{path}: no weights ({str(error).splitlines()[0]})") from None
    while isinstance(found, Mapping) and (inner := [k for k in WRAPPINGS if k in found]):
        found = found[inner[0]]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise InputError(f"{path}: no weights (something else is in it)")
    return {
        key.removeprefix("module."): value.float() if value.is_floating_point() else value
        for key, value in found.items()
    }


def load(
    module: nn.Module, state: Mapping[str, Tensor], path: Path, what: str, *, partial: bool = False
) -> None:
    """Give a module those of the weights `state` that have its names; others are left aside.

    partial: what `state` lacks stays as it is, but something must be there. InputError, which says
    that `path` is not `what`, for a weight that is missing or of another shape. A counter of
    batches may always be missing.
    """
    own = module.state_dict()
    taken = {key: state[key] for key in own if key in state}
    lacking = [k for k in own if k not in taken and not k.endswith("num_batches_tracked")]
    if lacking and not (partial and taken):
        raise InputError(f"{path}: no {what} ({lacking[0]} is missing)")
    for key, value in taken.items():
        if value.shape != own[key].shape:
            theirs, ours = tuple(value.shape), tuple(own[key].shape)
            raise InputError(f"{path}: no {what} ({key} is {theirs}, not {ours})")
    module.load_state_dict(taken, strict=False)
