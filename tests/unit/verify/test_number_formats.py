"""A graph computes in the formats of its precision, and is in the declared opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.export.onnx_half import to_half
from edgenet.verify.number_formats import check_number_formats
from edgenet.verify.unrounded import as_fp32
from edgenet.verify.versions import check_versions
from edgenet.weights import LayerWeights, NetworkWeights

DRAW = np.random.Generator(np.random.PCG64(0))
WEIGHT = DRAW.standard_normal((3, 12)).astype(np.float32)
BIAS = DRAW.standard_normal(3).astype(np.float32)
OFFSET, SCALE = (np.full((1, 1, 1, 1), value, np.float32) for value in (33.3, 0.0127))
IMAGES = DRAW.integers(0, 256, (8, 1, 3, 4), dtype=np.uint8)
WEIGHTS = NetworkWeights(
    layers=(LayerWeights(name="output", place="", kind="linear", weight=WEIGHT, bias=BIAS),),
    others={"pixel_offset": OFFSET, "pixel_scale": SCALE},
)


def fp32(*, operator: str = "Gemm") -> onnx.ModelProto:
    """Return a linear classifier behind its pixel arithmetic; MatMul takes W transposed."""
    weight, adds = (WEIGHT, ["output.bias"]) if operator == "Gemm" else (WEIGHT.T.copy(), [])
    attributes: dict[str, Any] = {"transB": 1} if operator == "Gemm" else {}
    made = helper.make_graph(
        [
            helper.make_node("Cast", ["input"], ["pixels"], name="pixels", to=TensorProto.FLOAT),
            helper.make_node("Sub", ["pixels", "pixel_offset"], ["centred"], name="centred"),
            helper.make_node("Mul", ["centred", "pixel_scale"], ["normal"], name="normal"),
            helper.make_node("Flatten", ["normal"], ["flat"], name="flat"),
            helper.make_node("Relu", ["flat"], ["hidden"], name="hidden"),
            helper.make_node(
                operator, ["hidden", "output.weight", *adds], ["logits"], name="out", **attributes
            ),
        ],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.UINT8, ["N", 1, 3, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(values, name)
            for name, values in {
                "pixel_offset": OFFSET,
                "pixel_scale": SCALE,
                "output.weight": weight,
                "output.bias": BIAS,
            }.items()
        ],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def written(precision: str, *, operator: str = "Gemm") -> onnx.ModelProto:
    """Return the classifier in a precision."""
    model = fp32(operator=operator)
    if precision == "fp16":
        return to_half(model)
    if precision == "int8":
        return onnx.load_model_from_string(quantize(model.SerializeToString(), IMAGES, Scheme()))
    return model


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    """Write a model to a file."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_file_that_edgenet_wrote_computes_in_its_precision(
    precision: str, tmp_path: Path
) -> None:
    """Pictures, shapes and what lies between Q and DQ are integers in any of them."""
    check = check_number_formats(saved(written(precision), tmp_path), precision)
    assert check.status == "ok", check.detail


@pytest.mark.parametrize(
    ("precision", "kind", "said"),
    [
        ("fp32", TensorProto.DOUBLE, "gives float64"),
        ("fp32", TensorProto.FLOAT16, "gives float16"),
        ("fp32", TensorProto.BFLOAT16, "gives bfloat16"),
        ("fp32", TensorProto.INT8, "gives int8"),
        ("int8", TensorProto.FLOAT16, "gives float16"),
        ("fp16", TensorProto.FLOAT, "gives float32"),
        ("fp16", TensorProto.DOUBLE, "gives float64"),
    ],
)
def test_a_value_that_takes_a_way_through_another_format_is_named(
    precision: str, kind: int, said: str, tmp_path: Path
) -> None:
    """It changes last bits or none, which no comparison of decisions would see."""
    model = written(precision)
    node = next(each for each in model.graph.node if each.op_type == "Relu")
    own = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    there = helper.make_node("Cast", [node.input[0]], ["there"], name="there", to=kind)
    back = helper.make_node("Cast", ["there"], ["back"], name="back", to=own)
    position = list(model.graph.node).index(node)
    node.input[0] = "back"
    model.graph.node.insert(position, back)
    model.graph.node.insert(position, there)
    check = check_number_formats(saved(model, tmp_path), precision)
    assert check.status == "failed"
    assert f"Cast node 'there' {said}" in check.detail


