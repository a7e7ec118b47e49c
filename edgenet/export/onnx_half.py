"""An FP32 ONNX graph in FP16: half the bytes, with raw pixels and float32 logits at its border.

Written here, since the converters there are change numbers in silence: that of onnxruntime 1.31 and
onnxconverter-common 1.16 set what is above 10,000 to 10,000 and what is below 1e-7 to 1e-7, and
both normalise pixels in FP16. PyTorch's ``half()`` loses the constants of a `Clip`. See
docs/decisions/0009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import NotPossible
from edgenet.export.onnx_file import first_line
from edgenet.export.onnx_wrap import Names
from edgenet.weights import HALF_LARGEST, rounded_to_half

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PIXEL_SCALE = "pixel_scale"
_PASSING = ("Cast", "CastLike", "Identity")  # older exporters put them behind constants
_SMALLEST = 2.0**-24  # of FP16's numbers above 0, a subnormal one


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph that computes in FP16 between its pixel arithmetic and its logits.

    Pixels are normalised in FP32 and then rounded once, to FP16; so are all weights and other
    constants, to nearest with ties to even. The logits become float32 again at the very end. The
    lower bound of a ``Clip`` that FP16 cannot tell from 0 becomes the smallest number that it can,
    2⁻²⁴: such a bound keeps a quotient or a root from 0.

    Args:
        model: From ``input`` to ``logits``, as edgenet writes FP32 bundles; not changed.

    Raises:
        NotPossible: A number is above 65,504, the largest that FP16 has, or another constant is
            too small; the graph does not begin with edgenet's pixel arithmetic; or an operator
            does not take FP16.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    _Halving(result.graph).apply()
    try:
        onnx.shape_inference.infer_shapes(result, check_type=True, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise NotPossible(
            f"the network cannot be written in FP16: {first_line(error)}",
            "leave --half out, or take --int8",
        ) from error
    return result


def half_values(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the values of an FP32 graph that :func:`to_half` would compute in FP16.

    The normalised pixels come first; the others follow in the graph's order.

    Raises:
        NotPossible: The graph does not begin with edgenet's pixel arithmetic.
    """
    halving = _Halving(model.graph)
    floats = _float_values(model)
    found = {halving.entrance: None}
    for node in halving.network:
        content = node.input[:1] if node.op_type == "CastLike" else node.input
        if any(name in found for name in content):  # else it is a constant, and no picture's
            found.update((name, None) for name in node.output if name in floats)
    return tuple(found)


def rounding_results(half: onnx.ModelProto) -> onnx.ModelProto:
    """Return an FP32 graph with every result rounded to FP16: what an FP16 graph is on its target.

    onnxruntime's CPU provider runs most of an FP16 graph in FP32 from end to end: what it answers
    tells what rounded weights cost and nothing of the rest. Sums within an operator stay in FP32.

    Args:
        half: From :func:`to_half`; not changed.
    """
    inferred = onnx.shape_inference.infer_shapes(half, strict_mode=True).graph
    in_half = {
        value.name
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16
    }
    result = onnx.ModelProto()
    result.CopyFrom(half)
    names = Names(result.graph)
    for tensor in result.graph.initializer:
        _widen(tensor)
    nodes = []
    for node in list(result.graph.node):
        for attribute in node.attribute:
            _widen(attribute.t)
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
        nodes.append(node)
        for position, name in enumerate(node.output):
            if name in in_half:
                exact, rounded = names.new(f"{name}/exact"), names.new(f"{name}/rounded")
                node.output[position] = exact
                nodes += [
                    helper.make_node("Cast", [exact], [rounded], to=TensorProto.FLOAT16),
                    helper.make_node("Cast", [rounded], [name], to=TensorProto.FLOAT),
                ]
    del result.graph.node[:], result.graph.value_info[:]
    result.graph.node.extend(nodes)
    return result


