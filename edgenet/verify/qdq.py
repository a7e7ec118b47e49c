"""Reading the quantized layers of an ONNX file, and telling where their form is not the one asked.

The form is that of ``docs/decisions/0008-int8-form.md``: what every target takes. A file that
deviates from it is refused by some parsers, and by others silently computed wrongly.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.weights import NetworkWeights

Rule = Literal[
    "zero-point",
    "zero-point-form",
    "scale",
    "axis",
    "int32-bias",
    "shared-pair",
    "operator",
    "half-quantized",
    "type",
    "weight",
]
"""What can be wrong: the name of the rule that is broken."""

_LAYERS = ("Conv", "Gemm", "MatMul")
_NUMBER = re.compile(r"_\d+$")
_COPY = re.compile(r"\.weight(_\d+)?$")  # a layer that is called twice has its weight twice
_FOREIGN_FORMS = ("ConvInteger", "MatMulInteger", "QGemm", "QLinearConv", "QLinearMatMul")


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One place where a file is not in the form.

    Attributes:
        rule: Which rule is broken.
        place: The node, such as ``DequantizeLinear node 'features.conv1/DequantizeLinear'``.
        detail: What is there, and what should be.
    """

    rule: Rule
    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: {self.detail}"


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLayer:
    """A convolution or linear layer whose input and weight are integers.

    Attributes:
        name: The layer's: its weight's, without ``.weight``.
        input_scale: Of its input.
        input_zero_point: Of its input.
        input_dtype: ``int8`` or ``uint8``.
        weight: int8, output channels first.
        weight_scales: float32, one an output channel.
    """

    name: str
    input_scale: float
    input_zero_point: int
    input_dtype: str
    weight: NDArray[np.int8]
    weight_scales: NDArray[np.float32]


def violations(model: onnx.ModelProto, *, activations: str = "int8") -> tuple[Violation, ...]:
    """Return every place where a file is not in the form; none for a file that every target takes.

    Args:
        model: A quantized graph. Layers that are left in FP32 are no violation.
        activations: ``int8`` with zero point 0, or ``uint8`` with any, for targets that take it.
    """
    return tuple(_Reader(model.graph).lint(activations))


def quantized_layers(model: onnx.ModelProto) -> tuple[QuantizedLayer, ...]:
    """Return the quantized layers of a file in the form, in its topological order.

    Layers of a file that is not in the form may be missing.
    """
    return tuple(_Reader(model.graph).layers())


def weight_violations(model: onnx.ModelProto, parent: NetworkWeights) -> tuple[Violation, ...]:
    """Return the layers whose integers are not the parent's weights, rounded to their steps.

    Args:
        model: A quantized graph.
        parent: The FP32 weights, output channels first, under the same names.
    """
    return tuple(_wrong_weights(quantized_layers(model), parent))


