"""Float64 arithmetic finds what float32 rounding hides, and knows its own limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgenet.verify.exact import (
    check_arithmetic,
    float64_bound,
    logits_in_float64,
    own_constants,
    probes,
)
from edgenet.weights import LayerWeights, NetworkWeights

SHAPE = (1, 3, 4)
N = 5
SLOPE = 0.1
DRAW = np.random.Generator(np.random.PCG64(0))
WEIGHT = DRAW.standard_normal((12, 2)).astype(np.float32)
IMAGES = DRAW.integers(0, 256, (N, *SHAPE), dtype=np.uint8)
WEIGHTS = NetworkWeights(
    layers=(LayerWeights(name="layer", place="", kind="linear", weight=WEIGHT.T, bias=None),),
    others={},
)


def graph(*, batch: int | str = "N", kind: int = TensorProto.UINT8) -> onnx.ModelProto:
    """Return a linear layer with a leaking ReLU."""
    nodes = [
        helper.make_node("Cast", ["input"], ["pixels"], name="pixels", to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["pixels"], ["flat"], name="flat"),
        helper.make_node("MatMul", ["flat", "layer.weight"], ["sum"], name="sum"),
        helper.make_node("LeakyRelu", ["sum"], ["logits"], name="leak", alpha=SLOPE),
    ]
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", kind, [batch, *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 2])],
        [numpy_helper.from_array(WEIGHT, "layer.weight")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def by_hand(
    images: NDArray[np.uint8], slope: float = float(np.float32(SLOPE))
) -> NDArray[np.float64]:
    """Compute the same with NumPy in float64."""
    total = images.reshape(len(images), -1).astype(np.float64) @ WEIGHT.astype(np.float64)
    return np.where(total < 0, slope * total, total)


@pytest.mark.parametrize("batch", ["N", 1, 2, 8])
@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT])
def test_a_graph_is_computed_in_float64_whatever_its_batch_and_input(
    batch: int | str, kind: int
) -> None:
    """A fixed batch is filled up, and a file for targets without bytes is given floats."""
    found = logits_in_float64(graph(batch=batch, kind=kind), IMAGES)
    assert found.dtype == np.float64
    assert found.shape == (N, 2)
    np.testing.assert_allclose(found, by_hand(IMAGES), rtol=1e-14)


def test_a_graph_that_is_the_network_agrees_within_the_bound() -> None:
    """The bound is that of float64, ten million times below that of float32."""
    bound = float64_bound(12)
    assert bound < 1e-14
    check = check_arithmetic(graph(), IMAGES, [by_hand(IMAGES)], bound=bound)
    assert check.status == "ok", check.detail


@pytest.mark.parametrize("slope", [SLOPE * (1 + 1e-6), 0.1])
def test_a_slope_that_differs_by_a_millionth_is_found(slope: float) -> None:
    """Even 0.1 itself is not what the file holds, which is the float32 number next to it."""
    check = check_arithmetic(graph(), IMAGES, [by_hand(IMAGES, slope)], bound=float64_bound(12))
    assert check.status == "failed"
    assert "differ by" in check.detail


def test_it_is_enough_to_agree_with_one_way_of_rounding() -> None:
    """Attributes of an FP16 file are float32, its constants are not."""
    others = [by_hand(IMAGES, 0.2), by_hand(IMAGES)]
    check = check_arithmetic(graph(), IMAGES, others, bound=float64_bound(12))
    assert check.status == "ok"


def through_half(model: onnx.ModelProto) -> None:
    """Round a value to FP16 and back."""
    nodes = [
        helper.make_node("Cast", ["sum"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["half"], ["again"], to=TensorProto.FLOAT),
    ]
    model.graph.node[3].input[0] = "again"
    for node in reversed(nodes):
        model.graph.node.insert(3, node)


def infinite(model: onnx.ModelProto) -> None:
    """Make a logit infinite."""
    values = WEIGHT.copy()
    values[0, 0] = np.inf
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "layer.weight"))


def third_logit(model: onnx.ModelProto) -> None:
    """Give more logits than there are classes."""
    values = np.concatenate([WEIGHT, WEIGHT[:, :1]], axis=1)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "layer.weight"))


def at_odds(model: onnx.ModelProto) -> None:
    """Let shapes contradict each other."""
    values = numpy_helper.from_array(WEIGHT[:5], "layer.weight")
    model.graph.initializer[0].CopyFrom(values)


@pytest.mark.parametrize("fault", [through_half, infinite, third_logit, at_odds])
def test_a_fault_of_the_graph_fails_the_check(fault: Callable[[onnx.ModelProto], None]) -> None:
    """With a row that says what happened, and never an exception."""
    model = graph()
    fault(model)
    check = check_arithmetic(model, IMAGES, [by_hand(IMAGES)], bound=float64_bound(12))
    assert check.status == "failed"
    assert check.detail


def test_an_operator_that_the_reference_lacks_is_not_a_failure() -> None:
    """A foreign operator says nothing of the network, so the row says that it did not run."""
    model = graph()
    model.graph.node[3].op_type, model.graph.node[3].domain = "FusedThing", "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    check = check_arithmetic(model, IMAGES, [by_hand(IMAGES)], bound=float64_bound(12))
    assert check.status == "not run", check.detail
    assert "FusedThing" in check.detail


def test_numbers_that_the_checkpoint_does_not_hold_are_counted() -> None:
    """Each may be rounded once; those that any format holds exactly are not among them."""
    model = graph()
    assert own_constants(model, WEIGHTS) == {"leak.alpha": np.float32(SLOPE)}
    model.graph.node[3].attribute[0].f = 0.5
    assert not own_constants(model, WEIGHTS)
    assert list(own_constants(model, NetworkWeights(layers=(), others={}))) == ["layer.weight"]
    assert float64_bound(12, 2) == pytest.approx(2 * 2.0**-24)
    assert float64_bound(12, 2, "fp16") == pytest.approx(2 * 2.0**-11)


def test_probes_reach_borders_and_both_ends_of_the_range() -> None:
    """The golden pictures may all have black borders, and so say nothing of padding."""
    golden = np.zeros((30, 1, 28, 28), np.uint8)
    golden[:, :, 10:18, 10:18] = 200
    found = probes(golden)
    assert found.dtype == np.uint8
    assert found.shape[1:] == golden.shape[1:]
    assert (found[:, :, 0, :].max(axis=(1, 2)) > 0).any()
    assert {int(found.min()), int(found.max())} == {0, 255}
    np.testing.assert_array_equal(found, probes(golden))
    assert len(probes(golden[:1])) < len(found)


def test_a_number_that_neither_checkpoint_nor_code_has_fails_unseen() -> None:
    """A limit that no picture reaches leaves every logit as it was."""
    bound = float64_bound(12)
    check = check_arithmetic(
        graph(), IMAGES, [by_hand(IMAGES)], bound=bound, strangers=("the graph uses 6 at limit",)
    )
    assert check.status == "failed"
    assert "uses 6 at limit: neither" in check.detail


def test_what_no_logit_depends_on_is_not_computed() -> None:
    """Older exporters leave nodes that took minutes here; nothing of the answer is theirs."""
    model = graph()
    absent = helper.make_node("FusedThing", ["flat"], ["unread"], domain="com.example")
    model.graph.node.insert(2, absent)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    np.testing.assert_allclose(logits_in_float64(model, IMAGES), by_hand(IMAGES), rtol=1e-14)
