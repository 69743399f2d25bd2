"""From a checkpoint to a network that runs anywhere: ONNX with its card inside, checked against
the original."""

import hashlib
import json
import tempfile
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tomli_w
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from retint.errors import InputError, ModelError, OptionsError
from retint.hub import Card
from retint.models import family
from retint.train import checkpoint

OPSET = 17
PARITY = 0.01  # Lab units: the most that an exported network may differ from the original
SIZES = (
    (1, 64, 96),
    (3, 96, 64),
    (2, 32, 160),
)  # n, h, w tried for parity, in units the size rule allows


class Exported(nn.Module):
    """The face that every exported network has: L* in, ab and confidence out, all of one size."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, L: Tensor) -> tuple[Tensor, Tensor]:
        return self.net.predict(L)  # type: ignore[operator]


def export(
    source: Path,
    folder: Path,
    *,
    name: str,
    version: str,
    about: Mapping[str, Any] | None = None,
    working_size: int = 256,
    changes: Sequence[str] = (),
) -> tuple[Path, float]:
    """Write `folder`/NAME.onnx and NAME.toml from the averaged weights of the checkpoint `source`.

    about: what the card says beyond the recipe's own `[card]`: figures, say.
    changes: of the family's Config, where it matters at use alone, as "gain=1.2" (OptionsError for
    what the Config does not have).
    Weights are rounded to half precision in the file, computed in single. Returns the path and the
    largest difference
    of ab to the original with the same rounded weights, Lab units; ModelError where that is above
    PARITY.
    """
    state = checkpoint.load(source)
    if missing := {"recipe", "config", "ema", "step", "seconds"} - state.keys():
        raise InputError(f"{source}: not a training's checkpoint (no {', '.join(sorted(missing))})")
    recipe = state["recipe"]
    architecture = family(recipe["family"])
    config = _changed(architecture.Config(**state["config"]), changes)
    net = architecture.Net(config)
    net.load_state_dict(
        {k: v.half().float() if v.is_floating_point() else v for k, v in state["ema"].items()}
    )
    exported = Exported(net).eval()
    graph = _halved(_graph(exported))
    values: dict[str, Any] = {
        "license": "MIT",
        "weights_license": "see data",
        **recipe.get("card", {}),
        **(about or {}),
        "name": name,
        "version": version,
        "family": recipe["family"],
        "parameters": sum(p.numel() for p in net.parameters()),
        "size": {"multiple_of": architecture.MULTIPLE_OF},
        "working_size": working_size,
        "recipe": recipe["name"],
        "trained": f"{state['step']:,} steps of {recipe['optimiser']['batch']} pictures at "
        f"{recipe['data']['sizes'][0]} pixels, {state['seconds'] / 60:.0f} minutes",
    }
    card = Card.from_dict(values, name)
    plain = {k: v for k, v in card.to_dict().items() if v not in ("", [], {}) or k == "size"}
    helper.set_model_props(graph, {"retint.card": json.dumps(plain)})
    onnx.checker.check_model(graph)
    data = graph.SerializeToString()
    difference = _difference(exported, data)
    if not difference <= PARITY:
        raise ModelError(f"{name}: exported colours differ by {difference:.3f} Lab units")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.onnx"
    target.write_bytes(data)
    plain["sha256"] = hashlib.sha256(data).hexdigest()
    target.with_suffix(".toml").write_text(tomli_w.dumps(plain, multiline_strings=True), "utf-8")
    return target, difference


def _changed(config: Any, changes: Sequence[str]) -> Any:
    values = vars(config).copy()
    for change in changes:
        key, _, value = change.partition("=")
        if key not in values:
            raise OptionsError(f"{change}: the network has {', '.join(values)}")
        try:
            values[key] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError as error:
            raise OptionsError(f"{change}: {error}") from None
    return type(config)(**values)


def about(path: Path) -> dict[str, Any]:
    """Texts of a card from a TOML file. InputError where it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None


def _graph(exported: nn.Module) -> onnx.ModelProto:
    every = {0: "n", 2: "h", 3: "w"}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        path = Path(folder, "network.onnx")
        torch.onnx.export(
            exported,
            (torch.rand(1, 1, 64, 96) * 100,),
            path,
            input_names=["L"],
            output_names=["ab", "confidence"],
            dynamic_axes={"L": every, "ab": every, "confidence": every},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter needs a further package and says nothing more
        )
        return onnx.load(path)


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the large weights in half precision, with a cast that the runtime folds when it loads
    the file."""
    graph = model.graph
    casts: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        values, single = numpy_helper.to_array(tensor).astype(np.float16), tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values, f"{single}.half"))
        casts.append(helper.make_node("Cast", [f"{single}.half"], [single], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


@torch.no_grad()
def _difference(exported: nn.Module, data: bytes) -> float:
    """Largest difference of ab between the module and its export, in Lab units."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    worst = 0.0
    random = torch.Generator().manual_seed(0)
    for n, h, w in SIZES:
        L = nn.functional.interpolate(
            torch.rand(n, 1, 8, 8, generator=random) * 100, size=(h, w), mode="bilinear"
        )
        ab = exported(L)[0].numpy()
        worst = max(worst, float(np.abs(session.run(["ab"], {"L": L.numpy()})[0] - ab).max()))
    return worst
