"""The lint of the INT8 form: each fault, put into a good file, is named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.export.onnx_weights import weights_of
from edgenet.verify.qdq import Rule, quantized_layers, violations, weight_violations
from tests.unit.compress.graphs import classifier, content, pictures

FILE = quantize(content(), pictures(), Scheme())
UINT8_FILE = quantize(content(), pictures(), Scheme(activations="uint8"))
AS_FP32_FILE = quantize(content(), pictures(), Scheme(), stored="fp32")


def change(graph: onnx.GraphProto, name: str, edit: Callable[..., object]) -> None:
    """Edit the numbers of a stored tensor, or replace them by what ``edit`` returns."""
    (tensor,) = [each for each in graph.initializer if each.name == name]
    values = numpy_helper.to_array(tensor).copy()
    result = edit(values)
    tensor.CopyFrom(numpy_helper.from_array(values if result is None else np.asarray(result), name))


def node(graph: onnx.GraphProto, name: str) -> onnx.NodeProto:
    """Return the node of that name."""
    found: onnx.NodeProto = next(each for each in graph.node if each.name == name)
    return found


def asymmetric(graph: onnx.GraphProto) -> None:
    """Give all activations the zero point 1."""
    change(graph, "zero_point", lambda zero: zero + np.int8(1))


def asymmetric_weight(graph: onnx.GraphProto) -> None:
    """Give one output channel of one layer a zero point."""
    change(graph, "hidden.weight_zero_point", lambda zeros: zeros.__setitem__(3, 5))


def negative_scale(graph: onnx.GraphProto) -> None:
    """Turn the sign of one channel's scale."""
    change(graph, "hidden.weight_scale", lambda scale: scale.__setitem__(2, -scale[2]))


def zero_scale(graph: onnx.GraphProto) -> None:
    """Make an activation's scale 0."""
    change(graph, "conv.input_scale", lambda scale: scale * np.float32(0))


def infinite_scale(graph: onnx.GraphProto) -> None:
    """Make an activation's scale infinite."""
    change(graph, "conv.input_scale", lambda scale: scale * np.float32(np.inf))


def no_axis(graph: onnx.GraphProto) -> None:
    """Leave the axis away, which makes it 1."""
    del node(graph, "hidden.weight/DequantizeLinear").attribute[:]


def swapped_axis(graph: onnx.GraphProto) -> None:
    """Say that the channels are on axis 1."""
    node(graph, "left.weight/DequantizeLinear").attribute[0].i = 1


def one_scale(graph: onnx.GraphProto) -> None:
    """Use one scale for all output channels."""
    change(graph, "left.weight_scale", lambda scale: scale[0])
    graph.initializer.append(numpy_helper.from_array(np.int8(0), "own_zero"))
    node(graph, "left.weight/DequantizeLinear").input[2] = "own_zero"


def int32_bias(graph: onnx.GraphProto) -> None:
    """Store the bias as onnxruntime's quantizer does."""
    change(graph, "hidden.bias", lambda bias: (bias * 1000).astype(np.int32))
    graph.initializer.append(numpy_helper.from_array(np.float32(0.001), "bias_scale"))
    graph.initializer.append(numpy_helper.from_array(np.int32(0), "bias_zero"))
    inputs = ["hidden.bias", "bias_scale", "bias_zero"]
    graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, ["b"], name="bias/DQ"))
    node(graph, "hidden/Gemm").input[2] = "b"


def shared_pair(graph: onnx.GraphProto) -> None:
    """Let two convolutions read one DQ."""
    node(graph, "right/Conv").input[0] = node(graph, "left/Conv").input[0]


def no_zero_point(graph: onnx.GraphProto) -> None:
    """Leave the third input away, which TensorRT 8.2 needs."""
    del node(graph, "conv.weight/DequantizeLinear").input[2:]


def zero_point_of_another_size(graph: onnx.GraphProto) -> None:
    """Use zero points of another layer."""
    node(graph, "conv.weight/DequantizeLinear").input[2] = "hidden.weight_zero_point"


