"""Computing once what an exporter left to be computed on every run: nodes whose inputs are stored.

PyTorch's older exporter writes the widths of a padding as a chain of eight nodes, and one of two
equal weights as a copy of the other. Parsers of boards want stored numbers there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_COMPUTED_ELEMENTS = 1 << 16
"""What is larger is left as nodes: no shape is."""


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the results of nodes that depend on nothing but stored numbers.

    A copy of a stored tensor becomes a tensor of its own, bit for bit. What is computed, by ONNX's
    reference implementation, is integers alone, such as shapes: a weight stays the checkpoint's.
    Tensors that nothing reads any more leave the file.

    Args:
        model: Changed in place.

    Returns:
        The same model.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    kept = []
    for node in graph.node:
        folded = None if outputs & set(node.output) else _folded(node, stored, model)
        if folded is None:
            kept.append(node)
        else:
            stored[folded.name] = folded
    del graph.node[:]
    graph.node.extend(kept)
    read = {name for node in kept for name in _reads(node)} | outputs
    del graph.initializer[:]
    graph.initializer.extend(tensor for name, tensor in stored.items() if name in read)
    return model


def _folded(
    node: onnx.NodeProto, stored: dict[str, onnx.TensorProto], model: onnx.ModelProto
) -> onnx.TensorProto | None:
    """Return what a node always gives, under the name of its output; None if that is not known."""
    inputs = [name for name in node.input if name]
    if len(node.output) != 1 or any(name not in stored for name in inputs):
        return None
    if node.op_type == "Identity":
        copy = onnx.TensorProto()
        copy.CopyFrom(stored[inputs[0]])
        copy.name = node.output[0]
        return copy
    if not all(_is_small_integer(stored[name]) for name in inputs):
        return None
    result = _computed(node, {name: numpy_helper.to_array(stored[name]) for name in inputs}, model)
    if result is None or result.size > MAX_COMPUTED_ELEMENTS:
        return None
    return numpy_helper.from_array(np.ascontiguousarray(result), node.output[0])


def _computed(
    node: onnx.NodeProto, values: dict[str, NDArray[np.generic]], model: onnx.ModelProto
) -> NDArray[np.generic] | None:
    if node.op_type.startswith("Random") or any(a.HasField("g") for a in node.attribute):
        return None
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in values.items()
        ],
        [onnx.ValueInfoProto(name=node.output[0])],
    )
    alone = onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    try:
        (result,) = ReferenceEvaluator(alone).run(None, values)
    except NotImplementedError:
        return None
    return result if isinstance(result, np.ndarray) else np.asarray(result)


def _is_small_integer(tensor: onnx.TensorProto) -> bool:
    is_integer = tensor.data_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    return is_integer and math.prod(tensor.dims) <= MAX_COMPUTED_ELEMENTS


def _reads(node: onnx.NodeProto) -> list[str]:
    """Return the names that a node reads, those of the graphs within it included."""
    names = list(node.input)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            names += [name for inner in graph.node for name in _reads(inner)]
            names += [value.name for value in graph.output]
    return names
