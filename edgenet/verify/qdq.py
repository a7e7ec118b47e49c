"""Reading the quantized layers of an ONNX file, and telling where their form is not the one asked.

The form itself is in :mod:`edgenet.verify.qdq_form`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from edgenet.verify.qdq_form import Fault, Rule, Violation, form_violations
from edgenet.verify.qdq_graph import LAYERS, QdqGraph, graphs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.weights import NetworkWeights

__all__ = [
    "Fault",
    "QuantizedLayer",
    "Rule",
    "Violation",
    "quantized_layers",
    "violations",
    "weight_violations",
]

_NUMBER = re.compile(r"_\d+$")


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
        model: A quantized graph, whose branches and loop bodies are looked at, too. Layers that are
            left in FP32 are no violation.
        activations: ``int8`` with zero point 0, or ``uint8`` with any, for targets that take it.
    """
    return tuple(
        found for graph in graphs_of(model) for found in form_violations(graph, activations)
    )


def quantized_layers(model: onnx.ModelProto) -> tuple[QuantizedLayer, ...]:
    """Return the quantized layers of a file in the form, in its topological order.

    Layers of a file that is not in the form may be missing.
    """
    return tuple(_layers(QdqGraph(model.graph)))


def weight_violations(model: onnx.ModelProto, parent: NetworkWeights) -> tuple[Violation, ...]:
    """Return the layers whose integers are not the parent's weights, rounded to their steps.

    Args:
        model: A quantized graph.
        parent: The FP32 weights, output channels first, under the same names.
    """
    return tuple(_wrong_weights(quantized_layers(model), parent))


def _layers(graph: QdqGraph) -> Iterator[QuantizedLayer]:
    for node in graph.nodes:
        if node.op_type not in LAYERS:
            continue
        entrance, weight = graph.behind(node.input[0]), graph.behind(node.input[1])
        if entrance is None or weight is None or len(entrance.input) < 3:
            continue
        content = graph.value(graph.source(weight))
        scales, zero = graph.value(weight.input[1]), graph.value(entrance.input[2])
        scale = graph.value(entrance.input[1])
        if content is None or scales is None or scale is None or zero is None:
            continue
        if scale.ndim or zero.ndim or scales.shape != content.shape[:1]:
            continue
        if content.dtype.kind == "f":
            content = _rounded(content, scales)
        yield QuantizedLayer(
            name=graph.layer_name(node),
            input_scale=float(scale),
            input_zero_point=int(zero),
            input_dtype=str(zero.dtype),
            weight=content,
            weight_scales=scales,
        )


def _wrong_weights(
    layers: tuple[QuantizedLayer, ...], parent: NetworkWeights
) -> Iterator[Violation]:
    wanted = {layer.name: layer.weight for layer in parent.layers}
    for layer in layers:
        weight = wanted.get(layer.name, wanted.get(_NUMBER.sub("", layer.name)))
        name = f"layer {layer.name!r}"
        if weight is None or weight.shape != layer.weight.shape:
            yield Violation(fault="weight", place=name, detail="the parent has no such weight")
            continue
        different = _rounded(weight, layer.weight_scales) != layer.weight
        channels = np.unique(np.argwhere(different)[:, 0])
        if len(channels):
            detail = (
                f"{int(different.sum()):,} of {different.size:,} weights, the first in output "
                f"channel {channels[0]}, are not the parent's, rounded by the channel's scale"
            )
            yield Violation(fault="weight", place=name, detail=detail)


def _rounded(weight: NDArray[Any], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round as QuantizeLinear does, with −128 left out; a scale of 0 or NaN makes any integer."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.rint(weight / scales.reshape(-1, *[1] * (weight.ndim - 1)))
        return np.clip(steps, -127, 127).astype(np.int8)
