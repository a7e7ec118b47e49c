"""Looking up a graph with Q/DQ pairs: what makes a value, who reads it, what is stored."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import CorruptFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COPY = re.compile(r"\.weight(_\d+)?$")  # a layer that is called twice has its weight twice

LAYERS = ("Conv", "Gemm", "MatMul")
"""The operators that are quantized."""


class QdqGraph:
    """A graph, looked up by the names of its values.

    Args:
        graph: The graph.
        outer: The graph around it, whose values it may read; None for a file's main graph.
        owner: The node of the outer graph that it is a branch or body of.
        within: What messages say of where it is, such as ``, in then_branch of If node 'c'``.

    Attributes:
        graph: The graph.
        owner: As given.
        within: As given.
        nodes: In the file's order, which is topological.
        own: The tensors that the graph holds, by name: initializers and Constant nodes.
        stored: These and the outer graphs'.
        maker: The node that makes a value, by the value's name.
        readers: Who reads a value, and as which of its inputs, by the value's name.
    """

    def __init__(
        self,
        graph: onnx.GraphProto,
        outer: QdqGraph | None = None,
        owner: onnx.NodeProto | None = None,
        within: str = "",
    ) -> None:
        self.graph = graph
        self.owner = owner
        self.within = within
        self.nodes: list[onnx.NodeProto] = list(graph.node)
        self.own: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        for node in self.nodes:
            if operator(node) == "Constant" and (tensor := attribute(node, "value")) is not None:
                self.own[node.output[0]] = tensor
        self.stored: dict[str, TensorProto] = {**(outer.stored if outer else {}), **self.own}
        self.maker: dict[str, onnx.NodeProto] = dict(outer.maker) if outer else {}
        self.maker.update((output, node) for node in self.nodes for output in node.output)
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
        if node is not None and operator(node) == "Transpose":
            node = self.maker.get(node.input[0])
        return node if node is not None and operator(node) == "DequantizeLinear" else None

    def layer_name(self, node: onnx.NodeProto) -> str:
        """Return a layer's name: its weight's without ``.weight``, or its node's."""
        weight = self.behind(node.input[1])
        name = node.input[1] if weight is None else self.source(weight)
        return _COPY.sub("", name) if name in self.stored else node.name

    def is_transposed(self, name: str) -> bool:
        """Whether there is a transposition between a layer's input and its DQ."""
        node = self.maker.get(name)
        return node is not None and operator(node) == "Transpose"

    def quantizer(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Return the Q that a DQ reads, if one makes its input."""
        before = self.maker.get(node.input[0])
        return before if before is not None and operator(before) == "QuantizeLinear" else None

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
        return is_int32 or any(
            position == 2 and operator(reader) in LAYERS
            for reader, position in self.readers[node.output[0]]
        )

    def value(self, name: str) -> NDArray[Any] | None:
        """Return a stored tensor's content; None where it is not in the file itself.

        Raises:
            CorruptFile: It does not hold as many numbers as it claims to, or of no known type.
        """
        tensor = self.stored.get(name)
        if tensor is None or is_external(tensor):
            return None
        try:
            return numpy_helper.to_array(tensor)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"tensor {name!r} does not hold what it claims to") from error


def graphs_of(model: onnx.ModelProto) -> Iterator[QdqGraph]:
    """Yield a model's main graph and every graph within it: branches of If, bodies of Loop."""
    yield from _with_inner(QdqGraph(model.graph))


def _with_inner(graph: QdqGraph) -> Iterator[QdqGraph]:
    yield graph
    for node in graph.nodes:
        for each in node.attribute:
            inner = (each.g,) if each.HasField("g") else each.graphs
            for found in inner:
                within = f", in {each.name} of {place(node)}{graph.within}"
                yield from _with_inner(QdqGraph(found, graph, node, within))


def operator(node: onnx.NodeProto) -> str:
    """Return the name of a node's operator, with its domain in front where that is not ONNX's."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def type_name(tensor: TensorProto) -> str:
    """Return a stored tensor's type as NumPy calls it, such as ``int8``."""
    return element_name(tensor.data_type)


def element_name(element: int) -> str:
    """Return the name of a type by its number in ONNX: ``int8``, ``float64``, ``bfloat16``."""
    if element not in TensorProto.DataType.values():
        return f"type {element}"
    name: str = TensorProto.DataType.Name(element)
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


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
    if not node.name and node.output:
        return f"{node.op_type} node of value {node.output[0]!r}"
    return f"{node.op_type} node {node.name!r}"
