"""Where a graph with Q/DQ pairs is not in the form that every target takes.

The form is that of ``docs/decisions/0008-int8-form.md``. A file that deviates from it is refused by
some parsers, and by others silently computed wrongly; :mod:`edgenet.verify.lint_quantized` says
which deviations matter to which runtime.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import onnx

from edgenet.verify.qdq_graph import (
    LAYERS,
    QdqGraph,
    attribute,
    is_external,
    operator,
    place,
    type_name,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

Fault = Literal[
    "external-data",
    "int32-bias",
    "scale",
    "scale-not-stored",
    "scale-of-pair",
    "zero-point",
    "zero-point-of-pair",
    "zero-point-size",
    "no-zero-point",
    "no-type",
    "type",
    "axis",
    "axis-length",
    "one-scale",
    "scales-of-activation",
    "scales-of-inputs",
    "shared-pair",
    "reader",
    "integer-operator",
    "half-quantized",
    "batch-norm",
    "weight",
]
"""How a rule is broken: a runtime may refuse one fault of a rule and compute another rightly."""

_RULES: dict[Fault, Rule] = {
    "scale-not-stored": "scale",
    "scale-of-pair": "scale",
    "zero-point-of-pair": "zero-point",
    "zero-point-size": "zero-point-form",
    "no-zero-point": "zero-point-form",
    "no-type": "zero-point-form",
    "axis-length": "axis",
    "one-scale": "axis",
    "scales-of-activation": "axis",
    "scales-of-inputs": "axis",
    "reader": "operator",
    "integer-operator": "operator",
}

_INTEGER_OPERATOR = re.compile(r"QLinear\w+|QGemm|Q?Attention|(Conv|MatMul)Integer\w*|Dynamic\w+")


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One place where a file is not in the form.

    Attributes:
        fault: What is wrong.
        place: The node, such as ``DequantizeLinear node 'features.conv1/DequantizeLinear'``.
        detail: What is there, and what should be.
    """

    fault: Fault
    place: str
    detail: str

    @property
    def rule(self) -> Rule:
        """Which rule is broken."""
        return _RULES.get(self.fault) or cast("Rule", self.fault)

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: {self.detail}"


def is_integer_operator(node: onnx.NodeProto) -> bool:
    """Whether an operator computes with integers itself, as in onnxruntime's QOperator format."""
    return _INTEGER_OPERATOR.fullmatch(node.op_type) is not None


def form_violations(graph: QdqGraph, activations: str) -> Iterator[Violation]:
    """Yield every place of one graph that is not in the form.

    Args:
        graph: Without the graphs within it.
        activations: ``int8`` with zero point 0, or ``uint8`` with any.
    """
    return _Form(graph, activations).violations()