class _Halving:
    """One graph on its way to FP16."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._names = Names(graph)
        self.entrance = _entrance(graph)
        front = _ancestors(graph, self.entrance)
        self._front = [node for node in graph.node if node.output[0] in front]
        self.network = [node for node in graph.node if node.output[0] not in front]

    def apply(self) -> None:
        """Change the graph."""
        for node in self.network:
            self._change_attributes(node)
        self._change_constants()
        half = self._names.new(f"{self.entrance}/half")
        _replace(self.network, self.entrance, half)
        output = self._graph.output[0].name
        before = self._names.new(f"{output}/half")
        _replace(self.network, output, before)
        nodes = [
            *self._front,
            helper.make_node("Cast", [self.entrance], [half], name=half, to=TensorProto.FLOAT16),
            *self.network,
            helper.make_node("Cast", [before], [output], name=before, to=TensorProto.FLOAT),
        ]
        del self._graph.node[:], self._graph.value_info[:]
        self._graph.node.extend(nodes)

    def _change_constants(self) -> None:
        """Round what the network reads; a constant that the front reads, too, is written twice."""
        in_front = {name for node in self._front for name in node.input}
        in_network = {name for node in self.network for name in node.input}
        for tensor in list(self._graph.initializer):
            if tensor.data_type != TensorProto.FLOAT or tensor.name not in in_network:
                continue
            rounded = self._rounded(numpy_helper.to_array(tensor), tensor.name)
            if tensor.name not in in_front:
                tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
                continue
            name = self._names.new(f"{tensor.name}/half")
            self._graph.initializer.append(numpy_helper.from_array(rounded, name))
            _replace(self.network, tensor.name, name)

    def _change_attributes(self, node: onnx.NodeProto) -> None:
        """Change the types that a node names, and the constants within it."""
        for attribute in node.attribute:
            if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                raise NotPossible(
                    f"{node.op_type} node {node.name!r} holds a graph of its own, "
                    "which edgenet does not write in FP16"
                )
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            if attribute.t.data_type == TensorProto.FLOAT:
                rounded = self._rounded(numpy_helper.to_array(attribute.t), node.output[0])
                attribute.t.CopyFrom(numpy_helper.from_array(rounded))

    def _rounded(self, values: NDArray[Any], name: str) -> NDArray[np.float16]:
        half = rounded_to_half(values)
        if not np.isfinite(half).all():
            largest = np.abs(values).max()
            raise NotPossible(
                f"{name} holds {largest:,.6g}; the largest number of FP16 is {HALF_LARGEST:,.0f}",
                "leave --half out, or take --int8, whose weights have scales",
            )
        if values.size == 1 and values.flat[0] and not half.flat[0]:
            if values.flat[0] < 0 or not self._is_lower_bound(name):
                raise NotPossible(
                    f"the constant {name} is {values.flat[0]:.3g}, which is 0 in FP16",
                    "leave --half out, or take --int8",
                )
            half = np.full_like(half, _SMALLEST)
        return half

    def _is_lower_bound(self, name: str) -> bool:
        """Tell whether a value is read as the least one of ``Clip`` alone, if through a cast."""
        return all(
            self._is_lower_bound(node.output[0])
            if node.op_type in _PASSING and node.input[0] == name
            else node.op_type == "Clip" and list(node.input).index(name) == 1
            for node in self.network
            if name in node.input
        )


def _entrance(graph: onnx.GraphProto) -> str:
    """Return the name of the normalised pixels: what the scaling by a pixel's constant gives."""
    for node in graph.node:
        if node.op_type == "Mul" and _PIXEL_SCALE in node.input:
            name: str = node.output[0]
            return name
    raise NotPossible("the graph does not begin with the pixel arithmetic that edgenet writes")


def _ancestors(graph: onnx.GraphProto, value: str) -> set[str]:
    """Return a value with all that it is computed from."""
    found = {value}
    for node in reversed(graph.node):
        if found.intersection(node.output):
            found.update(node.input)
    return found


def _float_values(model: onnx.ModelProto) -> set[str]:
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }


def _widen(tensor: onnx.TensorProto) -> None:
    """Give FP16 numbers as the same FP32 ones."""
    if tensor.data_type == TensorProto.FLOAT16:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _replace(nodes: Sequence[onnx.NodeProto], old: str, new: str) -> None:
    """Rename a value in these nodes."""
    for node in nodes:
        for values in (node.input, node.output):
            for position, name in enumerate(values):
                if name == old:
                    values[position] = new
