"""The checks that only an FP16 file has: its rounded weights, its range, and its wider bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto

from edgenet.verify.checks import Check
from edgenet.verify.parity import compare, half_bound
from edgenet.verify.qdq_graph import LAYERS, attribute
from edgenet.verify.quantized import load_graph
from edgenet.verify.weights import differences
from edgenet.weights import HALF_LARGEST, NetworkWeights, rounded_to_half

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.runner.bundle import Bundle
    from edgenet.runner.inference import Inference

HALF = "fp16"

_IN_FP32 = ("pixel_offset", "pixel_scale")
_EXACT = frozenset(
    (
        *("Clip", "Concat", "Flatten", "GlobalMaxPool", "Identity", "MaxPool", "Neg", "Pad"),
        *("ReduceMax", "Relu", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"),
    )
)
"""Operators whose results are numbers that they were given: nothing is rounded."""

_SUMS = ("GlobalAveragePool", "ReduceMean", "ReduceSum")
_PRODUCTS = ("Div", "Mul")


def rounding_units(model: onnx.ModelProto) -> float:
    """Return how much is rounded to FP16 in a row: what `half_bound` of parity takes.

    It is that of the way through the graph on which it is most. The pixels are rounded once; a
    layer's weights, its sum of n products and its result are 2 + √n; an average's sum of n and its
    result 1 + √n; any other operator that computes has its result, 1. Where two computed values are
    multiplied, their errors add up, and a square has its input's twice.

    Args:
        model: An FP16 graph.
    """
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    tensors = {
        value.name: value.type.tensor_type
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }
    sizes = {
        name: math.prod(size.dim_value or 1 for size in tensor.shape.dim[1:])
        for name, tensor in tensors.items()
    }
    sizes.update((stored.name, math.prod(stored.dims)) for stored in model.graph.initializer)
    channels = {stored.name: stored.dims[0] for stored in model.graph.initializer if stored.dims}
    units: dict[str, float] = {}
    for node in model.graph.node:
        before = [units[name] for name in node.input if name in units]
        carried = sum(before) if node.op_type in _PRODUCTS else max(before, default=0.0)
        carried *= 2 if node.op_type == "Pow" else 1
        in_half = tensors[node.output[0]].elem_type == TensorProto.FLOAT16
        own = _own_units(node, sizes, channels) if in_half else 0.0
        units.update(dict.fromkeys(node.output, carried + own))
    return units[model.graph.output[0].name]


def _own_units(
    node: onnx.NodeProto, sizes: Mapping[str, int], channels: Mapping[str, int]
) -> float:
    """Return what one operator rounds.

    Args:
        node: Its result is FP16.
        sizes: Numbers of each value, for one picture; of a stored tensor, all of them.
        channels: The length of axis 0 of each stored tensor.
    """
    if node.op_type in _EXACT:
        return 0.0
    if node.op_type in LAYERS:
        weight = node.input[1]
        outputs = channels.get(weight, 1)
        if node.op_type == "MatMul" or (node.op_type == "Gemm" and not attribute(node, "transB")):
            outputs = sizes[node.output[0]]
        has_bias = len(node.input) > 2
        return 2 + math.sqrt(sizes[weight] / outputs + has_bias)
    if node.op_type == "AveragePool":
        return 1 + math.sqrt(math.prod(attribute(node, "kernel_shape")))
    if node.op_type in _SUMS:
        return 1 + math.sqrt(sizes[node.input[0]] / sizes[node.output[0]])
    return 1.0


def check_half_weights(expected: NetworkWeights, stored: NetworkWeights) -> Check:
    """Compare the weights that an FP16 file uses with the checkpoint's, rounded, bit for bit.

    Args:
        expected: FP32; the two constants of the pixel arithmetic stay so.
        stored: Read from the file.
    """
    layers = tuple(
        replace(
            layer,
            weight=rounded_to_half(layer.weight),
            bias=None if layer.bias is None else rounded_to_half(layer.bias),
        )
        for layer in expected.layers
    )
    others = {
        name: values if name in _IN_FP32 else rounded_to_half(values)
        for name, values in expected.others.items()
    }
    lines = differences(NetworkWeights(layers=layers, others=others), stored)
    if not lines:
        detail = f"those of all {len(layers)} layers are the checkpoint's, rounded to nearest"
        return Check(name="weights", status="ok", detail=detail)
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return Check(name="weights", status="failed", detail=lines[0] + more)


def check_magnitudes(largest: Mapping[str, float], n: int) -> Check:
    """Look for values of the FP32 parent that FP16 has no number for.

    Infinity can vanish again, in a tanh or below a larger one, so it is looked for in every value
    and not in the logits alone.

    Args:
        largest: The largest |value| by name, in the order of the graph; not finite where one was
            not.
        n: On how many pictures.
    """
    name = "range"
    beyond = [value for value, most in largest.items() if not most <= HALF_LARGEST]
    if beyond:
        first = beyond[0]
        more = f", and {len(beyond) - 1} more do" if len(beyond) > 1 else ""
        detail = f"{first} reaches {largest[first]:,.6g} on {n:,} pictures{more}"
        return Check(
            name=name, status="failed", detail=f"{detail}; FP16 ends at {HALF_LARGEST:,.0f}"
        )
    most = max(largest, key=largest.__getitem__)
    detail = f"{most} reaches {largest[most]:,.4g} on {n:,} pictures, the most of all values"
    return Check(name=name, status="ok", detail=f"{detail}; FP16 ends at {HALF_LARGEST:,.0f}")


def check_half_parity(
    name: str,
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    *,
    bound: float,
) -> Check:
    """Compare FP32 and FP16 logits, [N, K]; how many decisions are equal is for the gate to judge.

    Args:
        name: Of the row.
        reference: The parent's.
        candidate: The FP16 file's.
        bound: From :func:`edgenet.verify.parity.half_bound`.
    """
    agreement = compare(reference, candidate, bound)
    return Check(
        name=name,
        status="ok" if agreement.max_relative <= bound else "failed",
        detail=agreement.describe(),
        agreement=agreement,
    )


def check_half_golden(bundle: Bundle, inference: Inference) -> Check:
    """Run the golden inputs; compare with the file's own logits at export and with the parent's.

    Two machines may keep sums in other precisions, each within the bound: they may be twice as far
    apart.
    """
    golden = bundle.golden()
    logits = inference.logits(golden["inputs"])
    bound = half_bound(rounding_units(load_graph(bundle.model_path)))
    own = check_half_parity("golden", golden["logits"], logits, bound=2 * bound)
    parent = golden.get("parent_logits")
    if own.status == "failed" or parent is None:
        return replace(own, detail=f"against the file at export: {own.detail}")
    check = check_half_parity("golden", parent, logits, bound=bound)
    return replace(check, detail=f"against the FP32 parent: {check.detail}")
