"""Reading arrays from an ``.npz`` that nobody vouches for: bounded, never pickled.

The archive's directory and each array's header are checked before memory is taken: an array's
shape decides its length, and that must be what the archive holds. Compressed members are
refused, so a small file cannot become a large one.
"""

import ast
import re
import struct
import zipfile
from typing import IO, BinaryIO, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from edgenet.runner.archive import FAULTS, check_directory
from edgenet.runner.fields import FieldError

MAX_ARRAYS = 64
MAX_TOTAL_BYTES = 1 << 28
_MAX_HEADER_BYTES = 1024
_BLOCK_BYTES = 1 << 20
_MAGIC = b"\x93NUMPY\x01\x00"


class ArrayRule(NamedTuple):
    """What one array, or each of a family of arrays, must be.

    Attributes:
        name: A regular expression that the array's whole name matches.
        dtype: The only NumPy type string allowed, such as ``<f4``; floats must be finite.
        longest: The greatest length of the first axis.
        rest: The exact sizes of the other axes.
        required: The file must hold it.
    """

    name: str
    dtype: str
    longest: int
    rest: Tuple[int, ...]
    required: bool

    def takes(self, name: str) -> bool:
        """Whether the rule is for an array of this name."""
        return re.match("(?:" + self.name + r")\Z", name) is not None


def read_arrays(
    file: BinaryIO, rules: Sequence[ArrayRule], names: Optional[Sequence[str]] = None
) -> Dict[str, np.ndarray]:
    """Read the arrays of an open ``.npz`` file.

    Args:
        file: Open for reading, at its start.
        rules: One for every array that the file may hold.
        names: The arrays wanted; all by default.

    Returns:
        Name to array.

    Raises:
        FieldError: The file is not such an archive, or an array breaks its rule.
    """
    check_directory(file, MAX_ARRAYS)
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, rules)
            wanted = members if names is None else _pick(members, names)
            arrays = {
                name: _read_array(archive, member, rule) for name, (member, rule) in wanted.items()
            }
    except FieldError:
        raise
    except FAULTS as error:
        raise FieldError("it is not an archive of arrays: {}".format(error)) from None
    return arrays


_Members = Dict[str, Tuple[zipfile.ZipInfo, ArrayRule]]


def _members(archive: zipfile.ZipFile, rules: Sequence[ArrayRule]) -> _Members:
    """Match every member with its rule, by the archive's directory alone."""
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise FieldError("it holds more than {} bytes".format(MAX_TOTAL_BYTES))
    members: _Members = {}
    for entry in entries:
        name = entry.filename[: -len(".npy")]
        rule = next((rule for rule in rules if rule.takes(name)), None)
        if not entry.filename.endswith(".npy") or rule is None or name in members:
            raise FieldError("{!r} does not belong there".format(entry.filename[:80]))
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise FieldError("{!r} is compressed".format(name))
        members[name] = (entry, rule)
    for rule in rules:
        if rule.required and rule.name not in members:
            raise FieldError("{!r} is missing".format(rule.name))
    return members


def _pick(members: _Members, names: Sequence[str]) -> _Members:
    absent = [name for name in names if name not in members]
    if absent:
        raise FieldError("{!r} is missing".format(absent[0]))
    return {name: members[name] for name in names}


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, rule: ArrayRule) -> np.ndarray:
    name = member.filename[: -len(".npy")]
    with archive.open(member) as stream:
        magic = stream.read(len(_MAGIC))
        length_field = stream.read(2)
        if magic != _MAGIC or len(length_field) != 2:
            raise FieldError("{!r} is not an array of .npy version 1.0".format(name))
        (header_bytes,) = struct.unpack("<H", length_field)
        if header_bytes > _MAX_HEADER_BYTES:
            raise FieldError("the header of {!r} is too long".format(name))
        shape = _shape(stream.read(header_bytes), name, rule)
        dtype = np.dtype(rule.dtype)
        count = 1
        for size in shape:
            count *= size
        held = member.file_size - len(_MAGIC) - 2 - header_bytes
        if held != count * dtype.itemsize:
            raise FieldError("{!r} holds {} bytes for shape {}".format(name, held, list(shape)))
        array = _read_exactly(stream, shape, dtype)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise FieldError("{!r} holds values that are not finite".format(name))
    return array


def _read_exactly(stream: IO[bytes], shape: Tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Read an array into memory of its own, block by block: never a second copy of it."""
    array = np.empty(shape, dtype)
    unread = memoryview(array.reshape(-1).view(np.uint8).data)
    while unread:
        block = stream.read(min(len(unread), _BLOCK_BYTES))
        if not block:
            raise EOFError("it ends early")
        unread[: len(block)] = block
        unread = unread[len(block) :]
    if stream.read(1):
        raise FieldError("an array is longer than it says")
    return array


def _shape(header: bytes, name: str, rule: ArrayRule) -> Tuple[int, ...]:
    """Check an array's header against its rule and return the shape."""
    try:
        fields = ast.literal_eval(header.decode("ascii").strip())
        kind, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise FieldError("the header of {!r} is not one".format(name)) from None
    if kind not in (rule.dtype, "|" + rule.dtype) or fortran is not False:
        raise FieldError("{!r} is not {} in C order".format(name, np.dtype(rule.dtype).name))
    sizes = list(shape) if isinstance(shape, tuple) else []
    if not sizes or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise FieldError("{!r} has no shape".format(name))
    if sizes[0] > rule.longest or tuple(sizes[1:]) != rule.rest:
        expected = ", ".join(["n <= {}".format(rule.longest)] + [str(size) for size in rule.rest])
        raise FieldError("{!r} has shape {}, not [{}]".format(name, sizes, expected))
    return tuple(sizes)