class _Form:
    """One pass over a graph."""

    def __init__(self, graph: QdqGraph, activations: str) -> None:
        self._graph = graph
        self._activations = activations

    def violations(self) -> Iterator[Violation]:
        for name, tensor in self._graph.own.items():
            if is_external(tensor):
                detail = "its content is in another file; a parser of bytes does not find it"
                yield Violation(fault="external-data", place=f"tensor {name!r}", detail=detail)
        for node in self._graph.nodes:
            if operator(node) in ("QuantizeLinear", "DequantizeLinear"):
                yield from self._steps(node)
                yield from self._use(node)
            elif is_integer_operator(node):
                detail = "integers in the operator, not Q/DQ around it"
                yield self._violation("integer-operator", node, detail)
            elif operator(node) in LAYERS:
                yield from self._layer(node)
            elif operator(node) == "BatchNormalization":
                yield from self._batch_norm(node)

    def _steps(self, node: onnx.NodeProto) -> Iterator[Violation]:
        """Look at the scale, the zero point and the axis of a Q or DQ."""
        if self._graph.is_bias(node):
            tensor = self._graph.stored.get(self._graph.source(node))
            found = "integers" if tensor is None else type_name(tensor).upper()
            yield self._violation("int32-bias", node, f"a bias as {found}; it has to be float32")
            return
        scale = self._graph.value(node.input[1])
        if scale is None:
            yield self._violation("scale-not-stored", node, "a scale is not stored in the file")
        elif not (np.isfinite(scale).all() and (scale > 0).all()):
            detail = f"a scale is {_worst(scale)}; it has to be above 0"
            yield self._violation("scale", node, detail)
        is_weight = self._graph.is_weight(node)
        wanted = "int8" if is_weight else self._activations
        zero = self._graph.value(node.input[2]) if len(node.input) > 2 else None
        yield from self._zero_point(node, scale, zero, wanted)
        if is_weight and scale is not None:
            yield from self._axis(node, scale)
        elif scale is not None and scale.size > 1:
            yield self._violation("scales-of-activation", node, "several scales for one activation")
        yield from self._pair(node)

    def _zero_point(
        self,
        node: onnx.NodeProto,
        scale: NDArray[Any] | None,
        zero: NDArray[Any] | None,
        wanted: str,
    ) -> Iterator[Violation]:
        """Look at the zero points of a Q or DQ, and at the integer type that they give it."""
        if zero is None:
            yield self._violation("no-zero-point", node, "no stored zero point; it has to be there")
            if operator(node) == "QuantizeLinear" and len(node.input) < 3:
                detail = "without a zero point its integers are uint8 by ONNX's rule"
                yield self._violation("no-type", node, detail)
            return
        if scale is not None and zero.shape != scale.shape:
            detail = f"zero points {list(zero.shape)} for scales {list(scale.shape)}"
            yield self._violation("zero-point-size", node, detail)
        found = type_name(self._graph.stored[node.input[2]])
        if found != wanted:
            yield self._violation("type", node, f"{found} where {wanted} is asked for")
        if found != "uint8" and zero.any():
            detail = f"a zero point is {int(zero[zero != 0].flat[0])}; int8 has to be symmetric"
            yield self._violation("zero-point", node, detail)

    def _pair(self, node: onnx.NodeProto) -> Iterator[Violation]:
        """Look whether a DQ takes the steps that its Q gave."""
        before = self._graph.quantizer(node) if operator(node) == "DequantizeLinear" else None
        if before is None:
            return
        parts: tuple[tuple[Fault, str, int], ...] = (
            ("scale-of-pair", "scale", 1),
            ("zero-point-of-pair", "zero point", 2),
        )
        for fault, word, position in parts:
            given, taken = (
                self._graph.value(each.input[position]) if len(each.input) > position else None
                for each in (before, node)
            )
            if given is not None and taken is not None and not _same(given, taken):
                detail = f"its {word} {_shown(taken)} is not the {_shown(given)} of {place(before)}"
                yield self._violation(fault, node, detail)

    def _axis(self, node: onnx.NodeProto, scale: NDArray[Any]) -> Iterator[Violation]:
        axis = attribute(node, "axis")
        dims = list(self._graph.stored[self._graph.source(node)].dims)
        if scale.ndim != 1:
            yield self._violation("one-scale", node, "one scale for all output channels")
            return
        along = 1 if axis is None else axis
        fault: Fault = "axis"
        if not -len(dims) <= along < len(dims) or dims[along] != len(scale):
            fault = "axis-length"
        if axis is None:
            detail = "no axis is given, which means 1; it has to be 0, the output channels"
            yield self._violation(fault, node, detail)
        elif axis != 0 or fault != "axis":
            wanted = f"{dims[0]} on 0" if dims else "one for a single number"
            detail = f"{len(scale)} scales on axis {axis} of {dims}; it has to be {wanted}"
            yield self._violation(fault, node, detail)

    def _use(self, node: onnx.NodeProto) -> Iterator[Violation]:
        """Look at who reads the result of a Q or DQ."""
        result = node.output[0]
        if self._graph.uses(result) > 1:
            detail = f"{self._graph.uses(result)} nodes read it; each needs a pair of its own"
            yield self._violation("shared-pair", node, detail)
        allowed = ("DequantizeLinear",) if operator(node) == "QuantizeLinear" else LAYERS
        if operator(node) == "DequantizeLinear" and self._graph.is_weight(node):
            allowed = (*allowed, "Transpose")
        for reader, _ in self._graph.readers[result]:
            if operator(reader) not in allowed:
                yield self._violation("reader", node, f"it is read by {place(reader)}")

    def _layer(self, node: onnx.NodeProto) -> Iterator[Violation]:
        inputs = [self._graph.behind(name) is not None for name in node.input[:2]]
        if inputs[0] != inputs[1]:
            missing = "weight" if inputs[0] else "input"
            yield self._violation("half-quantized", node, f"its {missing} is not quantized")
        rows_are_inputs = not (
            attribute(node, "transB") or self._graph.is_transposed(node.input[1])
        )
        if inputs[1] and node.op_type != "Conv" and rows_are_inputs:
            detail = (
                "axis 0 of its weight, which the scales are along, is the inputs; it has to be "
                "the output channels: store the weight transposed, with transB or a Transpose"
            )
            yield self._violation("scales-of-inputs", node, detail)

    def _batch_norm(self, node: onnx.NodeProto) -> Iterator[Violation]:
        """Look whether a batch normalisation could be part of the layer before it."""
        layer = self._graph.maker.get(node.input[0])
        if layer is None or operator(layer) not in LAYERS or self._graph.uses(node.input[0]) > 1:
            return
        if self._graph.behind(layer.input[1]) is None:
            return
        detail = (
            f"it is not folded into {place(layer)}, whose weight was quantized without its factors"
        )
        yield self._violation("batch-norm", node, detail)

    def _violation(self, fault: Fault, node: onnx.NodeProto, detail: str) -> Violation:
        return Violation(fault=fault, place=place(node) + self._graph.within, detail=detail)


def _same(given: NDArray[Any], taken: NDArray[Any]) -> bool:
    return np.array_equal(given, taken, equal_nan=given.dtype.kind == taken.dtype.kind == "f")


def _shown(values: NDArray[Any]) -> str:
    """Write one value, or how many there are."""
    return f"{values.flat[0]:.6g}" if values.size == 1 else f"{list(values.shape)} values"


def _worst(scale: NDArray[Any]) -> Any:
    return scale[~(np.isfinite(scale) & (scale > 0))].flat[0]
