"""The rules of Q/DQ for each target: what one runtime refuses, another may take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.targets import TABLE
from edgenet.verify.lint import LintReport, lint
from tests.unit.compress.graphs import content, pictures
from tests.unit.verify import lint_cases as cases
from tests.unit.verify import test_qdq as faults
from tests.unit.verify.lint_cases import node

OPSET = 17  # of TensorRT 8.5 and 8.6
INT8 = quantize(content(opset=OPSET), pictures(), Scheme())
STORED_AS_FP32 = quantize(content(opset=OPSET), pictures(), Scheme(), stored="fp32")
UINT8 = quantize(content(opset=OPSET), pictures(), Scheme(activations="uint8"))

RULES = (
    *("zero points", "scales", "axes", "biases", "pairs", "layers", "integers", "stored weights"),
)

Fault = Callable[[onnx.GraphProto], None]


def report_of(file: bytes, target: str, *broken_by: Fault) -> LintReport:
    """Lint a file that was changed."""
    model = onnx.load_model_from_string(file)
    for fault in broken_by:
        fault(model.graph)
    del model.graph.value_info[:]  # of the file before it was changed
    return lint(model, TABLE[target], precision="int8")


def broken_rules(file: bytes, target: str, *broken_by: Fault) -> set[str]:
    """Return the names of the rules that a changed file breaks."""
    return {row.rule for row in report_of(file, target, *broken_by).failures}


def untyped(graph: onnx.GraphProto) -> None:
    """Leave a Q's zero point away."""
    del faults.node(graph, "conv/QuantizeLinear").input[2:]


def other_zero_point(graph: onnx.GraphProto) -> None:
    """Let a DQ take another zero point than its Q gave."""
    graph.initializer.append(numpy_helper.from_array(np.int8(1), "other_zero"))
    faults.node(graph, "conv/DequantizeLinear").input[2] = "other_zero"


def computed_scale(graph: onnx.GraphProto) -> None:
    """Compute a scale while running."""
    made = helper.make_node("Identity", ["conv.input_scale"], ["made"], name="made")
    graph.node.insert(0, made)
    for name in ("conv/QuantizeLinear", "conv/DequantizeLinear"):
        faults.node(graph, name).input[1] = "made"


def scales_along_an_activation(graph: onnx.GraphProto) -> None:
    """Give the rows of an activation a scale each."""
    for name, values in (("rows", np.ones(8, np.float32)), ("zeros", np.zeros(8, np.int8))):
        graph.initializer.append(numpy_helper.from_array(values, name))
    for name in ("conv/QuantizeLinear", "conv/DequantizeLinear"):
        pair = faults.node(graph, name)
        pair.input[1:] = ["rows", "zeros"]
        del pair.attribute[:]
        pair.attribute.append(helper.make_attribute("axis", 2))


@pytest.mark.parametrize("target", ["cuda", "cpu", "raspberry-pi-4"])
@pytest.mark.parametrize("file", [INT8, STORED_AS_FP32], ids=["int8", "fp32"])
def test_a_file_in_the_form_keeps_every_rule(file: bytes, target: str) -> None:
    """One row a rule."""
    report = report_of(file, target)
    assert report.passed, report.failures
    rows = [row.rule for row in report.rows if row.rule in RULES]
    assert sorted(rows) == sorted(RULES)


def test_tensorrt_8_asks_for_weights_stored_as_fp32() -> None:
    """Its importer reads no INT8 weight behind a DQ."""
    assert broken_rules(INT8, "jetson-xavier") == {"stored weights"}
    assert broken_rules(STORED_AS_FP32, "jetson-xavier") == set()
    (row, *_) = report_of(INT8, "jetson-orin").failures
    assert row.place == "DequantizeLinear node 'conv.weight/DequantizeLinear'"
    assert row.advice == "export with --target jetson-orin"


