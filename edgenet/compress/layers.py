"""The layers of an ONNX graph that can be quantized: those that multiply by a stored weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

OPERATORS = ("Conv", "Gemm", "MatMul")
NARROW = 16
"""A layer with fewer outputs or inputs than this fills no tile of a matrix unit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightedNode:
    """A node that multiplies its input by a stored weight.

    Attributes:
        layer: The layer's name: its weight's, without ``.weight``. A layer that is called twice is
            two nodes.
        operator: ``Conv``, ``Gemm`` or ``MatMul``.
        input: Name of the value it reads.
        output: Name of the value it makes, which is no other node's.
        weight_name: Under which the file stores the weight.
        weight: float32, output channels first: [C_out, C_in / groups, *kernel] or
            [features_out, features_in].
        stored_transposed: The file has a linear weight the other way round.
    """

    layer: str
    operator: str
    input: str
    output: str
    weight_name: str
    weight: NDArray[np.float32]
    stored_transposed: bool

    @property
    def is_narrow(self) -> bool:
        """Whether its outputs or inputs are fewer than 16."""
        return bool(min(self.weight.shape[:2]) < NARROW)


def weighted_nodes(graph: onnx.GraphProto) -> tuple[WeightedNode, ...]:
    """Return the nodes of a graph that can be quantized, in its topological order.

    These are Conv, Gemm and MatMul with a float32 weight that the file stores and an input that it
    does not.
    """
    return tuple(_find(graph))


def stored_tensors(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    """Return the tensors that a graph stores, by name: initializers and Constant nodes."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = attribute.t
    return found


def _find(graph: onnx.GraphProto) -> Iterator[WeightedNode]:
    stored = stored_tensors(graph)
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
            continue
        tensor = stored.get(node.input[1])
        if tensor is None or tensor.data_type != TensorProto.FLOAT or node.input[0] in stored:
            continue
        is_linear = node.op_type != "Conv"
        if is_linear and (len(tensor.dims) != 2 or _attribute(node, "transA")):
            continue
        transposed = is_linear and not _attribute(node, "transB")
        weight = numpy_helper.to_array(tensor)
        yield WeightedNode(
            layer=node.input[1].removesuffix(".weight"),
            operator=node.op_type,
            input=node.input[0],
            output=node.output[0],
            weight_name=node.input[1],
            weight=np.ascontiguousarray(weight.T) if transposed else weight,
            stored_transposed=transposed,
        )


def _attribute(node: onnx.NodeProto, name: str) -> int:
    for attribute in node.attribute:
        if attribute.name == name:
            return int(helper.get_attribute_value(attribute))
    return 0
