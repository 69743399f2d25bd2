"""The formats a network is written in; each carries the card and the Config in itself."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from retint.export import graph
from retint.export.graph import Exported
from retint.export.network import state_of
from retint.export.parity import Runner, allowed, given
from retint.models import build

LEAST = 3
"""torch.export: a side is at least so many times the size rule's multiple, so that no map of
features has a side of one, for which it would make a special case."""


@dataclass(frozen=True)
class Format:
    """A way to write a network.

    ending: of the file, after the model's name. half: weights are rounded to half precision.
    write: takes the network, its rule on sizes, texts for the metadata and the path.
    read: how the file is run. least: multiples of the rule that a side has at least.
    """

    ending: str
    write: Callable[[nn.Module, Mapping[str, Any], Mapping[str, str], Path], None]
    read: Callable[[Path], Runner]
    half: bool = True
    least: int = 1


def round_weights(net: nn.Module) -> None:
    """Round weights of two and more dimensions to half precision, in place; they stay single.

    What a channel has one of (biases, norms) stays as it is: together they are small.
    """
    with torch.no_grad():
        for weight in _large(net).values():
            weight.copy_(weight.half())


def _large(net: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in net.named_parameters() if p.ndim >= 2}


def example(net: nn.Module, rule: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """What to trace a network with: pictures of sizes that no layer could take for something
    else, and what else it takes."""
    return given(net, torch.rand(2, 1, *allowed(150, 220, rule)) * 100)


def onnx_single(net: nn.Module, rule: Mapping[str, Any]) -> onnx.ModelProto:
    """The ONNX graph with weights in single precision."""
    return graph.trace(Exported(net), example(net, rule), fixed="fixed" in rule)


def _write_onnx(
    net: nn.Module, rule: Mapping[str, Any], texts: Mapping[str, str], path: Path
) -> None:
    model = onnx_single(net, rule)
    graph.halve(model, set(_large(net)))
    save_onnx(model, texts, path)


def _write_onnx_fp32(
    net: nn.Module, rule: Mapping[str, Any], texts: Mapping[str, str], path: Path
) -> None:
    save_onnx(onnx_single(net, rule), texts, path)


def save_onnx(model: onnx.ModelProto, texts: Mapping[str, str], path: Path) -> None:
    """Write a checked graph with these texts in its metadata."""
    onnx.helper.set_model_props(model, dict(texts))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def read_onnx(path: Path) -> Runner:
    """The network in an .onnx, on the CPU."""
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    return lambda *shown: session.run(
        None, {name: x.numpy() for name, x in zip(names, shown, strict=True)}
    )


def _write_torchscript(
    net: nn.Module, rule: Mapping[str, Any], texts: Mapping[str, str], path: Path
) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # sizes become part of the trace, as they should
        traced = torch.jit.trace(Exported(net).eval(), example(net, rule), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files=dict(texts))


def _read_torchscript(path: Path) -> Runner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module: Any = torch.jit.load(str(path))
    return lambda *shown: _arrays(module(*shown))


def _write_torch_export(
    net: nn.Module, rule: Mapping[str, Any], texts: Mapping[str, str], path: Path
) -> None:
    n, h, w = (torch.export.Dim(name, min=1 if name == "n" else LEAST) for name in "nhw")
    multiple = rule.get("multiple_of", 1)
    sizes = {0: n} if "fixed" in rule else {0: n, 2: multiple * h, 3: multiple * w}
    exported = Exported(net).eval()
    shapes = tuple({0: n} if name == "tilt" else sizes for name in exported.inputs)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            exported, example(net, rule), dynamic_shapes={"given": shapes}
        )
        torch.export.save(program, path, extra_files=dict(texts))


def _read_torch_export(path: Path) -> Runner:
    module: Any = torch.export.load(path).module()
    return lambda *shown: _arrays(module(*shown))


def _write_safetensors(
    net: nn.Module, rule: Mapping[str, Any], texts: Mapping[str, str], path: Path
) -> None:
    large = _large(net).keys()
    state = {k: v.half() if k in large else v for k, v in net.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, path, dict(texts))


def _read_safetensors(path: Path) -> Runner:
    family, config, state = state_of(path)
    net: Any = build(family, config).eval()
    net.load_state_dict(state)
    return lambda *shown: _arrays(Exported(net)(*shown))


def _arrays(found: tuple[Tensor, ...]) -> tuple[np.ndarray, ...]:
    return tuple(x.detach().numpy() for x in found)


FORMATS = {
    "onnx": Format(".onnx", _write_onnx, read_onnx),
    "onnx-fp32": Format("-fp32.onnx", _write_onnx_fp32, read_onnx, half=False),
    "torchscript": Format(".torchscript", _write_torchscript, _read_torchscript),
    "torch-export": Format(".pt2", _write_torch_export, _read_torch_export, least=LEAST),
    "safetensors": Format(".safetensors", _write_safetensors, _read_safetensors),
}
"""By the word for it on the command line; int8 is made from ONNX, by `quantize`."""