@pytest.mark.parametrize(
    ("fault", "rule", "tensorrt_8", "tensorrt_10", "onnxruntime"),
    [
        (faults.asymmetric, "zero points", True, True, False),
        (faults.asymmetric_weight, "zero points", True, True, False),
        (faults.no_zero_point, "zero points", True, False, False),
        (faults.zero_point_of_another_size, "zero points", True, True, True),
        (other_zero_point, "zero points", True, True, True),
        (faults.uint8_activation, "integers", True, True, False),
        (untyped, "integers", True, True, False),
        (faults.zero_scale, "scales", True, True, True),
        (faults.negative_scale, "scales", True, True, True),
        (faults.infinite_scale, "scales", True, True, True),
        (faults.two_scales, "scales", True, True, True),
        (computed_scale, "scales", True, True, False),
        (faults.no_axis, "axes", True, True, True),
        (faults.swapped_axis, "axes", True, True, True),
        (faults.scales_of_gemm_inputs, "axes", True, True, False),
        (faults.scales_of_matmul_inputs, "axes", True, True, False),
        (scales_along_an_activation, "axes", True, True, False),
        (faults.int32_bias, "biases", True, True, False),
        (faults.shared_pair, "pairs", True, False, False),
        (faults.fp32_weight, "layers", True, True, False),
        (faults.unfolded, "layers", True, True, False),
        (faults.qlinear, "operators", True, True, False),
        (faults.external_weight, "external data", True, True, True),
    ],
)
def test_a_fault_is_refused_for_the_runtimes_that_cannot_do_with_it(
    fault: Fault, rule: str, tensorrt_8: bool, tensorrt_10: bool, onnxruntime: bool
) -> None:
    """And for no other: onnxruntime computes INT32 biases and zero points rightly."""
    assert (rule in broken_rules(STORED_AS_FP32, "jetson-xavier", fault)) is tensorrt_8
    assert (rule in broken_rules(INT8, "cuda", fault)) is tensorrt_10
    assert (rule in broken_rules(INT8, "cpu", fault)) is onnxruntime


def test_tensorrt_8_quantizes_from_float32_alone() -> None:
    """A network in FP16 with Q/DQ is for later ones."""
    model = cases.graph_of(
        [
            node("Cast", ["x"], ["half"], to=onnx.TensorProto.FLOAT16),
            node("QuantizeLinear", ["half", "scale", "zero"], ["q"], name="odd"),
            node("DequantizeLinear", ["q", "scale", "zero"], ["back"]),
            node("Cast", ["back"], ["y"], to=cases.FLOAT),
        ],
        opset=19,
        ir_version=9,
        stored=[cases.number("scale", 1, np.float16), cases.number("zero", 0, np.int8)],
    )
    rows = lint(model, TABLE["jetson-orin"], precision="int8").failures
    told = {row.rule: row for row in rows}
    assert set(told) == {"opset", "integers"}
    assert told["integers"].place == "QuantizeLinear node 'odd'"
    assert "reads float16; TensorRT 8.6 quantizes float32 alone" in told["integers"].detail
    assert lint(model, TABLE["cuda"], precision="int8").passed


def test_uint8_activations_are_for_targets_without_tensorrt() -> None:
    """They are the native form of VNNI."""
    assert broken_rules(UINT8, "x86-64-vnni") == set()
    assert broken_rules(UINT8, "cpu") == set()
    (row, *_) = report_of(UINT8, "cuda").failures
    assert row.rule == "integers"
    assert "TensorRT 10.3 takes int8 alone, and says nothing" in row.detail


def test_one_scale_for_all_output_channels_is_taken_everywhere() -> None:
    """It is not the form that edgenet writes, but it computes what it says."""
    for target in ("cuda", "cpu"):
        assert broken_rules(INT8, target, faults.one_scale) == set()


def test_a_fault_in_a_branch_is_found_and_its_place_says_so() -> None:
    """A graph in an If is a graph like any other, and reads the tensors of the graph around it."""

    def branch(result: str, scale: str) -> onnx.GraphProto:
        quantized = node("QuantizeLinear", ["x", scale, "zero"], [f"{result}:q"], name=result)
        back = node("DequantizeLinear", [f"{result}:q", scale, "zero"], [result])
        made = helper.make_tensor_value_info(result, cases.FLOAT, None)
        return helper.make_graph([quantized, back], result, [], [made])

    model = cases.branching()
    branches = {each.name: each.g for each in model.graph.node[-1].attribute}
    branches["then_branch"].CopyFrom(branch("first", "good"))
    branches["else_branch"].CopyFrom(branch("second", "bad"))
    for tensor in (
        cases.number("good", 1),
        cases.number("bad", 0),
        cases.number("zero", 0, np.int8),
    ):
        model.graph.initializer.append(tensor)
    model.graph.initializer[0].name = "limit"
    model.graph.node[1].input[1] = "limit"
    first, second = lint(model, TABLE["cuda"], precision="int8").failures
    within = ", in else_branch of If node 'choice'"
    assert first.place == f"QuantizeLinear node 'second'{within}"
    assert second.place == f"DequantizeLinear node of value 'second'{within}"
    assert {first.rule, second.rule} == {"scales"}
