"""A network that follows the colours it is given, drawn by hand: as far as things go on alike."""

import json
from pathlib import Path

CARD = {
    "name": "hinted",
    "version": "1",
    "family": "neighbours",
    "license": "MIT",
    "weights_license": "MIT",
    "parameters": 0,
    "size": {},
    "working_size": 128,
    "hints": True,
    "description": "Spreads the colours given over what is near and as light, for tests",
    "not_for": "anything but tests",
}

NEAR = 49
"""Pixels across the window in which a hint is followed."""


def save_hinted(path: Path) -> Path:
    """Write the .onnx: it takes L, hints and a tilt.

    ab is (4, 14) where no hint is in the window, and else goes over to the hints' mean there, the
    more the closer L is to theirs. A tilt moves what no hint holds.
    """
    from onnx import TensorProto, checker, helper, save

    def tensor(name: str, *shape: str | int):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def constant(name: str, *values: float, shape: tuple[int, ...] = ()):
        return helper.make_tensor(name, TensorProto.FLOAT, shape, values)

    def integers(name: str, *values: int):
        return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)

    node = helper.make_node
    nodes = [
        node("Split", ["hints", "two_and_one"], ["given", "mask"], axis=1),
        node("Mul", ["L", "mask"], ["lit"]),
        node("Concat", ["given", "mask", "lit"], ["told"], axis=1),
        node("AveragePool", ["told"], ["pooled"], kernel_shape=[NEAR, NEAR],
             pads=[NEAR // 2] * 4, count_include_pad=1),
        node("Split", ["pooled", "two_one_one"], ["sum_ab", "share", "sum_L"], axis=1),
        node("Max", ["share", "least"], ["some"]),
        node("Div", ["sum_ab", "some"], ["near_ab"]),
        node("Div", ["sum_L", "some"], ["near_L"]),
        node("Greater", ["share", "least"], ["is_near"]),
        node("Cast", ["is_near"], ["near"], to=TensorProto.FLOAT),
        node("Sub", ["L", "near_L"], ["off"]),
        node("Div", ["off", "eight"], ["off_by_8"]),
        node("Mul", ["off_by_8", "off_by_8"], ["square"]),
        node("Neg", ["square"], ["negative"]),
        node("Exp", ["negative"], ["alike"]),
        node("Mul", ["near", "alike"], ["weight"]),
        node("Unsqueeze", ["tilt", "last_two"], ["lean"]),
        node("Mul", ["lean", "far"], ["leaning"]),
        node("Add", ["leaning", "plain"], ["guess"]),
        node("Sub", ["near_ab", "guess"], ["change"]),
        node("Mul", ["weight", "change"], ["changed"]),
        node("Add", ["guess", "changed"], ["ab"]),
        node("ReduceSum", ["lean", "second"], ["leans"], keepdims=1),
        node("Mul", ["leans", "nothing"], ["zeros"]),
        node("Mul", ["weight", "half"], ["surer"]),
        node("Add", ["surer", "third"], ["sure"]),
        node("Add", ["sure", "zeros"], ["confidence"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "hinted",
        inputs=[
            tensor("L", "n", 1, "height", "width"),
            tensor("hints", "n", 3, "height", "width"),
            tensor("tilt", "m", 2),
        ],
        outputs=[
            tensor("ab", "m", 2, "height", "width"),
            tensor("confidence", "m", 1, "height", "width"),
        ],
        initializer=[
            integers("two_and_one", 2, 1),
            integers("two_one_one", 2, 1, 1),
            integers("last_two", 2, 3),
            integers("second", 1),
            constant("least", 0.5 / NEAR**2),
            constant("eight", 8),
            constant("far", 1000),
            constant("plain", 4, 14, shape=(1, 2, 1, 1)),
            constant("nothing", 0),
            constant("half", 0.5),
            constant("third", 1 / 3),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"retint.card": json.dumps(CARD)})
    checker.check_model(model)
    save(model, path)
    return path
