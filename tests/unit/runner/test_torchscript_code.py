"""The code in TorchScript files."""

from __future__ import annotations

import pytest

from edgenet.runner.fields import FieldError
from edgenet.runner.torchscript_code import check_code

GOOD = """class Network(Module):
  __parameters__ = []
  __annotations__["0"] = __torch__.torch.nn.modules.conv.Conv2d
  def forward(self: __torch__.edgenet.export.graph.Network,
    input: Tensor) -> Tensor:
    _0 = torch.pad(torch.to(input, 6), [2, 2, 2, 2], "constant")
    input0 = torch._convolution(_0, CONSTANTS.c2, None, [1, 1], [2, 2], [1, 1], False)
    _1 = ops.prim.NumToTensor(torch.size(input0, 0))
    return torch.reshape(torch.relu(input0), [int(_1), -1])
"""


def test_what_tracing_writes_passes() -> None:
    """Operators on tensors, a batch size, and texts as options."""
    check_code("code/network.py", GOOD.encode())


@pytest.mark.parametrize(
    "line",
    [
        'torch.save(input, "/tmp/x")',
        'torch . save(input, "/tmp/x")',
        'torch.\\\n      save(input, "/tmp/x")',
        'x = torch.from_file("/tmp/x", True, 3)',
        'x = ops.aten.from_file("/tmp/x", True, 3)',
        "x = (torch.ones)([1000000000])",
        "x = torch.ones ([1000000000])",
        "f = torch.ones",
        "x = input.new_zeros([1000000000])",
        "x = (input).repeat([1000000000])",
        "x = [input][0].expand([1000000000])",
        'x = "a" # "',
        'x = """a"""\n    torch.save(input, "b")',
        "x = 'a\\'; torch.save(input, \"b\")'",
        'x, y, z = """ " """, torch.save(input, \'/tmp/x\'), """ " """',
        'x = "", "", ""',
        "for x in [input]:\n      y = torch.cat([y, y])",
        "while True:\n      y = input",
        "x = eval(input)",
        "x = __torch__.other.Class.__new__(__torch__.other.Class)",
        "x = tor\u0441h.save(input)",
        "torch.relu(input); torch.save(input, 'x')",
    ],
)
def test_code_that_does_more_is_refused(line: str) -> None:
    """However it is spelt."""
    code = GOOD.replace("    return", f"    {line}\n    return")
    with pytest.raises(FieldError, match=r"code/network\.py"):
        check_code("code/network.py", code.encode())


def test_a_method_that_is_called_on_loading_is_refused() -> None:
    """`__setstate__` runs before anybody asks for a result."""
    code = GOOD + "  def __setstate__(self: __torch__.Network, state: bool) -> NoneType:\n"
    with pytest.raises(FieldError, match="__setstate__"):
        check_code("code/network.py", code.encode())


def test_code_of_megabytes_is_refused() -> None:
    """It would be searched again and again."""
    with pytest.raises(FieldError, match="longer than"):
        check_code("code/network.py", b" " * (1 << 25))
