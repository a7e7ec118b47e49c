"""What the rules of a lint look at: the graph as a target would see it, with every type and shape.

Functions are expanded in place and the batch is fixed, so that a rule sees plain nodes and numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
from onnx.inliner import inline_local_functions

from edgenet.errors import CorruptFile
from edgenet.verify.lint_shapes import Unreadable, ValueType, first_line
from edgenet.verify.qdq_graph import QdqGraph, graphs_of, is_external, place

if TYPE_CHECKING:
    from edgenet.targets import RuntimeSupport, Target

MAX_NODES = 1_000_000
MAX_CALLS = 32  # of functions within functions

_TITLES = {"tensorrt": "TensorRT", "onnxruntime": "onnxruntime"}
_RUNTIMES_OF = {"engine": ("tensorrt",), "rtx": ("tensorrt",)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A file, and what it is linted for.

    Attributes:
        original: The file's model.
        functions: Names of the functions that the file defines.
        graphs: The main graph and all within it, functions expanded.
        types: The type of every value of the graph at the same position, for ``batch`` pictures.
        batch: The fixed batch, or 1 where it is free.
        target: The machine.
        runtimes: Those of the target that have the precision, and so have to take the file.
        precision: ``fp32``, ``fp16`` or ``int8``.
    """

    original: onnx.ModelProto
    functions: tuple[str, ...]
    graphs: tuple[QdqGraph, ...]
    types: tuple[Mapping[str, ValueType], ...]
    batch: int
    target: Target
    runtimes: tuple[RuntimeSupport, ...]
    precision: str

    @property
    def tensorrt(self) -> RuntimeSupport | None:
        """TensorRT, if it is one of the runtimes."""
        return next((each for each in self.runtimes if each.name == "tensorrt"), None)


def runtimes_of(target: Target, format: str, precision: str) -> tuple[RuntimeSupport, ...]:
    """Return the runtimes of a target that have to take a file of a format and precision."""
    names = _RUNTIMES_OF.get(format)
    return tuple(
        each
        for each in target.runtimes
        if precision in each.precisions and (names is None or each.name in names)
    )


def title(runtime: RuntimeSupport) -> str:
    """Name a runtime with its version, such as ``TensorRT 8.2``."""
    return f"{_TITLES[runtime.name]} {runtime.version_text}"


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the default operator set; 0 where none is named."""
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)


def external_tensors(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the names of stored tensors whose content is in another file."""
    return tuple(
        f"tensor {name!r}{graph.within}"
        for graph in graphs_of(model)
        for name, tensor in graph.own.items()
        if is_external(tensor)
    )


def expand(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model without functions of its own: each call is replaced by its nodes.

    Raises:
        Unreadable: A function calls itself, or the expansion would be huge.
    """
    if not model.functions:
        return model
    if _expanded_nodes(model) > MAX_NODES:
        raise Unreadable(f"its functions expand to more than {MAX_NODES:,} nodes")
    try:
        return inline_local_functions(model)
    except RuntimeError as error:
        raise Unreadable(first_line(error)) from error


def check_valid(model: onnx.ModelProto) -> None:
    """Check a model as the ONNX standard asks, and that its tensors hold what they claim to.

    Raises:
        Unreadable: It is not valid.
    """
    try:
        onnx.checker.check_model(model)
        for graph in graphs_of(model):
            for name in graph.own:
                graph.value(name)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise Unreadable(first_line(error)) from error
    except CorruptFile as error:
        raise Unreadable(error.message) from error


def contradiction(model: onnx.ModelProto) -> str | None:
    """Say where types or shapes that a file states are not those that follow; None if nowhere.

    onnxruntime refuses such a file, TensorRT does not look.
    """
    try:
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        return first_line(error)
    return None


def check_names(graphs: Iterable[QdqGraph]) -> None:
    """Check that all names are text; protobuf gives one that is not UTF-8 as bytes.

    Raises:
        Unreadable: One is not.
    """
    for graph in graphs:
        if not all(isinstance(name, str) for name in _names(graph)):
            raise Unreadable(f"a name in it is not text{graph.within}")


def _names(graph: QdqGraph) -> Iterator[object]:
    yield from graph.own
    for value in (*graph.graph.input, *graph.graph.output):
        yield value.name
    for node in graph.nodes:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)


def _expanded_nodes(model: onnx.ModelProto) -> int:
    """Return how many nodes there are when every call is expanded, without expanding any."""
    bodies = {(each.domain, each.name, each.overload): each for each in model.functions}
    sizes: dict[tuple[str, str, str], int] = {}

    def size_of(key: tuple[str, str, str], above: tuple[tuple[str, str, str], ...]) -> int:
        if key in above:
            raise Unreadable(f"the function {key[1]!r} calls itself")
        if len(above) > MAX_CALLS:
            raise Unreadable(f"its functions call each other more than {MAX_CALLS} deep")
        if key not in sizes:
            sizes[key] = nodes_in(bodies[key].node, (*above, key))
        return sizes[key]

    def nodes_in(nodes: Iterable[onnx.NodeProto], above: tuple[tuple[str, str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type, node.overload)
            total += size_of(key, above) if key in bodies else 1
            for each in node.attribute:
                for inner in (each.g, *each.graphs):
                    total += nodes_in(inner.node, above)
        return total

    return nodes_in(model.graph.node, ())


def nodes_by_place(graphs: tuple[QdqGraph, ...]) -> list[tuple[onnx.NodeProto, str]]:
    """Return every node of all graphs with its place for a message."""
    return [(node, place(node) + graph.within) for graph in graphs for node in graph.nodes]


def counted(names: Counter[str]) -> str:
    """Write names with how often each is there, such as ``Conv (2), Gemm``."""
    return ", ".join(f"{name} ({n})" if n > 1 else name for name, n in sorted(names.items()))
