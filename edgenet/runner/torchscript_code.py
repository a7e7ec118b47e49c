"""The code in a TorchScript file: looked at before PyTorch may load it.

TorchScript can write files (``torch.save``), map others into memory, and run code while it is
loaded (``__setstate__``). A traced and frozen network has one method, ``forward``, and calls
operators on tensors; anything else is refused.

Source: ``torch/csrc/jit/serialization/python_print.cpp``, the text that PyTorch writes.
"""

import re

from edgenet.runner.fields import FieldError
from edgenet.runner.torch_operators import OPERATORS

MAX_CODE_BYTES = 1 << 24

_MORE = frozenset(("_convolution", "device", "size"))
"""What tracing writes, beside the operators that ``torch.export`` knows."""

# A word and no more: three quotes in a row, or a quote behind a backslash, would let PyTorch see
# another text than is seen here.
_STRING = re.compile('"[A-Za-z0-9_:]{1,64}"')
_DECLARATION = re.compile(r"\b(?:class [A-Za-z0-9_]+\(Module\):|def forward\(self: )")
_CALL = re.compile(r"([A-Za-z0-9_.\])]+)\s*\(")
_LIBRARY = re.compile(r"(?<![A-Za-z0-9_.])(?:torch|ops)\s*\.[\s.A-Za-z0-9_]*")
_PLAIN = frozenset(("annotate", "int", "float", "bool", "ops.prim.NumToTensor"))
_WORDS = frozenset(("return", "in", "if", "and", "or", "not"))
_NEVER = re.compile(r"\b(?:for|while|with|lambda|import)\b")


def check_code(name: str, content: bytes) -> None:
    """Refuse code that does more than compute from tensors.

    Args:
        name: Of the member, for the message.
        content: The member.

    Raises:
        FieldError: It does.
    """
    if len(content) > MAX_CODE_BYTES:
        raise FieldError("{} is longer than {} bytes".format(name, MAX_CODE_BYTES))
    try:
        code = _STRING.sub("", content.decode("ascii"))
    except UnicodeDecodeError:
        raise FieldError("{} is not code".format(name)) from None
    odd = set(code).intersection("\"'#\\\\;\r")
    if odd:
        raise FieldError("{} holds {!r}".format(name, min(odd)))
    code = _DECLARATION.sub("", code)
    never = _NEVER.search(code)
    if never is not None:
        raise FieldError("{} uses {!r}".format(name, never.group()))
    for found in _LIBRARY.findall(code):
        _check(name, re.sub(r"\s", "", found))
    for found in _CALL.findall(code):
        if found not in _WORDS:
            _check(name, found)


def _check(name: str, callee: str) -> None:
    """Refuse what is called, or named below ``torch``, unless it is on the list."""
    if callee.startswith("torch."):
        operator = callee[len("torch.") :]
        if operator in OPERATORS or operator in _MORE:
            return
    if callee not in _PLAIN:
        raise FieldError("{} uses {!r}, which is not on the list".format(name, callee[:80]))
