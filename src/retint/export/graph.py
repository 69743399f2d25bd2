"""From a module to an ONNX graph: every weight under its own name, nothing computed that is already
known."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

OPSET = 17
SINGLE = ".single"  # after the name of a weight: the same in single precision


class Exported(nn.Module):
    """The face that every exported network has; see `layers.faces.Face`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        names = self.inputs
        return self.net.predict(**dict(zip(names, given, strict=True)))  # type: ignore[operator]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what the network is given; of a module that does not say, L* alone."""
        return getattr(self.net, "inputs", ("L",))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what it gives."""
        return getattr(self.net, "outputs", ("ab", "confidence"))


def trace(exported: Exported, example: tuple[Tensor, ...], *, fixed: bool = False) -> ModelProto:
    """The graph of a network in evaluation mode, for any batch and any size its rule allows
    (`fixed`: the example's alone).

    Initialisers are the network's parameters and buffers under their names in its state dict;
    those that only training needs lie in `training_info`. Batch norm is not folded: the runtime
    does that when it loads the file.
    """
    model = _exported(exported, example, fixed)
    _fold_constants(model)
    _name_weights(model, exported.net)
    return model


def halve(model: ModelProto, names: set[str]) -> None:
    """Store these weights in half precision, with a cast that the runtime folds when it loads the
    file."""
    graph = model.graph
    casts: list[NodeProto] = []
    for tensor in graph.initializer:
        if tensor.name in names:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
            casts.append(
                helper.make_node(
                    "Cast", [tensor.name], [tensor.name + SINGLE], to=TensorProto.FLOAT
                )
            )
    halved = {cast.input[0] for cast in casts}
    for node in graph.node:
        for k, name in enumerate(node.input):
            if name in halved:
                node.input[k] = name + SINGLE
    _set_nodes(model, [*casts, *graph.node])


def _exported(exported: Exported, example: tuple[Tensor, ...], fixed: bool) -> ModelProto:
    inputs, outputs = exported.inputs, exported.outputs
    every = {0: "n"} if fixed else {0: "n", 2: "h", 3: "w"}
    # one picture may have several tilts, and then as many colourings
    axes = {"subject": {0: "n"}, "tilt": {0: "m"}}
    if "tilt" in inputs:
        axes |= {name: {**every, 0: "m"} for name in ("ab", "confidence")}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        path = Path(folder, "network.onnx")
        torch.onnx.export(
            exported.eval(),
            example,
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: axes.get(name, every) for name in (*inputs, *outputs)},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter needs further packages and folds batch norm
            # three that leave the weights as they are: not folded, not computed, not merged
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            keep_initializers_as_inputs=True,
        )
        model = onnx.load(path)
    given = [value for value in model.graph.input if value.name in inputs]
    del model.graph.input[:]
    model.graph.input.extend(given)
    return model


def _fold_constants(model: ModelProto) -> None:
    """Compute what depends on constants alone, and keep each value once; weights are no constants
    here."""
    known: dict[str, np.ndarray] = {}
    rest: list[NodeProto] = []
    for node in model.graph.node:
        if all(name in known for name in node.input if name):
            found = ReferenceEvaluator(node).run(None, {k: known[k] for k in node.input if k})
            known |= zip(node.output, map(np.asarray, found), strict=True)
        else:
            rest.append(node)
    named: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    constants: list[NodeProto] = [
        helper.make_node("Constant", [], [out.name], value=numpy_helper.from_array(known[out.name]))
        for out in model.graph.output
        if out.name in known
    ]
    for node in rest:
        for k, name in enumerate(node.input):
            if name not in known:
                continue
            value = known[name]
            key = value.dtype.str, value.shape, value.tobytes()
            if key not in named:
                named[key] = name
                tensor = numpy_helper.from_array(value)
                constants.append(helper.make_node("Constant", [], [name], value=tensor))
            node.input[k] = named[key]
    _set_nodes(model, [*constants, *rest])


def _name_weights(model: ModelProto, net: nn.Module) -> None:
    """Initialisers by the names of the network's state dict, not those of the face around it."""
    graph = model.graph
    for tensor in graph.initializer:
        tensor.name = tensor.name.removeprefix("net.")
    for node in graph.node:
        for k, name in enumerate(node.input):
            node.input[k] = name.removeprefix("net.")
    used = {tensor.name for tensor in graph.initializer}
    unused = {name: value for name, value in net.state_dict().items() if name not in used}
    if unused:
        algorithm = model.training_info.add().algorithm
        algorithm.name = "training"
        for name, value in unused.items():
            algorithm.initializer.append(numpy_helper.from_array(value.numpy(), name))


def _set_nodes(model: ModelProto, nodes: list[NodeProto]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)
