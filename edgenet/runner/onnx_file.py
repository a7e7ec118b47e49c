"""What must be known of an ONNX file before a runtime may load it, read from its bytes.

A tensor of an ONNX file may name another file to be read as its data, with any path in it. The
runtime would follow it; so the file is walked first, and a tensor that lies elsewhere or that
claims to be huge is refused. ONNX is protobuf: fields with a number, a wire type and a length.
The walk follows only the fields that can hold a tensor and notes what nodes there are and where
their constants lie, in bounded memory and time; `edgenet.runner.onnx_values` looks at the numbers
that decide how much memory the network takes. Neither needs the ``onnx`` package nor protobuf:
boards have none.

Source: the field numbers of onnx.proto (IR version 13); the encoding of protobuf's wire format.
"""

import contextlib
import mmap
import struct
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from edgenet.errors import CorruptFile
from edgenet.runner.onnx_network import Attribute, Network, Node, StoredTensor
from edgenet.runner.onnx_values import check_values
from edgenet.runner.protobuf import (
    BYTES,
    FIXED_BYTES,
    VARINT,
    Buffer,
    Field,
    MalformedError,
    signed,
    varint,
)

MAX_TENSOR_ELEMENTS = 1 << 31
MAX_DEPTH = 32
MAX_FIELDS = 5000000  # a network of 10,000 nodes has some 300,000
MAX_NOTED_BYTES = 1 << 24  # of names
MAX_METADATA_BYTES = 1 << 20
MAX_SPARSE_ELEMENTS = 1 << 24
MAX_EMPTY_ELEMENTS = 1 << 16
_MOST_ELEMENTS_A_BYTE = 4
_LONGEST_NAME = 4096
_LONGEST_LIST_BYTES = 1 << 16

# Message -> {field number: the message that it holds}, for those on the way to a tensor.
_TREE: Dict[str, Dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Function": {7: "Node", 11: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
}
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME = 1, 2, 8
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_SPARSE_DIMS = 3
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_NODE_TEXTS = (_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_DOMAIN)
_FUNCTION_NAME, _FUNCTION_INPUT, _FUNCTION_DOMAIN = 1, 4, 10
_GRAPH_INPUT, _VALUE_NAME = 11, 1
_ALIASES = {"ai.onnx": ""}  # of domains
_ATTRIBUTE_NAME, _ATTRIBUTE_TENSOR = 1, 5
_ATTRIBUTE_NUMBERS = {2: "f", 3: "i", 7: "f", 8: "i"}
_TENSOR_RAW = 9
_TENSOR_LISTS = {4: "f", 5: "i", 7: "i", 10: "d", 11: "i"}
_MODEL_METADATA = 14


def check_self_contained(path: Path) -> None:
    """Refuse an ONNX file that would make its runtime read another file or take huge memory.

    Raises:
        CorruptFile: A tensor has external data, more than 2^31 elements or more than the file
            holds, a node makes a huge one or quantizes with a scale that is none, or the file is
            not protobuf, or is nested more than 32 deep.
    """
    with _reading(path) as data:
        walk = _Walk(data)
        walk.visit("Model", 0, len(data))
        check_values(data, walk.network)


