"""Giving a foreign ONNX classifier the input and output of a bundle. Needs no torch.

The foreign graph stays as it is. In front of it come a cast from uint8, zero padding and
normalisation; its output becomes ``logits``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import NotPossible, UsageError
from edgenet.export.onnx_file import opset_of
from edgenet.export.onnx_weights import weights_of
from edgenet.export.pixels import pixel_constants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgenet.runner.preprocess import Preprocessing

_LOWEST_OPSET = 11  # Pad takes its sizes as an input from here on


@dataclass(frozen=True, kw_only=True)
class ForeignClassifier:
    """What must be known of a foreign file to make a bundle of it.

    Attributes:
        model: The file's content.
        input_name: Its only input, float32 [N, C, H, W].
        output_name: Its only output, float32 [N, K].
        channels: C.
        height: H, or None where the file leaves it free.
        width: W, or None where the file leaves it free.
        classes: K.
        batch: The only N that it says it takes; None if N is free.
        ends_in_softmax: Its output is the result of a Softmax: probabilities, not logits.
    """

    model: onnx.ModelProto
    input_name: str
    output_name: str
    channels: int
    height: int | None
    width: int | None
    classes: int
    batch: int | None
    ends_in_softmax: bool

    @property
    def longest_reduction(self) -> int:
        """Most products, and bias, that are added into one value by a layer with weights."""
        layers = weights_of(self.model).layers
        sums = [math.prod(layer.weight.shape[1:]) + (layer.bias is not None) for layer in layers]
        return max(sums, default=1)

    @property
    def precision(self) -> str:
        """``int8`` or ``fp16`` where the graph computes in those, else ``fp32``."""
        operators = {node.op_type for node in self.model.graph.node}
        if operators & {"DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger"}:
            return "int8"
        types = {tensor.data_type for tensor in self.model.graph.initializer}
        return "fp16" if TensorProto.FLOAT16 in types else "fp32"


def examine(model: onnx.ModelProto, *, classes: int) -> ForeignClassifier:
    """Find out whether a model is a classifier that can become a bundle.

    Args:
        model: Valid ONNX.
        classes: How many labels there are.

    Raises:
        NotPossible: It has several inputs or outputs, or they are not what a classifier's are.
        UsageError: It has another number of outputs than there are labels.
    """
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise NotPossible(
            f"the network has {len(inputs)} inputs and {len(graph.output)} outputs; "
            "a classifier has one of each",
            "cut the others off before importing",
        )
    source, result = inputs[0], graph.output[0]
    sizes = _sizes(source)
    if source.type.tensor_type.elem_type != TensorProto.FLOAT or len(sizes) != 4:
        raise NotPossible(
            f"the input {source.name!r} is {_describe(source)}; "
            "what can be imported takes float32 [N, C, H, W]"
        )
    outcome = _sizes(result)
    if result.type.tensor_type.elem_type != TensorProto.FLOAT or len(outcome) not in (0, 2):
        raise NotPossible(
            f"the output {result.name!r} is {_describe(result)}; "
            "what can be imported gives float32 [N, classes]"
        )
    if sizes[1] is None:
        raise NotPossible(f"the input {source.name!r} does not say how many channels it has")
    found = outcome[1] if outcome else None
    if found not in (None, classes):
        raise UsageError(f"{classes} labels are named, but the network has {found} outputs")
    if opset_of(model) < _LOWEST_OPSET:
        raise NotPossible(
            f"the file is in ONNX opset {opset_of(model)}, edgenet reads {_LOWEST_OPSET} and later",
            "convert it with onnx.version_converter",
        )
    last = next((node for node in graph.node if result.name in node.output), None)
    return ForeignClassifier(
        model=model,
        input_name=source.name,
        output_name=result.name,
        channels=sizes[1],
        height=sizes[2],
        width=sizes[3],
        classes=classes,
        batch=sizes[0],
        ends_in_softmax=last is not None and last.op_type == "Softmax",
    )


def wrap(
    foreign: ForeignClassifier, preprocessing: Preprocessing, *, batch: int | None
) -> onnx.ModelProto:
    """Return a model from ``input``, raw pixels uint8 [N, C, H, W], to ``logits`` [N, K].

    Args:
        foreign: The classifier; not changed.
        preprocessing: Size of the raw picture, padding, mean and standard deviation.
        batch: Declare this to be the only N; None declares it free.
    """
    model = onnx.ModelProto()
    model.CopyFrom(foreign.model)
    graph = model.graph
    names = Names(graph)
    rename = {foreign.output_name: "logits"}
    for taken in ("input", "logits"):
        if taken not in (foreign.input_name, foreign.output_name) and names.has(taken):
            rename[taken] = names.new(taken)
    entrance = names.new("pixels/normalised")
    rename[foreign.input_name] = entrance
    _rename_values(graph, rename)
    front, constants = _pixel_arithmetic(preprocessing, entrance, names)
    nodes = [*front, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    size: int | str = "N" if batch is None else batch
    raw = helper.make_tensor_value_info("input", TensorProto.UINT8, [size, *preprocessing.shape])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [size, foreign.classes])
    kept = [value for value in graph.input if value.name != entrance]
    del graph.input[:], graph.output[:]
    graph.input.extend([raw, *kept])
    graph.output.append(logits)
    return model


def _pixel_arithmetic(
    rule: Preprocessing, entrance: str, names: Names
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return nodes from ``input`` to ``entrance``, and their constants."""
    offset_value, scale_value = pixel_constants(rule)
    offset, scale = names.new("pixel_offset"), names.new("pixel_scale")
    cast, centred = names.new("pixels/Cast"), names.new("pixels/Sub")
    constants = [
        numpy_helper.from_array(offset_value, offset),
        numpy_helper.from_array(scale_value, scale),
    ]
    nodes = [helper.make_node("Cast", ["input"], [cast], name=cast, to=TensorProto.FLOAT)]
    if rule.pad:
        sizes = np.array([0, 0, rule.pad, rule.pad] * 2, np.int64)
        padded, amount = names.new("pixels/Pad"), names.new("pixel_padding")
        constants.append(numpy_helper.from_array(sizes, amount))
        nodes.append(helper.make_node("Pad", [cast, amount], [padded], name=padded))
        cast = padded
    nodes += [
        helper.make_node("Sub", [cast, offset], [centred], name=centred),
        helper.make_node("Mul", [centred, scale], [entrance], name=entrance),
    ]
    return nodes, constants


class Names:
    """The names that a graph uses, to find others that it does not."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._taken = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
        for node in graph.node:
            self._taken.update((node.name, *node.input, *node.output))

    def has(self, name: str) -> bool:
        """Tell whether the graph uses a name."""
        return name in self._taken

    def free(self, names: Iterable[str]) -> None:
        """Let names be found again that the graph uses no more."""
        self._taken.difference_update(names)

    def new(self, wanted: str) -> str:
        """Return ``wanted``, with a number where the graph uses it, and take it."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name


def _rename_values(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values throughout a graph, and in the graphs within its nodes."""
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for values in (node.input, node.output):
            for position, name in enumerate(values):
                values[position] = names.get(name, name)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename_values(inner, names)


def _sizes(value: onnx.ValueInfoProto) -> list[int | None]:
    """Return the shape of a value; None for a free size, nothing at all for a free rank."""
    sizes = value.type.tensor_type.shape.dim
    return [size.dim_value if size.dim_value > 0 else None for size in sizes]


def _describe(value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type.elem_type
    name: Any = TensorProto.DataType.Name(kind).lower() if kind else "not a tensor"
    sizes = ["N" if size is None else str(size) for size in _sizes(value)]
    return f"{name} [{', '.join(sizes)}]"
