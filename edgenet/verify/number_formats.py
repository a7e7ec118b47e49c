"""In which number formats a graph computes: those of its precision, and no other on the way.

A cast to float64 and back, or to FP16 within an FP32 graph, changes last bits or none, and so no
decision that a comparison of outputs would see; but it is not the file that was asked for, and
costs time or is refused where the format is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto

from edgenet.verify.checks import Check
from edgenet.verify.quantized import load_graph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "number formats"

_INTEGERS = frozenset((TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL))  # of shapes
_QUANTIZED = frozenset((TensorProto.INT8, TensorProto.UINT8))
_FP32 = frozenset((TensorProto.FLOAT,))
_FP16 = frozenset((TensorProto.FLOAT16,))
_QDQ = ("QuantizeLinear", "DequantizeLinear")


def check_number_formats(path: Path, precision: str) -> Check:
    """Look for every value of an ONNX file that is in another format than its precision says.

    FP32 and INT8 files compute in float32; integers are pictures, shapes, and between Q and DQ. An
    FP16 file computes in FP16 from its normalised pixels to its logits, which are cast once each.

    Args:
        path: The ONNX file.
        precision: As the manifest has it.
    """
    model = load_graph(path)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        detail = str(error).strip().splitlines()[0]
        return Check(name=NAME, status="failed", detail=f"types contradict each other: {detail}")
    places = tuple(_strangers(inferred, precision))
    if places:
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        return Check(name=NAME, status="failed", detail=places[0] + more)
    casts = "; pixels and logits are cast once each" if precision == "fp16" else ""
    what = "FP16" if precision == "fp16" else "float32"
    return Check(name=NAME, status="ok", detail=f"all arithmetic is in {what}{casts}")


def _strangers(model: onnx.ModelProto, precision: str) -> Iterator[str]:
    graph = model.graph
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    types.update((tensor.name, tensor.data_type) for tensor in graph.initializer)
    pixels = _upstream(graph, _normalised(graph)) if precision == "fp16" else set()
    logits = {value.name for value in graph.output}
    for node in graph.node:
        allowed = _FP32 | _INTEGERS
        if node.op_type in _QDQ:
            allowed = allowed | _QUANTIZED
        elif precision == "fp16" and not pixels.intersection(node.output):
            allowed = _FP16 | _INTEGERS
        for name in node.output:
            found = types.get(name, TensorProto.UNDEFINED)
            is_border = name in logits and found == TensorProto.FLOAT and _only_casts(node)
            if found and found not in allowed and not (precision == "fp16" and is_border):
                yield f"{node.op_type} node {node.name!r} gives {_named(found)}"
        for name in node.input:
            found = types.get(name, TensorProto.UNDEFINED)
            strange = found in (TensorProto.DOUBLE, TensorProto.BFLOAT16)
            if strange or (found in _FP16 and precision != "fp16"):
                yield f"{node.op_type} node {node.name!r} reads {_named(found)}"


def _only_casts(node: onnx.NodeProto) -> bool:
    return bool(node.op_type == "Cast")


def _normalised(graph: onnx.GraphProto) -> set[str]:
    """Return the value that the pixel arithmetic ends with."""
    found = (node for node in graph.node if node.op_type == "Mul" and "pixel_scale" in node.input)
    return {name for node in found for name in node.output}


def _upstream(graph: onnx.GraphProto, values: set[str]) -> set[str]:
    """Return values with all that they are computed from."""
    found = set(values)
    for node in reversed(graph.node):
        if found.intersection(node.output):
            found.update(node.input)
    return found


def _named(kind: int) -> str:
    name: str = TensorProto.DataType.Name(kind)
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())