def test_types_that_contradict_each_other_fail(tmp_path: Path) -> None:
    """With a row, and no exception of ONNX."""
    model = fp32()
    values = WEIGHT.astype(np.float64)
    model.graph.initializer[2].CopyFrom(numpy_helper.from_array(values, "output.weight"))
    check = check_number_formats(saved(model, tmp_path), "fp32")
    assert check.status == "failed"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"opset": 18, "ir_version": 10}, "ok"),
        ({}, "ok"),
        ({"opset": 13, "ir_version": 10}, "failed"),
        ({"opset": 18, "ir_version": 7}, "failed"),
    ],
)
def test_opset_and_ir_version_are_those_of_the_manifest(
    options: dict[str, int], status: str, tmp_path: Path
) -> None:
    """An exporter that writes another opset says so nowhere."""
    check = check_versions(saved(fp32(), tmp_path), options)
    assert check.status == status
    assert "10" in check.detail or "18" in check.detail


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_without_its_rounding_a_file_is_the_fp32_graph_again(precision: str, operator: str) -> None:
    """With the same nodes and the same bits: nothing of the structure is lost on the way."""
    found = as_fp32(written(precision, operator=operator), WEIGHTS)
    stored = {each.name: numpy_helper.to_array(each) for each in found.graph.initializer}
    kept = [node.op_type for node in found.graph.node if node.op_type != "Cast"]
    assert kept == [node.op_type for node in fp32(operator=operator).graph.node][1:]
    wanted = WEIGHT if operator == "Gemm" else WEIGHT.T
    assert stored["output.weight"].tobytes() == np.ascontiguousarray(wanted).tobytes()
    assert stored["pixel_scale"].tobytes() == SCALE.tobytes()


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_rounded_weight_that_no_weight_rounds_to_stays_what_it_is(precision: str) -> None:
    """What is compared then differs, instead of being mended in silence."""
    found = as_fp32(written(precision), NetworkWeights(layers=(), others={}))
    stored = {each.name: numpy_helper.to_array(each) for each in found.graph.initializer}
    assert stored["output.weight"].dtype == np.float32
    np.testing.assert_allclose(stored["output.weight"], WEIGHT, atol=0.02)
    assert stored["output.weight"].tobytes() != WEIGHT.tobytes()


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
def test_a_file_for_tensorrt_8_with_fp32_weights_is_the_fp32_graph_again(
    operator: str, tmp_path: Path
) -> None:
    """Its weights are stored in FP32 and quantized in the graph."""
    content = fp32(operator=operator).SerializeToString()
    model = onnx.load_model_from_string(quantize(content, IMAGES, Scheme(), stored="fp32"))
    assert check_number_formats(saved(model, tmp_path), "int8").status == "ok"
    found = as_fp32(model, WEIGHTS)
    assert [node.op_type for node in found.graph.node] == [
        node.op_type for node in fp32(operator=operator).graph.node
    ]


def test_numbers_that_were_trained_on_are_taken_from_the_checkpoint_by_name() -> None:
    """What was not quantized differs from it, too: only the structure is to be compared."""
    model = written("int8")
    for tensor in model.graph.initializer:
        if tensor.name == "output.bias":
            tensor.CopyFrom(numpy_helper.from_array(BIAS + np.float32(1), tensor.name))
    kept, restored = (
        {each.name: numpy_helper.to_array(each) for each in found.graph.initializer}
        for found in (as_fp32(model, WEIGHTS), as_fp32(model, WEIGHTS, retrained=True))
    )
    assert kept["output.bias"].tobytes() != BIAS.tobytes()
    assert restored["output.bias"].tobytes() == BIAS.tobytes()
    assert restored["output.weight"].tobytes() == WEIGHT.tobytes()
