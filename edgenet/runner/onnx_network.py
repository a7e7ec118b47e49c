"""What is noted of an ONNX file: its nodes, constants and functions, in bounded memory."""

from typing import Dict, List, Mapping, NamedTuple, Set, Tuple

from edgenet.errors import CorruptFile

MAX_NODES = 100000
MAX_TENSORS = 200000
MAX_CALLS_DEEP = 32


INT64, FLOAT = 7, 1


class StoredTensor(NamedTuple):
    """A tensor's type by ONNX's number, its sizes, and its values: raw at a place, or listed."""

    dtype: int
    sizes: Tuple[int, ...]
    elements: int
    raw: Tuple[int, int]
    listed: Tuple[float, ...]


class Attribute(NamedTuple):
    """A node's attribute: its numbers, and the tensors in it."""

    numbers: Tuple[float, ...]
    tensors: Tuple[StoredTensor, ...]


class Node(NamedTuple):
    """A node: its operator, its inputs' and outputs' names, and the attributes in use here.

    The operator's domain is empty for ONNX's own, whichever of its two names the file uses.
    """

    domain: str
    operator: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    attributes: Mapping[str, Attribute]


class Network:
    """The nodes and constants of a file, whatever graph or function they are in."""

    def __init__(self) -> None:
        self.nodes: List[Node] = []
        self.tensors: Dict[str, List[StoredTensor]] = {}
        self.functions: Dict[Tuple[str, str], List[Node]] = {}
        self.parameters: Set[str] = set()  # of functions and of graphs within graphs

    def add_node(self, node: Node) -> None:
        """Note a node, and the value of one that is a constant."""
        if len(self.nodes) >= MAX_NODES:
            raise CorruptFile("it has more than {} nodes".format(MAX_NODES))
        self.nodes.append(node)
        if node.operator == "Constant" and node.outputs and "sparse_value" not in node.attributes:
            for name, attribute in node.attributes.items():
                dtype = INT64 if name in ("value_int", "value_ints") else FLOAT
                count = len(attribute.numbers)
                sizes = () if name == "value_int" else (count,)
                listed = StoredTensor(dtype, sizes, count, (0, 0), attribute.numbers)
                for tensor in attribute.tensors or (listed,):
                    self.add_tensor(node.outputs[0], tensor)

    def add_function(self, domain: str, name: str, first_node: int) -> None:
        """Note that the nodes from ``first_node`` on are those of a function."""
        nodes = self.functions.setdefault((domain, name), [])
        nodes += self.nodes[first_node:]

    def add_tensor(self, name: str, tensor: StoredTensor) -> None:
        """Note a constant; one without a name is nobody's input."""
        if len(self.tensors) >= MAX_TENSORS:
            raise CorruptFile("it has more than {} constants".format(MAX_TENSORS))
        if name:
            self.tensors.setdefault(name, []).append(tensor)

    def check_functions(self) -> None:
        """Refuse functions that stand for a huge network: a runtime writes each call out.

        Raises:
            CorruptFile: They do, or call each other in a circle.
        """
        lengths: Dict[Tuple[str, str], int] = {}
        for function in self.functions:
            self._length(function, lengths, 0)
        if sum(lengths.get((node.domain, node.operator), 1) for node in self.nodes) > MAX_NODES:
            raise CorruptFile("its functions stand for more than {} nodes".format(MAX_NODES))

    def _length(
        self, name: Tuple[str, str], lengths: Dict[Tuple[str, str], int], depth: int
    ) -> int:
        """Return how many nodes a call of that name stands for; one if it is no function."""
        if name not in self.functions:
            return 1
        if depth > MAX_CALLS_DEEP:
            raise CorruptFile("its functions call each other in a circle, or too deeply")
        if name not in lengths:
            calls = [(node.domain, node.operator) for node in self.functions[name]]
            lengths[name] = sum(self._length(call, lengths, depth + 1) for call in calls)
        return lengths[name]
