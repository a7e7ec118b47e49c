"""Small graphs that break one rule of the lint each, or none; the parser is asked of them, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def graph_of(
    nodes: Sequence[onnx.NodeProto],
    *,
    shape: Sequence[int | str] = ("N", 1, 8, 6),
    element: int = FLOAT,
    opset: int = 13,
    ir_version: int = 7,
    stored: Iterable[onnx.TensorProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
    result: Sequence[int | str] | None = None,
) -> onnx.ModelProto:
    """Return a model from ``x`` to ``y``, float32 unless ``element`` says otherwise of ``x``.

    ``result`` is the shape of ``y`` where ONNX cannot infer it.
    """
    made = helper.make_tensor_value_info("y", FLOAT, None)
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", element, shape)],
        [made],
        list(stored),
    )
    model = helper.make_model(
        graph,
        opset_imports=[
            helper.make_opsetid("", opset),
            *(helper.make_opsetid(domain, 1) for domain in domains),
        ],
        ir_version=ir_version,
        functions=functions,
    )
    inferred = onnx.shape_inference.infer_shapes(model)
    if not inferred.graph.output[0].type.tensor_type.HasField("shape"):
        known = helper.make_tensor_value_info("y", FLOAT, shape if result is None else result)
        inferred.graph.output[0].CopyFrom(known)
    return inferred


def number(name: str, value: float, kind: type[np.generic] = np.float32) -> onnx.TensorProto:
    """Return a stored scalar."""
    return numpy_helper.from_array(np.asarray(value, kind), name)


def through(element: int, operator: str) -> onnx.ModelProto:
    """Compute with one operator in another type, between two casts."""
    return graph_of(
        [
            node("Cast", ["x"], ["a"], to=element),
            node(operator, ["a", "a"] if operator in ("Add", "Mul") else ["a"], ["b"], name="odd"),
            node("Cast", ["b"], ["y"], to=FLOAT),
        ]
    )


def plain() -> onnx.ModelProto:
    """Break no rule of any target."""
    return graph_of([node("Relu", ["x"], ["y"], name="relu")])


def raw_pixels() -> onnx.ModelProto:
    """Take uint8, and cast it."""
    return graph_of([node("Cast", ["x"], ["y"], to=FLOAT)], element=TensorProto.UINT8)


def uint8_arithmetic() -> onnx.ModelProto:
    """Take uint8, and add it before it is cast."""
    nodes = [node("Add", ["x", "x"], ["a"], name="odd"), node("Cast", ["a"], ["y"], to=FLOAT)]
    return graph_of(nodes, element=TensorProto.UINT8, opset=14)


def double() -> onnx.ModelProto:
    """Compute in float64."""
    return through(TensorProto.DOUBLE, "Exp")


def brain_float() -> onnx.ModelProto:
    """Compute in bfloat16."""
    return through(TensorProto.BFLOAT16, "Exp")


def half() -> onnx.ModelProto:
    """Compute in FP16."""
    return through(TensorProto.FLOAT16, "Exp")


def short_integers() -> onnx.ModelProto:
    """Use a type that TensorRT does not have."""
    return through(TensorProto.INT16, "Identity")


def long_arithmetic() -> onnx.ModelProto:
    """Multiply data in int64."""
    return through(INT64, "Mul")


def long_shapes() -> onnx.ModelProto:
    """Multiply shapes in int64, as exporters do for a free batch."""
    return graph_of(
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "zero"], ["n"], axis=0),
            node("Mul", ["n", "one"], ["rows"]),
            node("Concat", ["rows", "rest"], ["wanted"], axis=0),
            node("Reshape", ["x", "wanted"], ["y"]),
        ],
        stored=[
            numpy_helper.from_array(np.array([0]), "zero"),
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(np.array([48]), "rest"),
        ],
        result=("N", 48),
    )


def lacking() -> onnx.ModelProto:
    """Use an operator that no TensorRT has."""
    return graph_of([node("Det", ["x"], ["y"], name="odd")], shape=("N", 1, 8, 8))


def lacking_in_a_branch() -> onnx.ModelProto:
    """Use such an operator in one branch of an If."""
    return branching("Bernoulli", opset=15)


def branching(second: str = "Exp", opset: int = 13) -> onnx.ModelProto:
    """Choose between two branches by the sum of the input."""

    def branch(operator: str, result: str) -> onnx.GraphProto:
        made = helper.make_tensor_value_info(result, FLOAT, None)
        return helper.make_graph([node(operator, ["x"], [result], name="odd")], result, [], [made])

    return graph_of(
        [
            node("ReduceSum", ["x"], ["sum"], keepdims=0),
            node("Greater", ["sum", "zero"], ["condition"]),
            node(
                "If",
                ["condition"],
                ["y"],
                name="choice",
                then_branch=branch("Relu", "first"),
                else_branch=branch(second, "second"),
            ),
        ],
        stored=[number("zero", 0)],
        opset=opset,
        ir_version=8,
    )


def function(
    operator: str = "Relu", shape: Sequence[int | str] = ("N", 1, 8, 8)
) -> onnx.ModelProto:
    """Call a function that the file defines."""
    body = [node(operator, ["a"], ["b"], name="odd")]
    opset = helper.make_opsetid("", 13)
    own = helper.make_function("own", "Own", ["a"], ["b"], body, [opset])
    call = node("Own", ["x"], ["y"], domain="own", name="call")
    return graph_of([call], shape=shape, functions=[own], domains=["own"], ir_version=8)


def function_with_a_lacking_operator() -> onnx.ModelProto:
    """Call a function in which there is an operator that no TensorRT has."""
    return function("Det")


def foreign() -> onnx.ModelProto:
    """Use an operator of a domain that nobody knows."""
    return graph_of([node("Own", ["x"], ["y"], domain="own", name="odd")], domains=["own"])


def qgemm() -> onnx.ModelProto:
    """Use an operator of onnxruntime's own domain."""
    names = ["x", "scale", "zero", "w", "scale", "zero", "", "scale", "zero"]
    return graph_of(
        [
            node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
            node("QGemm", ["q", *names[1:]], ["r"], domain="com.microsoft", name="odd"),
            node("DequantizeLinear", ["r", "scale", "zero"], ["y"]),
        ],
        shape=("N", 8),
        stored=[
            number("scale", 0.1),
            number("zero", 0, np.int8),
            numpy_helper.from_array(np.ones((8, 4), np.int8), "w"),
        ],
        result=("N", 4),
        domains=["com.microsoft"],
    )


