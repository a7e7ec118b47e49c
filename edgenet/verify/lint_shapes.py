"""The type and shape of every value of a graph, for the fixed batch or for one picture.

ONNX's own inference follows the numbers that are computed from a shape (how many rows a Reshape
gets) only from opset 15 on, so they are computed here, node by node, with its reference evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from edgenet.verify.qdq_graph import attribute, graphs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OF_SHAPES = frozenset(
    (
        *("Add", "Cast", "Concat", "Div", "Equal", "Gather", "Identity", "Max", "Min", "Mod"),
        *("Mul", "Neg", "ReduceProd", "Slice", "Squeeze", "Sub", "Unsqueeze", "Where"),
    )
)
"""Operators on shapes that exporters write; none makes more numbers than it is given."""

_MAX_NUMBERS = 1024  # in a tensor that a shape is computed from


class Unreadable(Exception):  # noqa: N818 - it is a row of the answer, and never leaves the lint
    """The graph cannot be looked at, with the reason."""


class ValueType(NamedTuple):
    """The type of a value: ONNX's number of its element type, and its shape where it is known.

    A dimension that is not known is None; so is a shape of which not even the rank is.
    """

    element: int
    shape: tuple[int | None, ...] | None

    @property
    def elements(self) -> int | None:
        """How many numbers it has; None where that is not known."""
        if self.shape is None:
            return None
        product = 1
        for size in self.shape:
            if size is None:
                return None
            product *= size
        return product


def infer(model: onnx.ModelProto) -> tuple[tuple[Mapping[str, ValueType], ...], int]:
    """Return the types of all values for the fixed batch, or for 1, and that batch.

    Args:
        model: Without functions.

    Returns:
        The types of the main graph and of each within it, as :func:`graphs_of` orders them.

    Raises:
        Unreadable: Types or shapes contradict each other.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    batch = _fix_batch(fixed.graph)
    del fixed.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
        while _fold_shapes(fixed, value_types(inferred.graph)):
            inferred = onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise Unreadable(first_line(error)) from error
    return tuple(value_types(graph.graph) for graph in graphs_of(inferred)), batch


def _fix_batch(graph: onnx.GraphProto) -> int:
    """Give a free batch the size 1, and leave what follows from it open; return the batch."""
    stored = {tensor.name for tensor in graph.initializer}
    batch = 1
    for value in graph.input:
        shape = value.type.tensor_type.shape
        if value.name in stored or not shape.dim:
            continue
        if shape.dim[0].HasField("dim_value"):
            batch = shape.dim[0].dim_value
        else:
            shape.dim[0].dim_value = batch
    for value in graph.output:
        for size in value.type.tensor_type.shape.dim:
            size.ClearField("dim_param")
    return batch


def value_types(graph: onnx.GraphProto) -> dict[str, ValueType]:
    """Return the types of all values that a graph names, its stored tensors included."""
    found = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        shape = None
        if tensor.HasField("shape"):
            shape = tuple(
                size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim
            )
        found[value.name] = ValueType(tensor.elem_type, shape)
    for stored in graph.initializer:
        found[stored.name] = ValueType(stored.data_type, tuple(stored.dims))
    return found


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _fold_shapes(model: onnx.ModelProto, types: Mapping[str, ValueType]) -> bool:
    """Put numbers in the place of the nodes that compute them from known shapes.

    Args:
        model: Changed in place.
        types: Of the values of its main graph.

    Returns:
        Whether there were any: then more shapes can be inferred.
    """
    graph = model.graph
    if not any(node.op_type == "Shape" for node in graph.node):
        return False
    known = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_location != onnx.TensorProto.EXTERNAL
        and int(np.prod(tensor.dims)) <= _MAX_NUMBERS
    }
    folded = []
    for node in graph.node:
        found = _numbers(node, known, types, model)
        if found is None:
            continue
        known[node.output[0]] = found
        if node.op_type != "Constant":
            folded.append(node)
    for node in folded:
        graph.initializer.append(numpy_helper.from_array(known[node.output[0]], node.output[0]))
        graph.node.remove(node)
    return bool(folded)


def _numbers(
    node: onnx.NodeProto,
    known: Mapping[str, NDArray[Any]],
    types: Mapping[str, ValueType],
    model: onnx.ModelProto,
) -> NDArray[Any] | None:
    """Compute what a node of a shape's arithmetic gives; None where that is not known."""
    if node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        return None
    if node.op_type == "Shape" and not node.attribute:
        value = types.get(node.input[0])
        if value is None or value.elements is None:
            return None
        return np.array(value.shape, np.int64)
    if node.op_type == "Constant":
        tensor = attribute(node, "value")
        is_small = tensor is not None and int(np.prod(tensor.dims)) <= _MAX_NUMBERS
        return numpy_helper.to_array(tensor) if is_small else None
    names = [name for name in node.input if name]
    if node.op_type not in _OF_SHAPES or not all(name in known for name in names):
        return None
    from onnx.reference import ReferenceEvaluator

    versions = {each.domain: each.version for each in model.opset_import}
    try:
        (result,) = ReferenceEvaluator(node, opsets=versions).run(
            None, {name: known[name] for name in names}
        )
    except (ArithmeticError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None  # the shape stays unknown, which has a row of its own
    return np.asarray(result)
