"""What must be known of an ONNX file before a runtime may load it, read from its bytes.

A tensor of an ONNX file may name another file to be read as its data, with any path in it. The
runtime would follow it; so the file is walked first, and a tensor that lies elsewhere or that
claims to be huge is refused. ONNX is protobuf: fields with a number, a wire type and a length.
The walk follows only the fields that can hold a tensor and touches no tensor data, in constant
memory and bounded time. It needs neither the ``onnx`` package nor protobuf: boards have none.

Source: the field numbers of onnx.proto (IR version 13); the encoding of protobuf's wire format.
"""

import mmap
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Tuple, Union

from edgenet.errors import CorruptFile

MAX_TENSOR_ELEMENTS = 1 << 31
MAX_DEPTH = 32
MAX_FIELDS = 5000000  # a network of 10,000 nodes has some 300,000

_VARINT, _BYTES = 0, 2  # wire types
_FIXED_BYTES = {1: 8, 5: 4}

# Message -> {field number: the message that it holds}, for those on the way to a tensor.
_TREE: Dict[str, Dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
}
_TENSOR_DIMS, _TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 1, 13, 14

Buffer = Union[bytes, mmap.mmap]


class _Field(NamedTuple):
    """One field on the wire: for bytes ``start``..``end``, for a number ``value``."""

    number: int
    wire_type: int
    value: int
    start: int
    end: int


class _MalformedError(Exception):
    """The bytes are not a protobuf message."""


def check_self_contained(path: Path) -> None:
    """Refuse an ONNX file that would make its runtime read another file or take huge memory.

    Raises:
        CorruptFile: A tensor has external data or more than 2^31 elements, or the file is not
            protobuf, or is nested more than 32 deep.
    """
    try:
        with open(str(path), "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                _Walk(data).visit("Model", 0, len(data))
    except (_MalformedError, ValueError):
        raise CorruptFile("{} is not an ONNX file".format(path)) from None
    except CorruptFile as error:
        raise CorruptFile("{}: {}".format(path, error.message), error.hint) from None


class _Walk:
    """One pass over a file; counts what it meets, so that a hostile file cannot take hours."""

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._met = 0

    def visit(self, message: str, start: int, end: int, depth: int = 0) -> None:
        """Check every tensor within the message that lies at ``start``..``end``."""
        if depth > MAX_DEPTH:
            raise CorruptFile("its graphs are nested too deeply")
        if message == "Tensor":
            self._check_tensor(start, end)
            return
        children = _TREE[message]
        for field in self._fields(start, end):
            if field.number in children and field.wire_type == _BYTES:
                self.visit(children[field.number], field.start, field.end, depth + 1)

    def _check_tensor(self, start: int, end: int) -> None:
        elements = 1
        for field in self._fields(start, end):
            if field.number == _TENSOR_DIMS:
                for size in self._numbers(field):
                    elements *= size  # a negative size is a huge one here
                    if elements > MAX_TENSOR_ELEMENTS:
                        raise CorruptFile("a tensor claims more than 2^31 elements")
            elif field.number == _TENSOR_EXTERNAL_DATA or (
                field.number == _TENSOR_DATA_LOCATION and field.value != 0
            ):
                hint = "save the network as one file, with its weights inside"
                raise CorruptFile("a tensor has its data in another file", hint)

    def _numbers(self, field: _Field) -> Iterator[int]:
        """Yield the integers of a repeated field, packed or not."""
        if field.wire_type == _VARINT:
            yield field.value
        elif field.wire_type == _BYTES:
            position = field.start
            while position < field.end:
                self._count()
                value, position = _varint(self._data, position, field.end)
                yield value

    def _fields(self, start: int, end: int) -> Iterator[_Field]:
        """Yield the fields of the message that lies at ``start``..``end``."""
        position = start
        while position < end:
            self._count()
            key, position = _varint(self._data, position, end)
            number, wire_type = key >> 3, key & 7
            value = 0
            first = position
            if wire_type == _VARINT:
                value, position = _varint(self._data, position, end)
            elif wire_type == _BYTES:
                length, first = _varint(self._data, position, end)
                position = first + length
            elif wire_type in _FIXED_BYTES:
                position += _FIXED_BYTES[wire_type]
            else:
                raise _MalformedError("wire type {}".format(wire_type))
            if position > end or number == 0:
                raise _MalformedError("a field that ends outside of its message")
            yield _Field(number, wire_type, value, first, position)

    def _count(self) -> None:
        self._met += 1
        if self._met > MAX_FIELDS:
            raise CorruptFile("it has more than {} fields".format(MAX_FIELDS))


def _varint(data: Buffer, position: int, end: int) -> Tuple[int, int]:
    """Return a base-128 number and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _MalformedError("a number without an end")
