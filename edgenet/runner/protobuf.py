"""Protobuf on the wire: fields of a number, a type and a value or a length. Needs no package.

Source: protobuf.dev/programming-guides/encoding.
"""

import mmap
from typing import NamedTuple, Tuple, Union

VARINT, BYTES = 0, 2
FIXED_BYTES = {1: 8, 5: 4}
"""The lengths of the other wire types."""

Buffer = Union[bytes, mmap.mmap]


class Field(NamedTuple):
    """One field on the wire: for bytes ``start``..``end``, for a number ``value``."""

    number: int
    wire_type: int
    value: int
    start: int
    end: int


class MalformedError(Exception):
    """The bytes are not a protobuf message."""


def varint(data: Buffer, position: int, end: int) -> Tuple[int, int]:
    """Return a base-128 number and the position after it.

    Raises:
        MalformedError: It does not end before ``end``.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise MalformedError("a number without an end")


def signed(value: int) -> int:
    """Return the integer that 64 bits stand for."""
    return value - (1 << 64) if value >> 63 & 1 else value
