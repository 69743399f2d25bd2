"""Checkpoints that others published, as models that run here."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from retint import hub
from retint.errors import InputError, ModelError, OptionsError
from retint.export.network import Network
from retint.layers import weights
from retint.layers.published import Published
from retint.models import family

SHOWN = 8  # keys of each kind in a report, at most

RESTRICTED = re.compile(
    r"\bNC\b|non-?commercial|research|none stated|unknown|proprietary", re.IGNORECASE
)
"""What is in the names of licences that do not let everybody use the weights for anything."""


def variants(name: str) -> Mapping[str, Published]:
    """What is known of the weights that the authors of a family published, by variant."""
    return getattr(family(name), "published", {})


def read(
    name: str,
    path: Path,
    variant: str | None = None,
    *,
    card: Mapping[str, Any] | None = None,
    allowed: Sequence[str] = (),
) -> tuple[nn.Module, Network]:
    """The network of a family with the weights of its authors' checkpoint, for `export.write`.

    variant: by default the first of `variants`, else `default`. card: what its card says beyond
    what is known of the published weights; with a `weights_license` it is of other weights, and
    nothing is known of them. allowed: licences to be accepted though they do not
    let everybody use the weights for anything. InputError where the file holds no weights, or code;
    ModelError, which lists what is missing, unexpected or of another shape, where they are those of
    another network, or their licence is not allowed; OptionsError for an unknown variant, or where
    nobody says what their licence is.
    """
    architecture, known = family(name), variants(name)
    variant = variant or next(iter(known), "default")
    if variant not in architecture.variants:
        raise OptionsError(
            f"{name} has no variant {variant!r}: there are {', '.join(architecture.variants)}"
        )
    said: dict[str, Any] = {"license": "MIT", "working_size": 256}
    if variant in known and "weights_license" not in (card or {}):
        said |= known[variant].card()
    said |= card or {}
    _check_license(f"{name} {variant}", said.get("weights_license"), allowed)
    config = architecture.variants[variant]
    net: nn.Module = architecture.Net(config)
    state = architecture.from_foreign(weights.read(path))
    net.load_state_dict(_fitted(state, net.state_dict(), f"{path}: not {name} {variant}"))
    said["trained"] = f"elsewhere; imported from {path.name}, sha256 {hub.sha256(path)}"
    return net, Network(name, dict(vars(config)), net.state_dict(), said)


def _check_license(what: str, license: str | None, allowed: Sequence[str]) -> None:
    if not license:
        raise OptionsError(f"{what}: say what may be done with the weights: --weights-license")
    if RESTRICTED.search(license) and license not in allowed:
        raise ModelError(
            f"{what}: the licence of these weights is {license!r}, which does not let everybody use"
            f" them for anything; if it lets you: --allow-license {license!r}"
        )


def _fitted(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], complaint: str
) -> Mapping[str, Tensor]:
    """The state, once every key and shape is the network's own; `complaint` begins the report."""
    # older versions of torch did not count batches
    counters = {k: v for k, v in own.items() if k.endswith("num_batches_tracked")}
    state = {**counters, **state}
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    report = {
        "missing": [k for k in own if k not in state],
        "unexpected": [k for k in state if k not in own],
        "of another shape": [
            f"{k}, {shapes[k]} and not {tuple(own[k].shape)}"
            for k in own
            if k in state and shapes[k] != tuple(own[k].shape)
        ],
    }
    found = {kind: keys for kind, keys in report.items() if keys}
    if found:
        counts = ", ".join(f"{len(keys)} {kind}" for kind, keys in found.items())
        lines = [f"{complaint} ({counts} of {len(own)} weights)"]
        for kind, keys in found.items():
            lines += [f"  {kind}: {key}" for key in keys[:SHOWN]]
            lines += [f"  {kind}: and {len(keys) - SHOWN} more"] * (len(keys) > SHOWN)
        raise ModelError("\n".join(lines))
    if any(not value.isfinite().all() for value in state.values()):
        raise InputError(f"{complaint} (some of its numbers are not finite)")
    return state
