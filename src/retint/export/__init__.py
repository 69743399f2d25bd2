"""From a checkpoint to a network that runs anywhere, its card inside, checked against the original;
and back to weights that a training can start from."""

import copy
import json
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import tomli_w
from torch import nn

from retint.errors import InputError, ModelError, OptionsError
from retint.export import quantize
from retint.export.formats import FORMATS, round_weights, save_onnx
from retint.export.graph import Exported
from retint.export.joined import mixed, routed, soup
from retint.export.network import Network, read, state_of
from retint.export.parity import PARITY, difference
from retint.export.quantize import Coarseness
from retint.hub import Card, sha256
from retint.models import build, family

__all__ = [
    "KINDS", "PARITY", "Written", "about", "export", "mixed", "read", "routed", "soup", "state_of",
    "write"
]  # fmt: skip

INT8 = "onnx-int8"
KINDS = ("onnx", "onnx-fp32", INT8, "torchscript", "torch-export", "safetensors")
"""The formats, by the words for them on the command line."""


@dataclass(frozen=True)
class Written:
    """A file that was written, and how far its colours are from the original's.

    difference: largest of a* and b*, Lab units, against the same rounded weights. coarseness: what
    eight bits cost, where there are eight.
    """

    path: Path
    format: str
    difference: float
    coarseness: Coarseness | None = None


def export(
    sources: Sequence[Path],
    folder: Path,
    *,
    name: str,
    version: str,
    formats: Sequence[str] = ("onnx",),
    about: Mapping[str, Any] | None = None,
    working_size: int = 256,
    changes: Sequence[str] = (),
    calibration: Path | None = None,
    join: Callable[[Sequence[Network]], Network] = mixed,
) -> list[Written]:
    """Write a model in each of `formats` (of `KINDS`) from a checkpoint (its averaged weights), or
    from a model that was exported.

    join: what becomes of the sources; several are averaged where nothing else is asked for.

    about: what the card says beyond the recipe's own `[card]`: figures, say.
    changes: of the family's Config, where it matters at use alone, as "gain=1.2" (OptionsError for
    what the Config does not have).
    calibration: pictures for onnx-int8 (OptionsError where they are missing).
    Errors else: InputError and ModelError for the sources, and as for `write`.
    """
    if INT8 in formats and calibration is None:
        raise OptionsError(f"{INT8} needs pictures to calibrate with: --calibration FOLDER")
    networks = [_changed(read(source), changes) for source in sources]
    network = join(networks)
    said = {"version": version, "working_size": working_size}
    network = replace(network, card={**network.card, **(about or {}), **said, "name": name})
    net = build(network.family, network.config)
    try:
        net.load_state_dict(network.state)
    except RuntimeError as error:
        line = " ".join(str(error).split())[:300]
        raise ModelError(f"{sources[0]}: not the weights of its own network: {line}") from None
    return write(net, network, folder, formats, calibration)


def write(
    net: nn.Module,
    network: Network,
    folder: Path,
    formats: Sequence[str] = ("onnx",),
    calibration: Path | None = None,
) -> list[Written]:
    """Write `net`, any module with `predict(L) -> (ab, confidence)` and `size`, the card's rule, in
    each of these formats; one that takes or gives more says so as `layers.faces.Face` does.

    network: its family, Config and card (name, version, working_size, and what else is known).
    Files are `folder`/NAME and the format's ending; an .onnx gets a .toml beside it. ModelError,
    and no file, where the colours differ from the original's by more than PARITY (eight bits may).
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_written(copy.deepcopy(net).eval(), network, folder, f, calibration) for f in formats]


def about(path: Path) -> dict[str, Any]:
    """Texts of a card from a TOML file. InputError where it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None


def _written(
    net: nn.Module, network: Network, folder: Path, kind: str, calibration: Path | None
) -> Written:
    rule: dict[str, Any] = dict(net.size)  # type: ignore[arg-type]
    form = FORMATS["onnx-fp32" if kind == INT8 else kind]
    ending = "-int8.onnx" if kind == INT8 else form.ending
    name = network.card["name"] + ending.removesuffix(".onnx").partition(".")[0]
    values = {
        **network.card,
        "name": name,
        "family": network.family,
        "parameters": sum(p.numel() for p in net.parameters()),
        "size": {} if rule.get("multiple_of") == 1 else rule,
        "hints": "hints" in Exported(net).inputs,
    }
    if form.half:
        round_weights(net)
    target = folder / f"{network.card['name']}{ending}"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch, target.name)
        if kind == INT8:
            assert calibration is not None
            lightness = quantize.lightness(calibration, rule, network.card["working_size"])
            model, coarseness = quantize.quantized(net, rule, lightness)
            values["figures"] = {**values.get("figures", {}), "int8": _figures(coarseness)}
            plain = _plain(values)
            save_onnx(model, _texts(plain, network.config), made)
            off = coarseness.worst
        else:
            plain, coarseness = _plain(values), None
            form.write(net, rule, _texts(plain, network.config), made)
            off = difference(net, form.read(made), rule, form.least)
            if not off <= PARITY:
                raise ModelError(f"{name}: colours in {kind} differ by {off:.3f} Lab units")
        if target.suffix == ".onnx":
            text = tomli_w.dumps({**plain, "sha256": sha256(made)}, multiline_strings=True)
            target.with_suffix(".toml").write_text(text, "utf-8")
        made.replace(target)
    return Written(target, kind, off, coarseness)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A card's values, checked, without what says nothing."""
    card = Card.from_dict(values, values["name"]).to_dict()
    return {k: v for k, v in card.items() if v not in ("", [], {}) or k == "size"}


def _texts(card: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """What a file says of itself, whatever its format."""
    return {"retint.card": json.dumps(card), "retint.config": json.dumps(config)}


def _figures(coarseness: Coarseness) -> dict[str, float]:
    return {
        "pictures": coarseness.pictures,
        "mean_dab": round(coarseness.mean, 3),
        "max_dab": round(coarseness.worst, 2),
    }


def _changed(network: Network, changes: Sequence[str]) -> Network:
    config = dict(network.config)
    # what an older file does not say yet can be said too
    known = [field.name for field in fields(family(network.family).Config)]
    for change in changes:
        key, _, value = change.partition("=")
        if key not in known:
            raise OptionsError(f"{change}: the network has {', '.join(known)}")
        try:
            given = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError as error:
            raise OptionsError(f"{change}: {error}") from None
        config[key] = tuple(given) if isinstance(given, list) else given
    return replace(network, config=config)
