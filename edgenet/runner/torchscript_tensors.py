"""The pickles in a TorchScript file: compared with the numbers beside them, and never unpickled.

PyTorch reads them with a reader of its own, which runs no code, but believes what they say: that a
tensor of a million numbers lies in a member of twelve bytes. It then computes with whatever is in
memory behind it. So they are followed here, operation by operation, as far as a network needs them.

Source: ``torch/csrc/jit/serialization/unpickler.cpp``; PEP 307.
"""

import pickletools
import re
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

from edgenet.runner.fields import FieldError

MAX_PICKLE_BYTES = 1 << 24

_ITEM_BYTES = {
    "Float": 4,
    "Double": 8,
    "Half": 2,
    "BFloat16": 2,
    "Long": 8,
    "Int": 4,
    "Short": 2,
    "Char": 1,
    "Byte": 1,
    "Bool": 1,
}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_DICTIONARY = "collections OrderedDict"
_STORAGE = re.compile(r"torch ({})Storage\Z".format("|".join(_ITEM_BYTES)))
_CLASS = re.compile(r"__torch__[A-Za-z0-9_.]* [A-Za-z0-9_]+\Z")


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    elements: int


class _MalformedError(Exception):
    """It is not what PyTorch writes."""


def check_tensors(name: str, content: bytes, storages: Mapping[str, bytes]) -> None:
    """Refuse a pickle whose tensors are not where it says, or that makes anything else.

    Args:
        name: Of the member, for the message.
        content: The member.
        storages: The numbers that it may refer to, by key.

    Raises:
        FieldError: It does.
    """
    if len(content) > MAX_PICKLE_BYTES:
        raise FieldError("{} is longer than {} bytes".format(name, MAX_PICKLE_BYTES))
    machine = _Machine(storages)
    try:
        for operation, argument, _ in pickletools.genops(content):
            machine.step(operation.name, argument)
    except FieldError as error:
        raise FieldError("{}: {}".format(name, error)) from None
    except (_MalformedError, IndexError, KeyError, TypeError, ValueError):
        raise FieldError("{} is not what PyTorch writes".format(name)) from None


class _Machine:
    """Follows a pickle: tuples and numbers as they are, all else by its name."""

    def __init__(self, storages: Mapping[str, bytes]) -> None:
        self._storages = storages
        self._stack: List[Any] = []
        self._marks: List[int] = []
        self._memo: Dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name])
        elif name in _PUT:
            self._memo[argument] = self._stack[-1]
        elif name in _GET:
            self._stack.append(self._memo[argument])
        elif name in _LENGTHS:
            self._push_tuple(_LENGTHS[name])
        elif name in _STEPS:
            _STEPS[name](self)
        elif name == "GLOBAL":
            self.name(argument)
        else:
            raise FieldError("it holds the operation {}".format(name))

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def tuple(self) -> None:
        self._push_tuple(len(self._stack) - self._marks.pop())

    def drop_marked(self) -> None:
        """Put what lies above the mark into the list or dictionary below it."""
        del self._stack[self._marks.pop() :]

    def drop(self) -> None:
        """Append the value above to the list below it, or set an object's attributes from it."""
        self._pop()

    def name(self, name: str) -> None:
        known = name in (_TENSOR, _DICTIONARY) or _STORAGE.match(name)
        if not known and not _CLASS.match(name):
            raise FieldError("it names {!r}".format(name[:80]))
        self._stack.append(_Global(name))

    def storage(self) -> None:
        word, kind, key, device, elements = self._pop()
        found = _STORAGE.match(kind.name) if isinstance(kind, _Global) else None
        if word != "storage" or found is None or device != "cpu":
            raise _MalformedError
        if elements * _ITEM_BYTES[found.group(1)] != len(self._storages[key]):
            message = "it says {} numbers, and {!r} holds {} bytes"
            raise FieldError(message.format(elements, key, len(self._storages[key])))
        self._stack.append(_Storage(elements))

    def call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if function == _Global(_TENSOR):
            storage, offset, sizes, strides = arguments[:4]
            _check_tensor(storage, offset, sizes, strides)
        elif function != _Global(_DICTIONARY) or arguments != ():
            raise _MalformedError
        self._stack.append(None)

    def make(self) -> None:
        """Make an object of a class that the code declares."""
        arguments, made = self._pop(), self._pop()
        if arguments != () or not isinstance(made, _Global) or not _CLASS.match(made.name):
            raise _MalformedError
        self._stack.append(None)

    def ignore(self) -> None:
        """Go on: the protocol's number, and the end."""

    def _pop(self) -> Any:
        return self._stack.pop()

    def _push_tuple(self, length: int) -> None:
        start = len(self._stack) - length
        if start < 0:
            raise _MalformedError
        self._stack[start:] = [tuple(self._stack[start:])]


_LITERALS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE")
_EMPTY: Dict[str, Any] = {
    "EMPTY_TUPLE": (),
    "EMPTY_LIST": None,
    "EMPTY_DICT": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "NONE": None,
}
_PUT, _GET = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
_LENGTHS = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS: Dict[str, Callable[[_Machine], None]] = {
    "PROTO": _Machine.ignore,
    "STOP": _Machine.ignore,
    "MARK": _Machine.mark,
    "TUPLE": _Machine.tuple,
    "APPENDS": _Machine.drop_marked,
    "SETITEMS": _Machine.drop_marked,
    "APPEND": _Machine.drop,
    "BUILD": _Machine.drop,
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.make,
}


def _check_tensor(
    storage: Any, offset: int, sizes: Tuple[int, ...], strides: Tuple[int, ...]
) -> None:
    """Refuse a tensor that reaches beyond its storage, or repeats what is in it."""
    if not isinstance(storage, _Storage) or len(sizes) != len(strides):
        raise _MalformedError
    if any(type(number) is not int or number < 0 for number in (offset, *sizes, *strides)):
        raise _MalformedError
    elements, last = 1, offset
    for size, stride in zip(sizes, strides):
        elements *= size
        last += (size - 1) * stride
    if elements and (last >= storage.elements or elements > storage.elements):
        message = "a tensor of sizes {} reaches beyond its {} numbers"
        raise FieldError(message.format(list(sizes[:8]), storage.elements))
