"""Which numbers an ONNX graph multiplies and adds: its weights in the layout of PyTorch.

What is read is what the graph *uses*. A weight that lies in the file but that no node reads is not
reported, and one that a node reads transposed is reported transposed; so a graph that is wired
wrongly does not pass for one that merely stores the right numbers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

from edgenet.weights import LayerWeights, NetworkWeights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True)
class _Constant:
    """A value that does not depend on the input: the name it is stored under, and the number(s)."""

    name: str
    value: NDArray[Any]


def weights_of(model: onnx.ModelProto) -> NetworkWeights:
    """Return the weights that the nodes of a graph read.

    Constants are followed through ``Identity`` and ``Transpose``. Layouts that become PyTorch's:
    ``Gemm`` without ``transB`` and ``MatMul`` hold a linear weight transposed; the ``Add`` behind a
    ``MatMul`` holds its bias.
    """
    return _Reader(model.graph).read()


class _Reader:
    """One pass over a graph in its topological order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._constants = {
            t.name: _Constant(t.name, numpy_helper.to_array(t)) for t in graph.initializer
        }
        self._readers = Counter(name for node in graph.node for name in node.input)
        self._readers.update(output.name for output in graph.output)
        self._bias_adds = dict(self._find_bias_adds())

    def read(self) -> NetworkWeights:
        layers: list[LayerWeights] = []
        others: dict[str, NDArray[Any]] = {}
        bias_adds = {node.output[0] for node in self._bias_adds.values()}
        for node in self._graph.node:
            if self._fold(node) or node.output[0] in bias_adds:
                continue
            layer = self._layer(node)
            if layer is not None:
                layers.append(layer)
                continue
            for name in node.input:
                constant = self._constants.get(name)
                if constant is not None and constant.value.dtype.kind == "f":
                    others[constant.name] = constant.value
        return NetworkWeights(layers=tuple(layers), others=others)

    def _fold(self, node: onnx.NodeProto) -> bool:
        """Take a node that only passes a constant on; tell whether it is one."""
        if node.op_type == "Constant":
            value = _attribute(node, "value")
            if value is not None:
                name = node.output[0]
                self._constants[name] = _Constant(name, numpy_helper.to_array(value))
            return True
        source = self._constants.get(node.input[0]) if node.input else None
        if source is None or node.op_type not in ("Identity", "Transpose"):
            return False
        value = source.value
        if node.op_type == "Transpose":
            value = value.transpose(_attribute(node, "perm"))
        self._constants[node.output[0]] = _Constant(source.name, value)
        return True

    def _layer(self, node: onnx.NodeProto) -> LayerWeights | None:
        weight = self._constants.get(node.input[1]) if len(node.input) > 1 else None
        if weight is None:
            return None
        if node.op_type == "Conv":
            return _layer_at(node, "conv", weight, weight.value, self._bias(node, 2))
        if node.op_type == "Gemm":
            value = weight.value if _attribute(node, "transB", 0) else weight.value.T
            bias = self._bias(node, 2)
            alpha, beta = _attribute(node, "alpha", 1.0), _attribute(node, "beta", 1.0)
            scaled_bias = bias if bias is None or beta == 1 else bias * np.float32(beta)
            scaled = value if alpha == 1 else value * np.float32(alpha)
            return _layer_at(node, "linear", weight, scaled, scaled_bias)
        if node.op_type == "MatMul" and weight.value.ndim == 2:
            add = self._bias_adds.get(node.output[0])
            bias = None if add is None else self._bias_of_add(add)
            return _layer_at(node, "linear", weight, weight.value.T, bias)
        return None

    def _bias(self, node: onnx.NodeProto, position: int) -> NDArray[Any] | None:
        constant = self._constants.get(node.input[position]) if len(node.input) > position else None
        return None if constant is None else constant.value.reshape(-1)

    def _find_bias_adds(self) -> Iterator[tuple[str, onnx.NodeProto]]:
        """Yield (output of a MatMul, the Add of a constant vector that alone reads it)."""
        products = {node.output[0] for node in self._graph.node if node.op_type == "MatMul"}
        for node in self._graph.node:
            if node.op_type == "Add" and self._bias_of_add(node) is not None:
                for name in node.input:
                    if name in products and self._readers[name] == 1:
                        yield name, node

    def _bias_of_add(self, node: onnx.NodeProto) -> NDArray[Any] | None:
        for name in node.input:
            constant = self._constants.get(name)
            if constant is not None and constant.value.ndim == 1:
                return constant.value
        return None


def _layer_at(
    node: onnx.NodeProto,
    kind: Any,
    stored: _Constant,
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
) -> LayerWeights:
    return LayerWeights(
        name=stored.name.removesuffix(".weight"),
        place=f"{node.op_type} node {node.name!r}",
        kind=kind,
        weight=weight,
        bias=bias,
    )


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    for attribute in node.attribute:
        if attribute.name == name:
            return onnx.helper.get_attribute_value(attribute)
    return default