def conv_integer() -> onnx.ModelProto:
    """Multiply integers outside of Q/DQ."""
    return graph_of(
        [node("ConvInteger", ["x", "w"], ["i"], name="odd"), node("Cast", ["i"], ["y"], to=FLOAT)],
        element=TensorProto.UINT8,
        stored=[numpy_helper.from_array(np.ones((2, 1, 3, 3), np.uint8), "w")],
    )


def pool_with_indices() -> onnx.ModelProto:
    """Ask a MaxPool for its indices."""
    return graph_of([node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2], name="odd")])


def dilated_pool() -> onnx.ModelProto:
    """Ask a MaxPool for dilations."""
    pool = node("MaxPool", ["x"], ["y"], name="odd", kernel_shape=[2, 2], dilations=[2, 2])
    return graph_of([pool])


def free_size() -> onnx.ModelProto:
    """Leave height and width free."""
    return graph_of([node("Relu", ["x"], ["y"])], shape=("N", 1, "H", "W"))


def nine_dimensions() -> onnx.ModelProto:
    """Have more dimensions than TensorRT has."""
    return graph_of([node("Relu", ["x"], ["y"], name="odd")], shape=("N", *[1] * 7, 8))


def size_by_data() -> onnx.ModelProto:
    """Have a result whose shape follows from the numbers."""
    nodes = [node("NonZero", ["x"], ["i"], name="odd"), node("Cast", ["i"], ["y"], to=FLOAT)]
    return graph_of(nodes)


GRAPHS: dict[str, Callable[[], onnx.ModelProto]] = {
    each.__name__: each
    for each in (
        plain,
        raw_pixels,
        uint8_arithmetic,
        double,
        brain_float,
        half,
        short_integers,
        long_arithmetic,
        long_shapes,
        lacking,
        lacking_in_a_branch,
        branching,
        function,
        function_with_a_lacking_operator,
        foreign,
        qgemm,
        conv_integer,
        pool_with_indices,
        dilated_pool,
        free_size,
        nine_dimensions,
        size_by_data,
    )
}
