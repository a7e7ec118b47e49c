"""Looking up a graph with Q/DQ pairs: what makes a value, who reads it, what is stored."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COPY = re.compile(r"\.weight(_\d+)?$")  # a layer that is called twice has its weight twice

LAYERS = ("Conv", "Gemm", "MatMul")
"""The operators that are quantized."""


class QdqGraph:
    """A graph, looked up by the names of its values.

    Attributes:
        nodes: In the file's order, which is topological.
        stored: The tensors that the file holds, by name: initializers and Constant nodes.
        maker: The node that makes a value, by the value's name.
        readers: Who reads a value, and as which of its inputs, by the value's name.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes: list[onnx.NodeProto] = list(graph.node)
        self.stored: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        for node in self.nodes:
            if node.op_type == "Constant" and (tensor := attribute(node, "value")) is not None:
                self.stored[node.output[0]] = tensor
        self.maker = {output: node for node in self.nodes for output in node.output}
        self.readers: dict[str, list[tuple[onnx.NodeProto, int]]] = defaultdict(list)
        for node in self.nodes:
            for position, name in enumerate(node.input):
                self.readers[name].append((node, position))
        self._uses = Counter(name for node in self.nodes for name in node.input)
        self._uses.update(output.name for output in graph.output)

    def uses(self, name: str) -> int:
        """Return how often a value is read; as an output of the graph, too."""
        return self._uses[name]

    def behind(self, name: str) -> onnx.NodeProto | None:
        """Return the DQ that makes a layer's input, looking through a transposition."""
        node = self.maker.get(name)
        if node is not None and node.op_type == "Transpose":
            node = self.maker.get(node.input[0])
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def layer_name(self, node: onnx.NodeProto) -> str:
        """Return a layer's name: its weight's without ``.weight``, or its node's."""
        weight = self.behind(node.input[1])
        name = node.input[1] if weight is None else self.source(weight)
        return _COPY.sub("", name) if name in self.stored else node.name

    def is_transposed(self, name: str) -> bool:
        """Whether there is a transposition between a layer's input and its DQ."""
        node = self.maker.get(name)
        return node is not None and node.op_type == "Transpose"

    def quantizer(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Return the Q that a DQ reads, if one makes its input."""
        before = self.maker.get(node.input[0])
        return before if before is not None and before.op_type == "QuantizeLinear" else None

    def source(self, node: onnx.NodeProto) -> str:
        """Return the name of what a Q, or a DQ with or without a Q before it, reads at first."""
        first = self.quantizer(node) or node
        name: str = first.input[0]
        return name

    def is_weight(self, node: onnx.NodeProto) -> bool:
        """Whether a Q or DQ stands behind a stored tensor."""
        return self.source(node) in self.stored

    def is_bias(self, node: onnx.NodeProto) -> bool:
        """Whether a DQ makes a layer's third input, or reads stored INT32."""
        tensor = self.stored.get(node.input[0])
        is_int32 = tensor is not None and tensor.data_type == TensorProto.INT32
        return is_int32 or any(position == 2 for _, position in self.readers[node.output[0]])

    def value(self, name: str) -> NDArray[Any] | None:
        """Return a stored tensor's content; None where it is not in the file itself."""
        tensor = self.stored.get(name)
        if tensor is None or is_external(tensor):
            return None
        return numpy_helper.to_array(tensor)


def attribute(node: onnx.NodeProto, name: str) -> Any:
    """Return a node's attribute, or None where it is not given."""
    for each in node.attribute:
        if each.name == name:
            return helper.get_attribute_value(each)
    return None


def is_external(tensor: TensorProto) -> bool:
    """Whether a tensor's content lies in another file."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def place(node: onnx.NodeProto) -> str:
    """Name a node for a message, such as ``Conv node 'features.conv1/Conv'``."""
    return f"{node.op_type} node {node.name!r}"
