"""Reading the quantized layers of an ONNX file, and telling where their form is not the one asked.

The form is that of ``docs/decisions/0008-int8-form.md``: what every target takes. A file that
deviates from it is refused by some parsers, and by others silently computed wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx

from edgenet.verify.qdq_graph import LAYERS, QdqGraph, attribute, is_external, place

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
    "batch-norm",
    "external-data",
    "type",
    "weight",
]
"""What can be wrong: the name of the rule that is broken."""

_NUMBER = re.compile(r"_\d+$")
_FOREIGN_FORM = re.compile(r"QLinear\w+|QGemm|Q?Attention|(Conv|MatMul)Integer\w*|Dynamic\w+")


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
        self._graph = QdqGraph(graph)

    def layers(self) -> Iterator[QuantizedLayer]:
        for node in self._graph.nodes:
            if node.op_type not in LAYERS:
                continue
            entrance, weight = self._graph.behind(node.input[0]), self._graph.behind(node.input[1])
            if entrance is None or weight is None or len(entrance.input) < 3:
                continue
            content = self._graph.value(self._graph.source(weight))
            scales, zero = self._graph.value(weight.input[1]), self._graph.value(entrance.input[2])
            scale = self._graph.value(entrance.input[1])
            if content is None or scales is None or scale is None or zero is None:
                continue
            if scale.ndim or zero.ndim or scales.shape != content.shape[:1]:
                continue
            if content.dtype.kind == "f":
                content = _rounded(content, scales)
            yield QuantizedLayer(
                name=self._graph.layer_name(node),
                input_scale=float(scale),
                input_zero_point=int(zero),
                input_dtype=str(zero.dtype),
                weight=content,
                weight_scales=scales,
            )

    def lint(self, activations: str) -> Iterator[Violation]:
        for name, tensor in self._graph.stored.items():
            if is_external(tensor):
                detail = "its content is in another file; a parser of bytes does not find it"
                yield Violation(rule="external-data", place=f"tensor {name!r}", detail=detail)
        for node in self._graph.nodes:
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                yield from self._lint_steps(node, activations)
                yield from self._lint_use(node)
            elif _FOREIGN_FORM.fullmatch(node.op_type):
                yield _violation("operator", node, "integers in the operator, not Q/DQ around it")
            elif node.op_type in LAYERS:
                yield from self._lint_layer(node)
            elif node.op_type == "BatchNormalization":
                yield from self._lint_batch_norm(node)

    def _lint_steps(self, node: onnx.NodeProto, activations: str) -> Iterator[Violation]:
        """Look at the scale, the zero point and the axis of a Q or DQ."""
        if self._graph.is_bias(node):
            yield _violation("int32-bias", node, "a bias as INT32; it has to be float32")
            return
        scale = self._graph.value(node.input[1])
        if scale is None or not (np.isfinite(scale).all() and (scale > 0).all()):
            found = "not stored" if scale is None else f"{_worst(scale)}"
            yield _violation("scale", node, f"a scale is {found}; it has to be above 0")
        zero = self._graph.value(node.input[2]) if len(node.input) > 2 else None
        if zero is None:
            yield _violation("zero-point-form", node, "no stored zero point; it has to be there")
            return
        if scale is not None and zero.shape != scale.shape:
            detail = f"zero points {list(zero.shape)} for scales {list(scale.shape)}"
            yield _violation("zero-point-form", node, detail)
        is_weight = self._graph.is_weight(node)
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
        yield from self._lint_pair(node)

    def _lint_pair(self, node: onnx.NodeProto) -> Iterator[Violation]:
        """Look whether a DQ takes the steps that its Q gave."""
        before = self._graph.quantizer(node) if node.op_type == "DequantizeLinear" else None
        if before is None:
            return
        parts: tuple[tuple[Rule, int], ...] = (("scale", 1), ("zero-point", 2))
        for rule, position in parts:
            given, taken = (
                self._graph.value(each.input[position]) if len(each.input) > position else None
                for each in (before, node)
            )
            if given is not None and taken is not None and not np.array_equal(given, taken):
                word = rule.replace("-", " ")
                detail = f"its {word} {_shown(taken)} is not the {_shown(given)} of {place(before)}"
                yield _violation(rule, node, detail)

    def _lint_axis(self, node: onnx.NodeProto, scale: NDArray[Any]) -> Iterator[Violation]:
        axis = attribute(node, "axis")
        dims = list(self._graph.stored[self._graph.source(node)].dims)
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
        if self._graph.uses(result) > 1:
            detail = f"{self._graph.uses(result)} nodes read it; each needs a pair of its own"
            yield _violation("shared-pair", node, detail)
        allowed = ("DequantizeLinear",) if node.op_type == "QuantizeLinear" else LAYERS
        if node.op_type == "DequantizeLinear" and self._graph.is_weight(node):
            allowed = (*allowed, "Transpose")
        for reader, _ in self._graph.readers[result]:
            if reader.op_type not in allowed:
                yield _violation("operator", node, f"it is read by {place(reader)}")

    def _lint_layer(self, node: onnx.NodeProto) -> Iterator[Violation]:
        inputs = [self._graph.behind(name) is not None for name in node.input[:2]]
        if inputs[0] != inputs[1]:
            missing = "weight" if inputs[0] else "input"
            yield _violation("half-quantized", node, f"its {missing} is not quantized")
        rows_are_inputs = not (
            attribute(node, "transB") or self._graph.is_transposed(node.input[1])
        )
        if inputs[1] and node.op_type != "Conv" and rows_are_inputs:
            detail = (
                "axis 0 of its weight, which the scales are along, is the inputs; it has to be "
                "the output channels: store the weight transposed, with transB or a Transpose"
            )
            yield _violation("axis", node, detail)

    def _lint_batch_norm(self, node: onnx.NodeProto) -> Iterator[Violation]:
        """Look whether a batch normalisation could be part of the layer before it."""
        layer = self._graph.maker.get(node.input[0])
        if layer is None or layer.op_type not in LAYERS or self._graph.uses(node.input[0]) > 1:
            return
        if self._graph.behind(layer.input[1]) is None:
            return
        detail = (
            f"it is not folded into {place(layer)}, whose weight was quantized without its factors"
        )
        yield _violation("batch-norm", node, detail)


def _wrong_weights(
    layers: tuple[QuantizedLayer, ...], parent: NetworkWeights
) -> Iterator[Violation]:
    wanted = {layer.name: layer.weight for layer in parent.layers}
    for layer in layers:
        weight = wanted.get(layer.name, wanted.get(_NUMBER.sub("", layer.name)))
        name = f"layer {layer.name!r}"
        if weight is None or weight.shape != layer.weight.shape:
            yield Violation(rule="weight", place=name, detail="the parent has no such weight")
            continue
        different = _rounded(weight, layer.weight_scales) != layer.weight
        channels = np.unique(np.argwhere(different)[:, 0])
        if len(channels):
            detail = (
                f"{int(different.sum()):,} of {different.size:,} weights, the first in output "
                f"channel {channels[0]}, are not the parent's, rounded by the channel's scale"
            )
            yield Violation(rule="weight", place=name, detail=detail)


def _rounded(weight: NDArray[Any], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round as QuantizeLinear does, with −128 left out; a scale of 0 or NaN makes any integer."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.rint(weight / scales.reshape(-1, *[1] * (weight.ndim - 1)))
        return np.clip(steps, -127, 127).astype(np.int8)


def _shown(values: NDArray[Any]) -> str:
    """Write one value, or how many there are."""
    return f"{values.flat[0]:.6g}" if values.size == 1 else f"{list(values.shape)} values"


def _worst(scale: NDArray[Any]) -> Any:
    return scale[~(np.isfinite(scale) & (scale > 0))].flat[0]


def _violation(rule: Rule, node: onnx.NodeProto, detail: str) -> Violation:
    return Violation(rule=rule, place=place(node), detail=detail)
