"""Which number formats a target's runtimes take, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnx import TensorProto

from edgenet.verify.lint_row import LintRow, broken, kept
from edgenet.verify.lint_subject import Subject, counted, title
from edgenet.verify.qdq_graph import QdqGraph, element_name, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

    from edgenet.targets import RuntimeSupport
    from edgenet.verify.lint_shapes import ValueType

RULE = "types"

_PRECISIONS: dict[int, str] = {
    TensorProto.FLOAT16: "fp16",
    TensorProto.BFLOAT16: "bf16",
    TensorProto.FLOAT8E4M3FN: "fp8",
    TensorProto.FLOAT8E4M3FNUZ: "fp8",
    TensorProto.FLOAT8E5M2: "fp8",
    TensorProto.FLOAT8E5M2FNUZ: "fp8",
    TensorProto.INT4: "int4",
    TensorProto.UINT4: "int4",
}
"""Types that need hardware, by the precision that a runtime's row has to name for them."""

_TENSORRT = frozenset(
    (
        *(TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.INT32),
        *(TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8),
    )
)
"""Types of TensorRT that edgenet's files have.

Source: the list of types in onnx-tensorrt's ``docs/operators.md``. float64, which it narrows to
float32, is left out on purpose.
"""

_INT64_SINCE = (9,)  # onnx-tensorrt's changelog: 9.0 EA no longer casts INT64 to INT32
_ARITHMETIC = ("Add", "Div", "Mod", "Mul", "Pow", "ReduceProd", "ReduceSum", "Sub", "Sum")
_SHAPES = ("Shape", "Size")
_QDQ = ("QuantizeLinear", "DequantizeLinear")


def lint_types(subject: Subject) -> Iterator[LintRow]:
    """Look for types that a runtime of the target does not have, narrows or takes elsewhere."""
    found = False
    for runtime in subject.runtimes:
        for graph, types in zip(subject.graphs, subject.types, strict=True):
            for row in _of_graph(graph, types, runtime):
                found = True
                yield row
    if not found:
        counts = Counter(element_name(v.element) for each in subject.types for v in each.values())
        yield kept(RULE, counted(counts))


def _of_graph(
    graph: QdqGraph, types: Mapping[str, ValueType], runtime: RuntimeSupport
) -> Iterator[LintRow]:
    seen = set()
    for name, value in types.items():
        reason = _reason(value.element, runtime)
        if reason is not None and value.element not in seen:  # one place a type says enough
            seen.add(value.element)
            same = sum(each.element == value.element for each in types.values())
            more = f" and {same - 1} more" if same > 1 else ""
            where = f"value {name!r}{graph.within}{more}"
            yield broken(RULE, reason, _advice(value.element), where)
    if runtime.name == "tensorrt":
        yield from _uint8_within(graph, types, runtime)
        if runtime.version < _INT64_SINCE:
            yield from _int64_arithmetic(graph, types, runtime)


def _reason(element: int, runtime: RuntimeSupport) -> str | None:
    """Say why a runtime does not take a type; None where it does."""
    precision = _PRECISIONS.get(element)
    if precision is not None and precision not in runtime.precisions:
        return f"it is {element_name(element)}, which {title(runtime)} does not compute in there"
    if runtime.name != "tensorrt" or precision is not None or element in _TENSORRT:
        return None
    if element == TensorProto.DOUBLE:
        return f"it is float64, which {title(runtime)} narrows to float32 without a word"
    return f"it is {element_name(element)}, which {title(runtime)} does not have"


def _advice(element: int) -> str:
    if element == TensorProto.DOUBLE:
        return "compute in float32"
    return "choose another precision, or cast it to float32 or int32"


def _uint8_within(
    graph: QdqGraph, types: Mapping[str, ValueType], runtime: RuntimeSupport
) -> Iterator[LintRow]:
    """Look for uint8 that is more than an input: TensorRT casts it and does nothing else with it.

    Q and DQ are left to the rules of quantization.
    """
    if not runtime.uint8_input:
        return  # the rule of the input says so
    for node in graph.nodes:
        given = (types.get(name) for name in (*node.input, *node.output) if name)
        if node.op_type in ("Cast", *_QDQ) or not any(
            value is not None and value.element == TensorProto.UINT8 for value in given
        ):
            continue
        detail = f"it computes with uint8, which {title(runtime)} takes as an input alone"
        yield broken(RULE, detail, "cast the input to float32 first", place(node) + graph.within)


def _int64_arithmetic(
    graph: QdqGraph, types: Mapping[str, ValueType], runtime: RuntimeSupport
) -> Iterator[LintRow]:
    """Look for int64 arithmetic on data; on shapes alone it cannot exceed what INT32 holds."""
    of_shapes = set(graph.stored)
    for node in graph.nodes:
        if node.op_type in _SHAPES or _made_of(node, of_shapes):
            of_shapes.update(node.output)
        elif node.op_type in _ARITHMETIC:
            value = types.get(node.output[0])
            if value is not None and value.element == TensorProto.INT64:
                detail = f"it computes in int64, which {title(runtime)} narrows to int32"
                where = place(node) + graph.within
                yield broken(RULE, detail, "compute in int32 or float32", where)


def _made_of(node: onnx.NodeProto, names: set[str]) -> bool:
    return all(name in names for name in node.input if name)
