"""A graph in FP16 or with Q/DQ as the FP32 graph that it stands for, to compare what it computes.

What precision changed is taken away: Q/DQ pairs, casts to FP16, rounded weights. What is left is
the network's structure with the checkpoint's own numbers, and has to be the checkpoint's function.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgenet.verify.qdq_graph import LAYERS, QdqGraph, attribute
from edgenet.weights import rounded_to_half

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from edgenet.weights import NetworkWeights

_QDQ = ("QuantizeLinear", "DequantizeLinear")
_CALL = re.compile(r"_\d+$")  # a layer that is called twice


def as_fp32(
    model: onnx.ModelProto, weights: NetworkWeights, *, retrained: bool = False
) -> onnx.ModelProto:
    """Return a graph without rounding, with the checkpoint's weights in place of the rounded ones.

    A rounded number that no number of the checkpoint rounds to stays what it is.

    Args:
        model: In FP32, in FP16, or with Q/DQ; not changed.
        weights: The checkpoint's, FP32.
        retrained: The file's own are those of a training that went on from the checkpoint: take its
            numbers by name, for layers that were not quantized and biases, too.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if any(node.op_type in _QDQ for node in model.graph.node):
        _remove_qdq(result, weights)
    _widen(result.graph, weights)
    if retrained:
        _restore(result.graph, weights)
    del result.graph.value_info[:]
    return result


def _remove_qdq(model: onnx.ModelProto, weights: NetworkWeights) -> None:
    """Let every node read what was there before it was quantized, weights under their old names."""
    graph = QdqGraph(model.graph)
    originals = dict(_originals(graph, weights))
    renamed: dict[str, str] = {}
    replaced: dict[str, NDArray[Any]] = {}
    kept = []
    for node in graph.nodes:
        if node.op_type == "DequantizeLinear" and graph.is_weight(node):
            source = graph.source(node)
            values = originals.get(source)
            replaced[source] = _dequantized(graph, node) if values is None else values
            renamed[node.output[0]] = source
        elif node.op_type in _QDQ:
            renamed[node.output[0]] = renamed.get(node.input[0], node.input[0])
        elif node.op_type == "Transpose" and renamed.get(node.input[0]) in replaced:
            source = renamed[node.input[0]]
            replaced[source] = replaced[source].transpose(attribute(node, "perm"))
            renamed[node.output[0]] = source
        else:
            kept.append(node)
    nodes = [_reading(node, renamed) for node in kept]
    nodes += [
        helper.make_node("Identity", [renamed[value.name]], [value.name])
        for value in model.graph.output
        if value.name in renamed
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    tensors = [each for each in model.graph.initializer if each.name not in replaced]
    tensors += [
        numpy_helper.from_array(np.ascontiguousarray(values), name)
        for name, values in replaced.items()
    ]
    tensors = [onnx.TensorProto.FromString(each.SerializeToString()) for each in tensors]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def _reading(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """Return a copy of a node that reads other values."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for position, name in enumerate(node.input):
        copy.input[position] = names.get(name, name)
    return copy


def _originals(graph: QdqGraph, weights: NetworkWeights) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield (name of a stored weight, the checkpoint's that it stands for)."""
    by_name = {layer.name: layer.weight for layer in weights.layers}
    for node in graph.nodes:
        quantized = graph.behind(node.input[1]) if node.op_type in LAYERS else None
        source = "" if quantized is None else graph.source(quantized)
        if source not in graph.stored:
            continue
        name = graph.layer_name(node)
        values = by_name.get(name, by_name.get(_CALL.sub("", name)))
        if values is not None and list(values.shape) == list(graph.stored[source].dims):
            yield source, values


def _dequantized(graph: QdqGraph, node: onnx.NodeProto) -> NDArray[np.float32]:
    """Return what a DQ of a stored tensor gives; zeros where that cannot be told."""
    content, scale = graph.value(graph.source(node)), graph.value(node.input[1])
    if content is None or scale is None or scale.size not in (1, len(content)):
        return np.zeros(1, np.float32)
    if content.dtype.kind == "f":  # quantized in the graph
        return content.astype(np.float32)
    steps = scale.reshape(-1, *[1] * (content.ndim - 1))
    values: NDArray[np.float32] = content.astype(np.float32) * steps
    return values


def _widen(graph: onnx.GraphProto, weights: NetworkWeights) -> None:
    """Put FP32 numbers where FP16 ones are."""
    originals = _by_half(weights)
    for tensor in graph.initializer:
        _widen_tensor(tensor, originals)
    for node in graph.node:
        for each in node.attribute:
            _widen_tensor(each.t, originals)
            if each.name in ("to", "dtype") and each.i == TensorProto.FLOAT16:
                each.i = TensorProto.FLOAT


def _restore(graph: onnx.GraphProto, weights: NetworkWeights) -> None:
    """Put the checkpoint's numbers where others of their name and shape are, transposed or not."""
    wanted = dict(weights.others)
    for layer in weights.layers:
        wanted[f"{layer.name}.weight"] = layer.weight
        if layer.bias is not None:
            wanted[f"{layer.name}.bias"] = layer.bias
    for tensor in graph.initializer:
        values = wanted.get(_CALL.sub("", tensor.name))
        for each in () if values is None else (values, values.T):
            if list(each.shape) == list(tensor.dims):
                found = numpy_helper.from_array(np.ascontiguousarray(each), tensor.name)
                tensor.CopyFrom(found)
                break


def _by_half(weights: NetworkWeights) -> Mapping[tuple[bytes, tuple[int, ...]], NDArray[Any]]:
    """Return the checkpoint's numbers by what they are in FP16, as they lie and transposed."""
    values = [*weights.others.values()]
    for layer in weights.layers:
        values += [layer.weight, *([] if layer.bias is None else [layer.bias])]
        if layer.weight.ndim == 2:
            values.append(np.ascontiguousarray(layer.weight.T))
    return {(rounded_to_half(each).tobytes(), each.shape): each for each in values}


def _widen_tensor(
    tensor: onnx.TensorProto, originals: Mapping[tuple[bytes, tuple[int, ...]], NDArray[Any]]
) -> None:
    if tensor.data_type != TensorProto.FLOAT16:
        return
    half = numpy_helper.to_array(tensor)
    found = originals.get((half.tobytes(), half.shape))
    values = half.astype(np.float32) if found is None else found
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
