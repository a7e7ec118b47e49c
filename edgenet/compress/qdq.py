"""Writing quantization into an ONNX graph: QuantizeLinear/DequantizeLinear pairs (Q/DQ).

A quantized layer reads its input through a Q/DQ pair of its own and its weight through a DQ, per
output channel on axis 0. Its bias and its result stay float32; so does all else. That is what
TensorRT's parser asks for. No two nodes share a stored tensor but the zero point of activations, so
a layer that is called twice has its weight twice: onnxruntime does not load a file that shares them
in its exact mode (see :mod:`edgenet.compress.execution`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgenet.compress.layers import WeightedNode, weighted_nodes
from edgenet.export.onnx_wrap import Names

if TYPE_CHECKING:
    from numpy.typing import NDArray

StoredWeights = Literal["int8", "fp32"]

_LARGEST = 127  # −128 stays unused, so that a weight and its negative are equally good
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How the values of a tensor become integers: x ≈ scale · (q − zero_point).

    Attributes:
        scale: Above 0.
        zero_point: What 0.0 becomes; 0 for int8.
        dtype: Of q.
    """

    scale: float
    zero_point: int = 0
    dtype: Literal["int8", "uint8"] = "int8"

    @classmethod
    def symmetric(cls, magnitude: float) -> Steps:
        """Return the int8 steps for values of [−magnitude, magnitude]."""
        return cls(scale=_scale(magnitude / _LARGEST))

    @classmethod
    def spanning(cls, low: float, high: float) -> Steps:
        """Return the uint8 steps for values of [low, high], and for 0, which becomes exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = _scale((high - low) / 255)
        return cls(scale=scale, zero_point=min(255, round(-low / scale)), dtype="uint8")


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerSteps:
    """How one node's input and weight become integers.

    Attributes:
        input: Of the value that it reads.
        weight: Scales float32 [C_out], above 0; the zero points are 0. Nodes of one layer share
            their weight, and so have the same.
    """

    input: Steps
    weight: NDArray[np.float32]


def weight_scales(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scales [C_out] by which a weight [C_out, ...] just fills −127 to 127."""
    largest = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    return np.array([_scale(float(value) / _LARGEST) for value in largest], np.float32)


def quantized_weight(weight: NDArray[np.float32], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round a weight [C_out, ...] to the steps of its channels, ties to even as QuantizeLinear."""
    per_channel = scales.reshape(-1, *[1] * (weight.ndim - 1))
    rounded = np.clip(np.rint(weight / per_channel), -_LARGEST, _LARGEST)
    integers: NDArray[np.int8] = rounded.astype(np.int8)
    return integers


def insert_qdq(
    model: onnx.ModelProto,
    steps: Mapping[str, LayerSteps],
    *,
    stored: StoredWeights = "int8",
) -> onnx.ModelProto:
    """Return a copy of a model with these nodes quantized.

    Args:
        model: Opset 13 or later. Names, metadata and opset stay as they are.
        steps: By the name of a node's output, as in
            :attr:`edgenet.compress.layers.WeightedNode.output`. Other nodes stay as they are.
        stored: ``int8`` stores quantized weights. ``fp32`` stores them as they were, with a Q
            before each DQ, as TensorRT 8 wants them; both compute the same.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    _Writer(result.graph, stored).insert(steps)
    return result


class _Writer:
    """One pass over a graph; what prepares a layer's input and weight is written just before it."""

    def __init__(self, graph: onnx.GraphProto, stored: StoredWeights) -> None:
        self._graph = graph
        self._stored = stored
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._zero_points: dict[tuple[str, int], str] = {}
        self._names = Names(graph)

    def insert(self, steps: Mapping[str, LayerSteps]) -> None:
        graph = self._graph
        chosen = {node.output: node for node in weighted_nodes(graph) if node.output in steps}
        gone = self._unread_without(chosen)
        self._names.free(gone)
        for node in graph.node:
            if gone.intersection(node.output):
                continue
            if node.output and node.output[0] in chosen:
                self._quantize(node, chosen[node.output[0]], steps[node.output[0]])
            self._nodes.append(node)
        tensors = [tensor for tensor in graph.initializer if tensor.name not in gone]
        for repeated, content in (
            (graph.node, self._nodes),
            (graph.initializer, [*tensors, *self._constants]),
            (graph.value_info, []),
        ):
            del repeated[:]
            repeated.extend(content)

    def _unread_without(self, chosen: Mapping[str, WeightedNode]) -> set[str]:
        """Return the stored weights that only these nodes read, as float32."""
        readers = Counter(name for node in self._graph.node for name in node.input)
        readers.subtract(node.weight_name for node in chosen.values())
        return {node.weight_name for node in chosen.values() if not readers[node.weight_name]}

    def _quantize(self, node: onnx.NodeProto, layer: WeightedNode, steps: LayerSteps) -> None:
        """Put Q and DQ before the input of a node, and DQ before its weight."""
        name, entrance = layer.layer, steps.input
        scale = self._constant(f"{name}.input_scale", np.float32(entrance.scale))
        zero_point = self._zero_point(entrance)
        integers = self._node("QuantizeLinear", name, [layer.input, scale, zero_point])
        node.input[0] = self._node("DequantizeLinear", name, [integers, scale, zero_point])
        node.input[1] = self._weight(layer, steps.weight)
        if layer.operator == "Gemm" and layer.stored_transposed:
            others = [each for each in node.attribute if each.name != "transB"]
            del node.attribute[:]
            node.attribute.extend([*others, helper.make_attribute("transB", 1)])

    def _weight(self, layer: WeightedNode, scales: NDArray[np.float32]) -> str:
        """Write what makes a node's weight; return the name of the result."""
        name = layer.weight_name
        as_fp32 = self._stored == "fp32"
        content = layer.weight if as_fp32 else quantized_weight(layer.weight, scales)
        weight = self._constant(name, content)
        scale = self._constant(f"{name}_scale", scales)
        zeros = self._constant(f"{name}_zero_point", np.zeros(len(scales), np.int8))
        if as_fp32:
            weight = self._node("QuantizeLinear", name, [weight, scale, zeros], axis=0)
        weight = self._node("DequantizeLinear", name, [weight, scale, zeros], axis=0)
        if layer.operator == "MatMul":  # it cannot read a weight the other way round
            weight = self._node("Transpose", name, [weight], perm=[1, 0])
        return weight

    def _node(self, operator: str, scope: str, inputs: list[str], **attributes: Any) -> str:
        """Write a node that makes one value; return that value's name, which is the node's too."""
        name = self._names.new(f"{scope}/{operator}")
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def _zero_point(self, steps: Steps) -> str:
        """Store the zero point of an activation, once for all that have the same."""
        key = (steps.dtype, steps.zero_point)
        if key not in self._zero_points:
            zero = np.dtype(steps.dtype).type(steps.zero_point)
            self._zero_points[key] = self._constant("zero_point", zero)
        return self._zero_points[key]

    def _constant(self, wanted: str, content: Any) -> str:
        """Store a tensor under a name like ``wanted``; return its name."""
        name = self._names.new(wanted)
        self._constants.append(numpy_helper.from_array(np.asarray(content), name))
        return name


def _scale(wanted: float) -> float:
    """Return a scale that float32 holds and that is above 0; any will do where all values are 0."""
    return max(float(np.float32(wanted)), _SMALLEST_SCALE) if wanted else 1.0
