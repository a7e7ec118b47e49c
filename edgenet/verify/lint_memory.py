"""How much memory a network takes on a target, at least, against what the board has.

An estimate from the graph: weights, activations that are alive at once, and what CUDA takes before
any network is loaded. What a runtime adds (its own code, workspaces, copies of weights while an
engine is built) is not in it, so a network that fits by it may still not run; one that does not fit
will not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnx import helper

from edgenet.verify.lint_row import LintRow, broken, kept, left_out
from edgenet.verify.lint_shapes import ValueType
from edgenet.verify.lint_subject import Subject
from edgenet.verify.qdq_graph import QdqGraph

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

RULE = "memory"

_MIB = 1 << 20


class Unknown(Exception):  # noqa: N818 - it is a row of the answer, and never leaves this file
    """A value has no known size."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a network takes, at least.

    Attributes:
        weights_bytes: All stored tensors.
        activations_bytes: The most that is alive at once.
        node: The operator that runs then.
        floor_bytes: What the target's GPU takes before any network is loaded.
    """

    weights_bytes: int
    activations_bytes: int
    node: str
    floor_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.activations_bytes + self.floor_bytes


def lint_memory(subject: Subject) -> Iterator[LintRow]:
    """Compare the estimate with the target's memory."""
    try:
        memory = estimate(subject)
    except Unknown as unknown:
        yield left_out(RULE, f"the size of value {unknown} is not known before the network runs")
        return
    detail = (
        f"at least {_text(memory.total_bytes)} for {subject.batch} "
        f"{'picture' if subject.batch == 1 else 'pictures'}: weights "
        f"{_text(memory.weights_bytes)}, activations {_text(memory.activations_bytes)} at "
        f"{memory.node}"
    )
    if memory.floor_bytes:
        detail += f", CUDA and its libraries {_text(memory.floor_bytes)}"
    available = subject.target.memory_bytes
    if available is None:
        yield left_out(RULE, f"{detail}; what a machine of this target has is not fixed")
    elif memory.total_bytes > available:
        advice = "make the batch, the pictures or the network smaller"
        yield broken(RULE, f"{detail}; the board has {_text(available)}", advice)
    else:
        shared = ", which CPU and GPU share" if subject.target.memory_shared else ""
        yield kept(RULE, f"{detail}; the board has {_text(available)}{shared}")


def estimate(subject: Subject) -> Memory:
    """Estimate what a network takes.

    Raises:
        Unknown: A value's size is not known.
    """
    weights = sum(
        _bytes(name, types.get(name, ValueType(tensor.data_type, tuple(tensor.dims))))
        for graph, types in zip(subject.graphs, subject.types, strict=True)
        for name, tensor in graph.own.items()
    )
    activations, node = _Walk(subject).peak(subject.graphs[0])
    floor = subject.target.gpu_floor_bytes if subject.tensorrt is not None else 0
    return Memory(
        weights_bytes=weights, activations_bytes=activations, node=node, floor_bytes=floor
    )


class _Walk:
    """Follows which activations are alive, through a graph and the graphs within it.

    What is computed from stored tensors alone, such as a weight behind its DQ, is taken to be made
    right before it is read: the order in a file says nothing of when a runtime does that.
    """

    def __init__(self, subject: Subject) -> None:
        pairs = zip(subject.graphs, subject.types, strict=True)
        self._types = {id(graph): types for graph, types in pairs}
        self._within: dict[int, list[QdqGraph]] = {}
        for graph in subject.graphs[1:]:
            self._within.setdefault(id(graph.owner), []).append(graph)

    def peak(self, graph: QdqGraph) -> tuple[int, str]:
        """Return the most bytes of activations alive at once, and the operator that runs then."""
        types = self._types[id(graph)]
        moments = self._moments(graph)
        end = len(graph.nodes)
        births = {value.name: 0 for value in graph.graph.input if value.name not in graph.own}
        births.update(
            (name, moments[index])
            for index, node in enumerate(graph.nodes)
            for name in node.output
            if name and name not in graph.own
        )
        deaths = dict(births)
        for index, node in enumerate(graph.nodes):
            for name in self._reads(node):
                if name in deaths:
                    deaths[name] = max(deaths[name], moments[index])
        deaths.update((value.name, end) for value in graph.graph.output if value.name in births)
        change = [0] * (end + 2)
        for name, birth in births.items():
            size = _bytes(name, types.get(name))
            change[birth] += size
            change[deaths[name] + 1] -= size
        most, where, alive = 0, "its input", 0
        for index, node in enumerate(graph.nodes):
            alive += change[index]
            inner = max((self.peak(each)[0] for each in self._within.get(id(node), ())), default=0)
            if alive + inner > most:
                most, where = alive + inner, node.name or node.op_type
        return most, where

    def _moments(self, graph: QdqGraph) -> list[int]:
        """Return when each node runs, as a position in the graph."""
        constant = set(graph.stored)
        lazy = []
        for node in graph.nodes:
            reads = self._reads(node)
            lazy.append(bool(reads) and reads <= constant)
            if lazy[-1] or node.op_type == "Constant":
                constant.update(node.output)
        moments = list(range(len(graph.nodes)))
        first: dict[str, int] = {}
        for index in reversed(range(len(graph.nodes))):
            node = graph.nodes[index]
            if lazy[index]:
                moments[index] = min(
                    (first.get(name, index) for name in node.output), default=index
                )
            for name in self._reads(node):
                first[name] = min(first.get(name, moments[index]), moments[index])
        return moments

    def _reads(self, node: onnx.NodeProto) -> set[str]:
        """Return the names that a node reads, in the graphs within it, too."""
        names = {name for name in node.input if name}
        for graph in self._within.get(id(node), ()):
            for inner in graph.nodes:
                names |= self._reads(inner)
            names |= {value.name for value in graph.graph.output}
        return names


def _bytes(name: str, value: ValueType | None) -> int:
    known = helper.get_all_tensor_dtypes()
    if value is None or value.elements is None or value.element not in known:
        raise Unknown(f"{name!r}")
    return value.elements * int(helper.tensor_dtype_to_np_dtype(value.element).itemsize)


def _text(size_bytes: int) -> str:
    """Write a size in the unit that shows it best."""
    if size_bytes < _MIB:
        return f"{size_bytes / 1024:,.1f} KiB"
    return (
        f"{size_bytes / _MIB:,.0f} MiB"
        if size_bytes >= 100 * _MIB
        else f"{size_bytes / _MIB:,.1f} MiB"
    )