def qdq_around_relu(graph: onnx.GraphProto) -> None:
    """Let another operator read a DQ."""
    node(graph, "tanh").input[0] = node(graph, "hidden/Gemm").input[0]


def qlinear(graph: onnx.GraphProto) -> None:
    """Put an operator of the QOperator format in."""
    graph.node.append(helper.make_node("QLinearConv", ["a"] * 8, ["q"], name="conv_q"))


def fp32_weight(graph: onnx.GraphProto) -> None:
    """Quantize a layer's input alone."""
    values = np.ones((24, 72), np.float32)
    graph.initializer.append(numpy_helper.from_array(values, "again"))
    node(graph, "hidden/Gemm").input[1] = "again"


def uint8_activation(graph: onnx.GraphProto) -> None:
    """Make the activations uint8, which TensorRT takes without a word."""
    change(graph, "zero_point", lambda zero: zero.astype(np.uint8))


def two_scales(graph: onnx.GraphProto) -> None:
    """Let a DQ multiply by another scale than its Q divided by."""
    graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "other"))
    node(graph, "hidden/QuantizeLinear").input[1] = "other"


def scales_of_gemm_inputs(graph: onnx.GraphProto) -> None:
    """Store a weight the other way round, with the scales still on axis 0."""
    change(graph, "hidden.weight", lambda weight: weight.T.copy())
    change(graph, "hidden.weight_scale", lambda scale: np.resize(scale, 72))
    change(graph, "hidden.weight_zero_point", lambda zeros: np.resize(zeros, 72))
    (transposed,) = node(graph, "hidden/Gemm").attribute
    transposed.i = 0


def scales_of_matmul_inputs(graph: onnx.GraphProto) -> None:
    """Leave a weight's transposition away, with the scales still on axis 0."""
    change(graph, "output.weight", lambda weight: weight.T.copy())
    change(graph, "output.weight_scale", lambda scale: np.resize(scale, 18))
    change(graph, "output.weight_zero_point", lambda zeros: np.resize(zeros, 18))
    transposed = node(graph, "output.weight/Transpose")
    node(graph, "output/MatMul").input[1] = transposed.input[0]
    graph.node.remove(transposed)


def external_weight(graph: onnx.GraphProto) -> None:
    """Say that a weight lies in another file, as torch's exporter does with large ones."""
    (tensor,) = [each for each in graph.initializer if each.name == "hidden.weight"]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "model.onnx.data"


def unfolded(graph: onnx.GraphProto) -> None:
    """Put a batch normalisation behind a quantized convolution."""
    conv = node(graph, "conv/Conv")
    (result,) = conv.output
    conv.output[0] = "plain"
    names = ["factor", "shift", "mean", "variance"]
    for name in names:
        graph.initializer.append(numpy_helper.from_array(np.ones(5, np.float32), name))
    norm = helper.make_node("BatchNormalization", ["plain", *names], [result], name="norm")
    graph.node.insert(list(graph.node).index(conv) + 1, norm)


def dynamic(graph: onnx.GraphProto) -> None:
    """Measure a range while running."""
    made = ["integers", "scale", "zero"]
    graph.node.append(helper.make_node("DynamicQuantizeLinear", ["c"], made, name="measured"))


