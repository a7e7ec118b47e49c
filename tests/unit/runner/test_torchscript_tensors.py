"""The pickles in TorchScript files; those that `pickle` writes are of the same operations."""

from __future__ import annotations

import struct

import pytest

from edgenet.runner.fields import FieldError
from edgenet.runner.torchscript_tensors import check_tensors

HELD = {"0": bytes(24)}  # six numbers


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _numbers(*values: int) -> bytes:
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def _tensor(
    offset: int = 0,
    sizes: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
    *,
    elements: int = 6,
    key: str = "0",
    kind: str = "FloatStorage",
    device: str = "cpu",
) -> bytes:
    """Return a pickle of a tuple with one tensor, as PyTorch writes its constants."""
    storage = (
        b"(" + _text("storage") + f"ctorch\n{kind}\n".encode() + _text(key) + _text(device)
    ) + (b"J" + struct.pack("<i", elements) + b"tQ")
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"J"
        + struct.pack("<i", offset)
        + _numbers(*sizes)
        + _numbers(*strides)
        + b"\x89ccollections\nOrderedDict\n)RtR\x85."
    )


@pytest.mark.parametrize(
    "content",
    [
        _tensor(),
        _tensor(0, (), ()),
        _tensor(5, (1,), (1,)),
        _tensor(0, (3, 2), (1, 3)),
        _tensor(0, (0, 4), (4, 1)),
        _tensor(elements=12, kind="HalfStorage", sizes=(12,), strides=(1,)),
    ],
)
def test_a_tensor_within_its_numbers_passes(content: bytes) -> None:
    """Whole, one number, the last, transposed, empty, and of another type."""
    check_tensors("constants.pkl", content, HELD)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_tensor(1), "reaches beyond"),
        (_tensor(0, (7,), (1,)), "reaches beyond"),
        (_tensor(0, (2, 3), (4, 1)), "reaches beyond"),
        (_tensor(0, (1 << 30,), (0,)), "reaches beyond"),
        (_tensor(0, (1 << 30, 0, 1 << 30), (0, 0, 0), elements=1 << 30), "holds 24 bytes"),
        (_tensor(elements=7), "holds 24 bytes"),
        (_tensor(kind="DoubleStorage"), "holds 24 bytes"),
        (_tensor(-1), "not what PyTorch writes"),
        (_tensor(0, (-2, 3), (3, 1)), "not what PyTorch writes"),
        (_tensor(0, (2, 3), (3, -1)), "not what PyTorch writes"),
        (_tensor(0, (2, 3), (1,)), "not what PyTorch writes"),
        (_tensor(key="../constants/0"), "not what PyTorch writes"),
        (_tensor(device="cuda"), "not what PyTorch writes"),
        (_tensor(kind="QUInt8Storage"), "names 'torch QUInt8Storage'"),
        (_tensor()[:40], "not what PyTorch writes"),
        (b"\x80\x02cos\nsystem\n", "names 'os system'"),
        (b"\x80\x02X\x01\x00\x00\x00a0.", "operation POP"),
        (b"\x80\x02" + b"t" * 10 + b".", "not what PyTorch writes"),
        (b"\x80\x02h\x00.", "not what PyTorch writes"),
        (b"no pickle", "constants.pkl"),
    ],
)
def test_a_pickle_that_says_more_than_is_there_is_refused(content: bytes, words: str) -> None:
    """PyTorch would compute with the memory behind it, or end with a segmentation fault."""
    with pytest.raises(FieldError, match=words):
        check_tensors("constants.pkl", content, HELD)


def test_a_pickle_of_megabytes_is_refused() -> None:
    """It would be followed for minutes."""
    with pytest.raises(FieldError, match="longer than"):
        check_tensors("constants.pkl", bytes(1 << 25), HELD)