def read_metadata(path: Path, key: str) -> Optional[bytes]:
    """Return a value of an ONNX file's ``metadata_props``, or None where there is none.

    Raises:
        CorruptFile: The file is not protobuf, or the value is longer than a megabyte.
    """
    with _reading(path) as data:
        walk = _Walk(data)
        for field in walk.fields(0, len(data)):
            if field.number == _MODEL_METADATA and field.wire_type == BYTES:
                entry = {each.number: each for each in walk.fields(field.start, field.end)}
                if 1 in entry and 2 in entry and walk.text(entry[1]) == key:
                    if entry[2].end - entry[2].start > MAX_METADATA_BYTES:
                        message = "the metadata in it exceeds {} bytes"
                        raise CorruptFile(message.format(MAX_METADATA_BYTES))
                    return bytes(data[entry[2].start : entry[2].end])
    return None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[mmap.mmap]:
    """Map a file into memory; what is wrong with it gets its name."""
    try:
        with open(str(path), "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
    except (MalformedError, ValueError):
        raise CorruptFile("{} is not an ONNX file".format(path)) from None
    except CorruptFile as error:
        raise CorruptFile("{}: {}".format(path, error.message), error.hint) from None


class _Walk:
    """One pass over a file; counts what it meets, so that a hostile file cannot take hours."""

    def __init__(self, data: Buffer) -> None:
        self.network = Network()
        self._data = data
        self._met = 0
        self._noted_bytes = 0

    def visit(self, message: str, start: int, end: int, depth: int = 0) -> None:
        """Check every tensor within the message that lies at ``start``..``end``."""
        if depth > MAX_DEPTH:
            raise CorruptFile("its graphs are nested too deeply")
        if message == "Tensor":
            self._tensor(start, end)
            return
        if message == "Node":
            self._visit_node(start, end, depth)
            return
        children = _TREE[message]
        names = {_FUNCTION_NAME: "", _FUNCTION_DOMAIN: ""}
        first_node = len(self.network.nodes)
        sizes: List[int] = []  # of a sparse tensor
        for field in self.fields(start, end):
            if message == "Graph" and children.get(field.number) == "Tensor":
                self.network.add_tensor(*self._tensor(field.start, field.end))
            elif field.number in children and field.wire_type == BYTES:
                self.visit(children[field.number], field.start, field.end, depth + 1)
            elif message == "Sparse" and field.number == _SPARSE_DIMS:
                sizes += self._integers(field)
            elif message == "Function" and field.number in names:
                names[field.number] = self.text(field)
            elif message == "Function" and field.number == _FUNCTION_INPUT:
                self.network.parameters.add(self.text(field))
            elif message == "Graph" and field.number == _GRAPH_INPUT and depth > 1:
                for each in self.fields(field.start, field.end):
                    if each.number == _VALUE_NAME:
                        self.network.parameters.add(self.text(each))
        if message == "Function":
            domain = _ALIASES.get(names[_FUNCTION_DOMAIN], names[_FUNCTION_DOMAIN])
            self.network.add_function(domain, names[_FUNCTION_NAME], first_node)
        if _product(sizes) > MAX_SPARSE_ELEMENTS:
            raise CorruptFile("a sparse tensor claims {} elements".format(_product(sizes)))

    def _visit_node(self, start: int, end: int, depth: int) -> None:
        texts: Dict[int, List[str]] = {each: [] for each in _NODE_TEXTS}
        attributes: Dict[str, Attribute] = {}
        for field in self.fields(start, end):
            if field.number in texts:
                texts[field.number].append(self.text(field))
            elif field.number == _NODE_ATTRIBUTE and field.wire_type == BYTES:
                self.visit("Attribute", field.start, field.end, depth + 1)
                self._note_attribute(field, attributes)
        inputs, outputs = tuple(texts[_NODE_INPUT]), tuple(texts[_NODE_OUTPUT])
        domain, operator = ("".join(texts[each][-1:]) for each in (_NODE_DOMAIN, _NODE_OPERATOR))
        domain = _ALIASES.get(domain, domain)
        self.network.add_node(Node(domain, operator, inputs, outputs, attributes))

    def _note_attribute(self, place: Field, attributes: Dict[str, Attribute]) -> None:
        """Note the name and the numbers of an attribute; graphs in it were visited before."""
        name = ""
        numbers: List[float] = []
        tensors: List[StoredTensor] = []
        for field in self.fields(place.start, place.end):
            if field.number == _ATTRIBUTE_NAME:
                name = self.text(field)
            elif field.number in _ATTRIBUTE_NUMBERS:
                numbers += self._listed(field, _ATTRIBUTE_NUMBERS[field.number])
            elif field.number == _ATTRIBUTE_TENSOR and field.wire_type == BYTES:
                tensors.append(self._tensor(field.start, field.end)[1])
        attributes[name] = Attribute(tuple(numbers), tuple(tensors))

    def _tensor(self, start: int, end: int) -> Tuple[str, StoredTensor]:
        """Check a tensor; return its name and where its values are."""
        name, dtype, raw = "", 0, (0, 0)
        sizes: List[int] = []
        listed: List[float] = []
        for field in self.fields(start, end):
            if field.number == _TENSOR_DIMS:
                sizes += self._integers(field)
            elif field.number == _TENSOR_TYPE:
                dtype = field.value
            elif field.number == _TENSOR_NAME:
                name = self.text(field)
            elif field.number == _TENSOR_RAW:
                raw = (field.start, field.end)
            elif field.number in _TENSOR_LISTS:
                listed += self._listed(field, _TENSOR_LISTS[field.number])
            elif field.number == _TENSOR_EXTERNAL_DATA or (
                field.number == _TENSOR_DATA_LOCATION and field.value != 0
            ):
                hint = "save the network as one file, with its weights inside"
                raise CorruptFile("a tensor has its data in another file", hint)
        elements = _product(sizes)
        if elements > _MOST_ELEMENTS_A_BYTE * (end - start):
            message = "a tensor claims {} elements and holds {} bytes"
            raise CorruptFile(message.format(elements, end - start))
        if not elements and _product(max(1, size) for size in sizes) > MAX_EMPTY_ELEMENTS:
            raise CorruptFile("an empty tensor has huge sizes")  # others may be made as it is
        return name, StoredTensor(dtype, tuple(sizes), elements, raw, tuple(listed))

    def text(self, field: Field) -> str:
        """Return a name; all names together are bounded."""
        length = field.end - field.start
        self._noted_bytes += length
        if length > _LONGEST_NAME or self._noted_bytes > MAX_NOTED_BYTES:
            raise CorruptFile("its names are too long")
        return bytes(self._data[field.start : field.end]).decode("utf-8", "replace")

    def _listed(self, field: Field, kind: str) -> List[float]:
        """Return the numbers of a field that holds few of them; of many, none."""
        length = field.end - field.start
        if length > _LONGEST_LIST_BYTES:
            return []
        self._noted_bytes += length
        if kind == "i":
            return [signed(value) for value in self._integers(field)]
        width = struct.calcsize(kind)
        content = bytes(self._data[field.start : field.end])[: length // width * width]
        return list(struct.unpack("<{}{}".format(len(content) // width, kind), content))

    def _integers(self, field: Field) -> Iterator[int]:
        """Yield the integers of a repeated field, packed or not."""
        if field.wire_type == VARINT:
            yield field.value
        elif field.wire_type == BYTES:
            position = field.start
            while position < field.end:
                self._count()
                value, position = varint(self._data, position, field.end)
                yield value

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """Yield the fields of the message that lies at ``start``..``end``."""
        position = start
        while position < end:
            self._count()
            key, position = varint(self._data, position, end)
            number, wire_type = key >> 3, key & 7
            value = 0
            first = position
            if wire_type == VARINT:
                value, position = varint(self._data, position, end)
            elif wire_type == BYTES:
                length, first = varint(self._data, position, end)
                position = first + length
            elif wire_type in FIXED_BYTES:
                position += FIXED_BYTES[wire_type]
            else:
                raise MalformedError("wire type {}".format(wire_type))
            if position > end or number == 0:
                raise MalformedError("a field that ends outside of its message")
            yield Field(number, wire_type, value, first, position)

    def _count(self) -> None:
        self._met += 1
        if self._met > MAX_FIELDS:
            raise CorruptFile("it has more than {} fields".format(MAX_FIELDS))


def _product(sizes: Iterable[int]) -> int:
    """Return the number of elements of a tensor of these sizes.

    Raises:
        CorruptFile: It is more than 2^31; a negative size is a huge one here.
    """
    elements = 1
    for size in sizes:
        elements *= size
        if elements > MAX_TENSOR_ELEMENTS:
            raise CorruptFile("a tensor claims more than 2^31 elements")
    return elements