@pytest.mark.parametrize(
    ("fault", "rule", "words"),
    [
        (asymmetric, "zero-point", "a zero point is 1"),
        (asymmetric_weight, "zero-point", "a zero point is 5"),
        (negative_scale, "scale", "a scale is -0.0"),
        (zero_scale, "scale", "a scale is 0.0"),
        (infinite_scale, "scale", "a scale is inf"),
        (no_axis, "axis", "no axis is given, which means 1"),
        (swapped_axis, "axis", "3 scales on axis 1 of [3, 5, 3, 3]"),
        (one_scale, "axis", "one scale for all output channels"),
        (int32_bias, "int32-bias", "it has to be float32"),
        (shared_pair, "shared-pair", "2 nodes read it"),
        (no_zero_point, "zero-point-form", "no stored zero point"),
        (zero_point_of_another_size, "zero-point-form", "zero points [24] for scales [5]"),
        (qdq_around_relu, "operator", "it is read by Tanh node 'tanh'"),
        (qlinear, "operator", "integers in the operator"),
        (fp32_weight, "half-quantized", "its weight is not quantized"),
        (uint8_activation, "type", "uint8 where int8 is asked for"),
        (two_scales, "scale", "is not the 0.5 of QuantizeLinear node 'hidden/QuantizeLinear'"),
        (scales_of_gemm_inputs, "axis", "is the inputs; it has to be the output channels"),
        (scales_of_matmul_inputs, "axis", "is the inputs; it has to be the output channels"),
        (external_weight, "external-data", "its content is in another file"),
        (unfolded, "batch-norm", "it is not folded into Conv node 'conv/Conv'"),
        (dynamic, "operator", "integers in the operator"),
    ],
)
def test_a_fault_is_named(fault: Callable[[onnx.GraphProto], None], rule: Rule, words: str) -> None:
    """With its rule, the node and what should be."""
    model = onnx.load_model_from_string(FILE)
    assert violations(model) == ()
    fault(model.graph)
    found = [each for each in violations(model) if each.rule == rule]
    assert any(words in each.detail for each in found), violations(model)
    assert all(" node '" in each.place or "tensor '" in each.place for each in found)


def test_uint8_activations_are_fine_only_where_they_are_asked_for() -> None:
    """Their zero points may be anything then; those of weights may not."""
    model = onnx.load_model_from_string(UINT8_FILE)
    assert violations(model, activations="uint8") == ()
    assert {each.rule for each in violations(model)} == {"type"}
    asymmetric_weight(model.graph)
    assert {each.rule for each in violations(model, activations="uint8")} == {"zero-point"}


def test_a_batch_normalisation_behind_a_layer_in_fp32_breaks_no_rule() -> None:
    """Its factors are outside of what was quantized, and cost nothing but time."""
    model = classifier()
    unfolded(model.graph)
    assert violations(model) == ()


@pytest.mark.parametrize("fault", [swapped_axis, one_scale, zero_point_of_another_size])
def test_layers_that_are_not_in_the_form_are_left_out_without_an_error(
    fault: Callable[[onnx.GraphProto], None],
) -> None:
    """Whoever reads the layers of a damaged file gets those that can be read."""
    model = onnx.load_model_from_string(AS_FP32_FILE)
    change(model.graph, "left.weight_scale", lambda scale: np.resize(scale, 5))
    fault(model.graph)
    assert "left" not in {layer.name for layer in quantized_layers(model)}


def test_a_network_in_fp32_breaks_no_rule() -> None:
    """There is nothing quantized in it."""
    assert violations(classifier()) == ()


@pytest.mark.parametrize("file", [FILE, UINT8_FILE, AS_FP32_FILE], ids=["s8", "u8", "fp32"])
def test_integers_that_are_the_parents_rounded_weights_pass(file: bytes) -> None:
    """In every form, and for weights that the parent stores the other way round."""
    assert weight_violations(onnx.load_model_from_string(file), weights_of(classifier())) == ()


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("left.weight_scale", lambda scale: scale.__imul__(np.float32(1.5))),
        ("left.weight_scale", lambda scale: scale[::-1].copy()),
        ("left.weight", lambda weight: weight.__setitem__((1, 2, 0, 0), 77)),
    ],
    ids=["wrong scale", "channels swapped", "one weight"],
)
def test_a_layer_whose_integers_are_not_the_parents_weights_is_named(
    name: str, edit: Callable[..., object]
) -> None:
    """The form is right, the numbers are another layer's."""
    model = onnx.load_model_from_string(FILE)
    change(model.graph, name, edit)
    assert violations(model) == ()
    (found,) = weight_violations(model, weights_of(classifier()))
    assert found.rule == "weight"
    assert "layer 'left'" in str(found)