class _Reader:
    """One pass over a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._nodes = list(graph.node)
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        for node in self._nodes:
            if node.op_type == "Constant" and (tensor := _attribute(node, "value")) is not None:
                self._stored[node.output[0]] = tensor
        self._maker = {output: node for node in self._nodes for output in node.output}
        self._readers = defaultdict(list)
        for node in self._nodes:
            for position, name in enumerate(node.input):
                self._readers[name].append((node, position))
        self._uses = Counter(name for node in self._nodes for name in node.input)
        self._uses.update(output.name for output in graph.output)

    def layers(self) -> Iterator[QuantizedLayer]:
        for node in self._nodes:
            if node.op_type not in _LAYERS:
                continue
            entrance, weight = self._behind(node.input[0]), self._behind(node.input[1])
            if entrance is None or weight is None or len(entrance.input) < 3:
                continue
            stored = self._stored.get(self._source(weight))
            scales, zero = self._value(weight.input[1]), self._value(entrance.input[2])
            scale = self._value(entrance.input[1])
            if stored is None or scales is None or scale is None or zero is None:
                continue
            if scale.ndim or zero.ndim:
                continue
            content = numpy_helper.to_array(stored)
            if content.dtype.kind == "f":
                content = _rounded(content, scales)
            yield QuantizedLayer(
                name=_COPY.sub("", self._source(weight)),
                input_scale=float(scale),
                input_zero_point=int(zero),
                input_dtype=str(zero.dtype),
                weight=content,
                weight_scales=scales,
            )

    def lint(self, activations: str) -> Iterator[Violation]:
        for node in self._nodes:
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                yield from self._lint_steps(node, activations)
                yield from self._lint_use(node)
            elif node.op_type in _FOREIGN_FORMS:
                yield _violation("operator", node, "integers in the operator, not Q/DQ around it")
            elif node.op_type in _LAYERS:
                yield from self._lint_layer(node)

    def _lint_steps(self, node: onnx.NodeProto, activations: str) -> Iterator[Violation]:
        """Look at the scale, the zero point and the axis of a Q or DQ."""
        if self._is_bias(node):
            yield _violation("int32-bias", node, "a bias as INT32; it has to be float32")
            return
        scale = self._value(node.input[1])
        if scale is None or not (np.isfinite(scale).all() and (scale > 0).all()):
            found = "not stored" if scale is None else f"{_worst(scale)}"
            yield _violation("scale", node, f"a scale is {found}; it has to be above 0")
        zero = self._value(node.input[2]) if len(node.input) > 2 else None
        if zero is None:
            yield _violation("zero-point-form", node, "no stored zero point; it has to be there")
            return
        if scale is not None and zero.shape != scale.shape:
            detail = f"zero points {list(zero.shape)} for scales {list(scale.shape)}"
            yield _violation("zero-point-form", node, detail)
        is_weight = self._is_weight(node)
        wanted = "int8" if is_weight else activations
        if str(zero.dtype) != wanted:
            yield _violation("type", node, f"{zero.dtype} where {wanted} is asked for")
        elif wanted == "int8" and zero.any():
            detail = f"a zero point is {int(zero[zero != 0].flat[0])}; int8 has to be symmetric"
            yield _violation("zero-point", node, detail)
        if is_weight and scale is not None:
            yield from self._lint_axis(node, scale)
        elif scale is not None and scale.ndim:
            yield _violation("axis", node, "several scales for one activation")

    def _lint_axis(self, node: onnx.NodeProto, scale: NDArray[Any]) -> Iterator[Violation]:
        axis = _attribute(node, "axis")
        dims = list(self._stored[self._source(node)].dims)
        if scale.ndim != 1:
            yield _violation("axis", node, "one scale for all output channels")
        elif axis is None:
            detail = "no axis is given, which means 1; it has to be 0, the output channels"
            yield _violation("axis", node, detail)
        elif axis != 0 or len(scale) != dims[0]:
            detail = f"{len(scale)} scales on axis {axis} of {dims}; it has to be {dims[0]} on 0"
            yield _violation("axis", node, detail)

    def _lint_use(self, node: onnx.NodeProto) -> Iterator[Violation]:
        """Look at who reads the result of a Q or DQ."""
        result = node.output[0]
        if self._uses[result] > 1:
            detail = f"{self._uses[result]} nodes read it; each needs a pair of its own"
            yield _violation("shared-pair", node, detail)
        allowed = ("DequantizeLinear",) if node.op_type == "QuantizeLinear" else _LAYERS
        if node.op_type == "DequantizeLinear" and self._is_weight(node):
            allowed = (*allowed, "Transpose")
        for reader, _ in self._readers[result]:
            if reader.op_type not in allowed:
                yield _violation("operator", node, f"it is read by {_place(reader)}")

    def _lint_layer(self, node: onnx.NodeProto) -> Iterator[Violation]:
        inputs = [self._behind(name) is not None for name in node.input[:2]]
        if inputs[0] != inputs[1]:
            missing = "weight" if inputs[0] else "input"
            yield _violation("half-quantized", node, f"its {missing} is not quantized")

    def _behind(self, name: str) -> onnx.NodeProto | None:
        """Return the DQ that makes a layer's input, looking through a transposition."""
        node = self._maker.get(name)
        if node is not None and node.op_type == "Transpose":
            node = self._maker.get(node.input[0])
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def _source(self, node: onnx.NodeProto) -> str:
        """Return the name of what a Q, or a DQ with or without a Q before it, reads at first."""
        before = self._maker.get(node.input[0])
        first = before if before is not None and before.op_type == "QuantizeLinear" else node
        name: str = first.input[0]
        return name

    def _is_weight(self, node: onnx.NodeProto) -> bool:
        return self._source(node) in self._stored

    def _is_bias(self, node: onnx.NodeProto) -> bool:
        tensor = self._stored.get(node.input[0])
        is_int32 = tensor is not None and tensor.data_type == TensorProto.INT32
        return is_int32 or any(position == 2 for _, position in self._readers[node.output[0]])

    def _value(self, name: str) -> NDArray[Any] | None:
        tensor = self._stored.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)


def _wrong_weights(
    layers: tuple[QuantizedLayer, ...], parent: NetworkWeights
) -> Iterator[Violation]:
    wanted = {layer.name: layer.weight for layer in parent.layers}
    for layer in layers:
        weight = wanted.get(layer.name, wanted.get(_NUMBER.sub("", layer.name)))
        place = f"layer {layer.name!r}"
        if weight is None or weight.shape != layer.weight.shape:
            yield Violation(rule="weight", place=place, detail="the parent has no such weight")
            continue
        if len(layer.weight_scales) != len(weight):
            continue  # a matter of the axis
        different = _rounded(weight, layer.weight_scales) != layer.weight
        channels = np.unique(np.argwhere(different)[:, 0])
        if len(channels):
            detail = (
                f"{int(different.sum()):,} of {different.size:,} weights, the first in output "
                f"channel {channels[0]}, are not the parent's, rounded by the channel's scale"
            )
            yield Violation(rule="weight", place=place, detail=detail)


def _rounded(weight: NDArray[Any], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round as QuantizeLinear does, with −128 left out."""
    steps = np.rint(weight / scales.reshape(-1, *[1] * (weight.ndim - 1)))
    return np.clip(steps, -127, 127).astype(np.int8)


def _worst(scale: NDArray[Any]) -> Any:
    return scale[~(np.isfinite(scale) & (scale > 0))].flat[0]


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    for attribute in node.attribute:
        if attribute.name == name:
            return helper.get_attribute_value(attribute)
    return None


def _place(node: onnx.NodeProto) -> str:
    return f"{node.op_type} node {node.name!r}"


def _violation(rule: Rule, node: onnx.NodeProto, detail: str) -> Violation:
    return Violation(rule=rule, place=_place(node), detail=detail)
