"""The checks of FP16 files: bound, weights, range, golden vectors."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgenet.export.onnx_half import to_half
from edgenet.export.onnx_weights import weights_of
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import open_inference
from edgenet.verify.bundle import verify_bundle
from edgenet.verify.checks import Check
from edgenet.verify.half import (
    check_half_golden,
    check_half_parity,
    check_half_weights,
    check_magnitudes,
    rounding_units,
)
from edgenet.verify.parity import half_bound, relative_bound
from edgenet.weights import NetworkWeights
from tests.bundles import STD, edit_manifest, edit_onnx, write_onnx_bundle
from tests.unit.compress.graphs import classifier

U = 2.0**-11


def _chain(*nodes: onnx.NodeProto, **tensors: tuple[int, ...]) -> onnx.ModelProto:
    """Return an FP16 graph from pixels [N, 2, 8, 6] to ``logits``, through these nodes."""
    stored = [
        numpy_helper.from_array(np.ones(shape, np.float16), name) for name, shape in tensors.items()
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT16),
            *nodes,
            helper.make_node("Cast", ["y"], ["logits"], to=TensorProto.FLOAT),
        ],
        "chain",
        [helper.make_tensor_value_info("input", TensorProto.UINT8, ["N", 2, 8, 6])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def _node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], **attributes)


@pytest.mark.parametrize(
    ("model", "units"),
    [
        (_chain(_node("Relu", "x", "y")), 1),
        (_chain(_node("Tanh", "x", "y")), 1 + 1),
        (_chain(_node("Conv", "x w b", "y"), w=(4, 2, 3, 3), b=(4,)), 1 + 2 + 19**0.5),
        (_chain(_node("Conv", "x w", "y", group=2), w=(2, 1, 2, 2)), 1 + 2 + 4**0.5),
        (
            _chain(_node("Flatten", "x", "f"), _node("Gemm", "f w", "y", transB=1), w=(3, 96)),
            1 + 2 + 96**0.5,
        ),
        (
            _chain(_node("Flatten", "x", "f"), _node("Gemm", "f w b", "y"), w=(96, 3), b=(3,)),
            1 + 2 + 97**0.5,
        ),
        (
            _chain(_node("Flatten", "x", "f"), _node("MatMul", "f w", "y"), w=(96, 3)),
            1 + 2 + 96**0.5,
        ),
        (_chain(_node("AveragePool", "x", "y", kernel_shape=[2, 2])), 1 + 1 + 4**0.5),
        (_chain(_node("GlobalAveragePool", "x", "y")), 1 + 1 + 48**0.5),
        (_chain(_node("Sigmoid", "x", "s"), _node("Mul", "x s", "y")), 1 + (1 + 1) + 1),
        (_chain(_node("Sigmoid", "x", "s"), _node("Add", "x s", "y")), (1 + 1) + 1),
        (_chain(_node("Pow", "x two", "y"), two=()), 2 * 1 + 1),
    ],
)
def test_what_is_rounded_in_a_row_is_counted_by_hand(model: onnx.ModelProto, units: float) -> None:
    """The pixels 1; a layer 2 + √n; an average 1 + √n; products add up; the longest way counts."""
    assert rounding_units(model) == pytest.approx(units)
    assert half_bound(rounding_units(model)) == pytest.approx(units * U)


def test_the_bound_holds_where_every_partial_sum_is_fp16() -> None:
    """The strictest target: products and sums of three layers, each rounded, one after the other.

    What onnxruntime does on a CPU, sums in FP32, is nearer to the parent by a factor of ten.
    """
    draw = np.random.Generator(np.random.PCG64(5))
    sizes = (400, 120, 84, 10)
    exact = draw.normal(size=(50, sizes[0]))
    strict = exact.astype(np.float16)
    units = 1.0
    for inputs, outputs in pairwise(sizes):
        weights = draw.normal(size=(outputs, inputs)) / np.sqrt(inputs)
        exact = exact @ weights.T
        products = strict[:, None, :] * weights.astype(np.float16)
        strict = np.add.accumulate(products, axis=2, dtype=np.float16)[:, :, -1]
        units += 2 + inputs**0.5
        if outputs != sizes[-1]:
            exact, strict = np.maximum(exact, 0), np.maximum(strict, np.float16(0))
    reference, candidate = (logits.astype(np.float32) for logits in (exact, strict))
    check = check_half_parity("parity", reference, candidate, bound=half_bound(units))
    assert check.status == "ok", check.detail


def test_weights_are_the_parents_rounded_bit_for_bit() -> None:
    """One that is off by one unit in the last place of FP16 is named with its layer."""
    parent = classifier()
    half = to_half(parent)
    expected = weights_of(parent)
    assert check_half_weights(expected, weights_of(half)).status == "ok"
    (tensor,) = (each for each in half.graph.initializer if each.name == "left.weight")
    values = numpy_helper.to_array(tensor).copy()
    values.flat[7] = np.nextafter(values.flat[7], np.float16(9))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    check = check_half_weights(expected, weights_of(half))
    assert check.status == "failed"
    assert check.detail.startswith("left.weight: 1 of ")
    assert check_half_weights(expected, weights_of(parent)).status == "failed"


def test_constants_of_the_pixels_are_compared_in_fp32() -> None:
    """A rounded one would shift every picture."""
    expected = weights_of(classifier())
    stored = weights_of(to_half(classifier()))
    scale = stored.others["pixel_scale"]
    assert scale.dtype == np.float32
    rounded = {**stored.others, "pixel_scale": scale.astype(np.float16)}
    check = check_half_weights(expected, NetworkWeights(layers=stored.layers, others=rounded))
    assert check.status == "failed"
    assert "pixel_scale" in check.detail


@pytest.mark.parametrize("value", [65505.0, float("inf"), float("nan")])
def test_a_value_beyond_fp16_fails_with_its_name(value: float) -> None:
    """The first of the graph, since those behind it follow from it."""
    check = check_magnitudes({"pixels": 2.8, "conv1/Conv": value, "conv2/Conv": 1e6}, 500)
    assert check.status == "failed"
    assert check.detail.startswith("conv1/Conv reaches ")
    assert "on 500 pictures, and 1 more do; FP16 ends at 65,504" in check.detail


def test_values_within_fp16_are_told_by_the_largest() -> None:
    """65,504 itself is a number of FP16."""
    check = check_magnitudes({"pixels": 2.8, "conv1/Conv": 65504.0}, 500)
    assert check.status == "ok"
    assert check.detail.startswith("conv1/Conv reaches 6.55e+04 on 500 pictures")


def test_parity_asks_for_the_bound_and_not_for_equal_decisions() -> None:
    """Two classes that are as likely may change places; that is for the gate to judge."""
    reference = np.array([[1.0, 1.0005], [8.0, 0.0]], np.float32)
    candidate = np.array([[1.0005, 1.0], [8.0, 0.0]], np.float32)
    assert check_half_parity("parity", reference, candidate, bound=1e-3).status == "ok"
    assert check_half_parity("parity", reference, candidate, bound=1e-5).status == "failed"
    candidate[1, 0] = np.inf
    assert check_half_parity("parity", reference, candidate, bound=1e9).status == "failed"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small FP16 bundle; its golden logits, at export and the parent's, are those of FP32."""
    path = write_onnx_bundle(tmp_path / "bundle")

    def halve(model: onnx.ModelProto) -> None:
        (division,) = (node for node in model.graph.node if node.op_type == "Div")
        division.op_type, division.input[1] = "Mul", "pixel_scale"
        scale = numpy_helper.from_array(np.float32(1 / STD), "pixel_scale")
        model.graph.initializer.append(scale)
        model.CopyFrom(to_half(model))

    edit_onnx(path, halve)
    edit_manifest(path, lambda manifest: manifest.update(precision="fp16"))
    return path


