"""Computing what is stored already, and leaving weights as they are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgenet.export.onnx_fold import MAX_COMPUTED_ELEMENTS, fold_constants

NODES = {
    "pads": [
        helper.make_node(
            "ConstantOfShape", ["four"], ["zeros"], value=numpy_helper.from_array(np.array([0]))
        ),
        helper.make_node("Concat", ["widths", "zeros"], ["pads"], axis=0),
        helper.make_node("Pad", ["input", "pads"], ["logits"]),
    ],
    "copy": [
        helper.make_node("Identity", ["weight"], ["other"]),
        helper.make_node("Mul", ["input", "other"], ["between"]),
        helper.make_node("Mul", ["between", "weight"], ["logits"]),
    ],
    "product": [
        helper.make_node("Mul", ["weight", "weight"], ["square"]),
        helper.make_node("Mul", ["input", "square"], ["logits"]),
    ],
    "random": [
        helper.make_node("RandomNormal", [], ["noise"], shape=[1, 2]),
        helper.make_node("Mul", ["input", "noise"], ["logits"]),
    ],
    "large": [
        helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
        helper.make_node("Gather", ["zeros", "widths"], ["picked"]),
        helper.make_node("Mul", ["input", "picked"], ["logits"]),
    ],
}
STORED: dict[str, NDArray[np.generic]] = {
    "four": np.array([0], np.int64),
    "widths": np.array([0, 1, 0, 1], np.int64),
    "weight": np.array([[0.1, np.nextafter(0.1, 1)]], np.float32),
    "huge": np.array([MAX_COMPUTED_ELEMENTS + 1], np.int64),
}


def graph_of(case: str) -> onnx.ModelProto:
    """Return a model of some of the nodes, with the stored tensors that they read."""
    read = {name for node in NODES[case] for name in node.input}
    graph = helper.make_graph(
        NODES[case],
        case,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, name) for name, a in STORED.items() if name in read],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def stored(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    """Return the stored tensors."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_a_chain_that_makes_a_shape_becomes_a_stored_shape() -> None:
    """Parsers of boards want the widths of a padding stored."""
    model = fold_constants(graph_of("pads"))
    assert [node.op_type for node in model.graph.node] == ["Pad"]
    values = stored(model)
    assert list(values) == ["pads"]
    np.testing.assert_array_equal(values["pads"], [0, 1, 0, 1])


def test_a_copy_of_a_weight_becomes_a_weight_of_its_own_bit_for_bit() -> None:
    """So that each layer has its own name in the file, as in the checkpoint."""
    model = fold_constants(graph_of("copy"))
    assert [node.op_type for node in model.graph.node] == ["Mul", "Mul"]
    values = stored(model)
    assert set(values) == {"weight", "other"}
    assert values["weight"].tobytes() == values["other"].tobytes() == STORED["weight"].tobytes()


@pytest.mark.parametrize("case", ["product", "random", "large"])
def test_what_is_no_small_integer_stays_a_node(case: str) -> None:
    """A weight stays the checkpoint's, noise stays noise, and nothing large is computed."""
    model = fold_constants(graph_of(case))
    assert [node.op_type for node in model.graph.node] == [node.op_type for node in NODES[case]]
