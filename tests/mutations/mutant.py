"""A file that is about to be given a fault: what a mutation can change, and the table of all.

A mutation is a function of a :class:`Mutant` under :func:`mutation`; its docstring says what is
wrong. Where no output can change, ``proof`` says why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

METADATA = "edgenet"


@dataclass(eq=False)
class Mutant:
    """A bundle's model and manifest, and draws that only the mutation's name decides.

    Attributes:
        model: To be changed.
        manifest: To be changed; its hashes are made to fit later.
        draw: Where a fault strikes, if there are several places.
        unfolded: The checkpoint's own tensors by name, before batch normalisation is folded.
    """

    model: onnx.ModelProto
    manifest: dict[str, Any]
    draw: np.random.Generator
    unfolded: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        mutation: Mutation,
        model: onnx.ModelProto,
        manifest: dict[str, Any],
        unfolded: Mapping[str, NDArray[Any]],
    ) -> Mutant:
        """Return a file before its mutation, which draws by its own key."""
        seed = int.from_bytes(hashlib.sha256(mutation.key.encode()).digest()[:8], "big")
        draw = np.random.Generator(np.random.PCG64(seed))
        return cls(model=model, manifest=manifest, draw=draw, unfolded=unfolded)

    @property
    def graph(self) -> onnx.GraphProto:
        """The graph."""
        return self.model.graph

    def node(self, name: str) -> onnx.NodeProto:
        """Return a node by its name."""
        found: list[onnx.NodeProto] = [node for node in self.graph.node if node.name == name]
        (only,) = found
        return only

    def of_type(self, operator: str) -> onnx.NodeProto:
        """Return the first node of an operator."""
        found: list[onnx.NodeProto] = [n for n in self.graph.node if n.op_type == operator]
        return found[0]

    def get(self, name: str) -> NDArray[Any]:
        """Return a copy of a stored tensor."""
        (found,) = [tensor for tensor in self.graph.initializer if tensor.name == name]
        return np.array(numpy_helper.to_array(found))

    def put(self, name: str, values: NDArray[Any]) -> str:
        """Store a tensor in place of the one of that name, or as a new one; return the name."""
        tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
        if values.ndim == 0:
            tensor = numpy_helper.from_array(np.asarray(values), name)
        for stored in self.graph.initializer:
            if stored.name == name:
                stored.CopyFrom(tensor)
                return name
        self.graph.initializer.append(tensor)
        return name

    def set(self, node: onnx.NodeProto, **attributes: Any) -> None:
        """Give a node attributes in place of those of these names; None takes one away."""
        kept = [each for each in node.attribute if each.name not in attributes]
        given = [helper.make_attribute(k, v) for k, v in attributes.items() if v is not None]
        del node.attribute[:]
        node.attribute.extend([*kept, *given])

    def become(self, node: onnx.NodeProto, operator: str, *more: str, **attributes: Any) -> None:
        """Make another operator of a node with one input; it may read ``more``."""
        first = node.input[0]
        del node.input[:], node.attribute[:]
        node.op_type = operator
        node.input.extend([first, *more])
        self.set(node, **attributes)

    def before(
        self, node: onnx.NodeProto, operator: str, *more: str, position: int = 0, **attributes: Any
    ) -> onnx.NodeProto:
        """Put a node between another and its input; it may read ``more``. Return it."""
        name = f"{node.name}/{operator}/{position}"
        while any(each.name == name for each in self.graph.node):
            name += "'"
        inputs = [node.input[position], *more]
        made = helper.make_node(operator, inputs, [name], name=name, **attributes)
        node.input[position] = name
        self.graph.node.insert(list(self.graph.node).index(node), made)
        return self.node(name)

    def after_all(self, operator: str, *more: str, **attributes: Any) -> None:
        """Put a node between the last one and the logits."""
        logits = self.graph.output[0].name
        last = next(node for node in self.graph.node if logits in node.output)
        last.output[0] = "true_logits"
        made = helper.make_node(
            operator, ["true_logits", *more], [logits], name="added", **attributes
        )
        self.graph.node.append(made)

    def drop(self, node: onnx.NodeProto) -> None:
        """Take a node away: who read its result reads its first input."""
        source, result = node.input[0], node.output[0]
        self.graph.node.remove(node)
        for each in self.graph.node:
            for position, name in enumerate(each.input):
                if name == result:
                    each.input[position] = source

    def declare(self, name: str, value: Any) -> None:
        """Say something else in the manifest, and in the model file if that says it too."""
        self.manifest[name] = value
        for note in self.model.metadata_props:
            if note.key == METADATA:
                said = json.loads(note.value)
                said.update({name: value} if name in said else {})
                note.value = json.dumps(said, ensure_ascii=False, sort_keys=True)


Change = Callable[[Mutant], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mutation:
    """One fault in one file.

    Attributes:
        name: What it is called, such as ``dropped-bias``.
        network: Which network's file, see :mod:`tests.mutations.networks`.
        precision: ``fp32``, ``fp16`` or ``int8``.
        what: What is wrong, a sentence.
        proof: Why no output can change; None where some can.
        change: What makes the fault.
    """

    name: str
    network: str
    precision: str
    what: str
    proof: str | None
    change: Change

    @property
    def key(self) -> str:
        """Name and file, which no other mutation has."""
        return f"{self.name} in {self.network}-{self.precision}"


TABLE: dict[str, Mutation] = {}
"""Every mutation by its key, in the order in which they are defined."""


def mutation(*files: str, proof: str | None = None) -> Callable[[Change], Change]:
    """Enter a function in the table, once for each file such as ``relu-fp32``."""

    def enter(change: Change) -> Change:
        name = change.__name__.replace("_", "-")
        for file in files:
            network, _, precision = file.rpartition("-")
            made = Mutation(
                name=name,
                network=network,
                precision=precision,
                what=(change.__doc__ or "").strip().splitlines()[0],
                proof=proof,
                change=change,
            )
            TABLE[made.key] = made
        return change

    return enter