def _golden(path: Path) -> Check:
    opened = open_bundle(path)
    with closing(open_inference(opened)) as inference:
        return check_half_golden(opened, inference)


def test_golden_vectors_are_compared_within_the_bound_of_fp16(bundle: Path) -> None:
    """The bound of FP32 would fail it."""
    check = _golden(bundle)
    assert check.status == "ok", check.detail
    assert check.detail.startswith("against the FP32 parent: ")
    assert check.agreement is not None
    assert check.agreement.max_relative > relative_bound(30)
    assert check.agreement.bound == pytest.approx((1 + 2 + 31**0.5) * U)


def test_another_network_is_not_within_the_bound(bundle: Path) -> None:
    """A bias that is added twice."""

    def twice(model: onnx.ModelProto) -> None:
        (gemm,) = (node for node in model.graph.node if node.op_type == "Gemm")
        gemm.attribute.append(helper.make_attribute("beta", 2.0))

    edit_onnx(bundle, twice)
    check = _golden(bundle)
    assert check.status == "failed"
    assert check.detail.startswith("against the file at export: ")


def test_verify_takes_an_fp16_bundle(bundle: Path) -> None:
    """One that was imported has no recorded gate; what one says of a gate is believed."""
    rows = {check.name: check.status for check in verify_bundle(bundle).checks}
    assert (rows["hashes"], rows["golden"]) == ("ok", "ok")
    assert "gate at export" not in rows
    recorded = {"quantization": {"gate": {"verdict": "failed", "reason": "too much"}}}
    edit_manifest(bundle, lambda manifest: manifest["options"].update(recorded))
    rows = {check.name: check.status for check in verify_bundle(bundle).checks}
    assert rows["gate at export"] == "failed"
