"""What TensorRT says when it refuses an engine, and which error that is.

It raises nothing: a call gives nothing back, and the reason is in the log, in words that change
with the version.

Source:
    Messages of 8.0 to 10.12: the issues named in tests/unit/runner/cuda/test_refusals.py. Those of
    TensorRT for RTX 1.7, whose interface is that of 11, were seen.
"""

import re
from typing import Sequence

from edgenet.errors import CorruptFile, EdgenetError, NotPossible

MEMORY_HINT = "free GPU memory (other programs hold some) or build for a smaller batch"
_FOREIGN_HINT = "build it again on this machine: python3 -m edgenet.runner build"
_CUDA_HINT = "the GPU or its driver failed: see `dmesg`, and whether other programs can use it"

_OUT_OF_MEMORY = re.compile(r"out ?of ?memory|requested amount of GPU memory|bad_alloc", re.I)
# What it says of a plan that another version, or another GPU, has made.
_FOREIGN = re.compile(
    r"not compatible with this version|version tag does not match|incompatible device"
    r"|incompatible serialization version|verifyHeader|serialization assertion",
    re.I,
)
_CUDA = re.compile(r"\bcuda (runtime|error|initialization)|\bcudaError", re.I)


def is_out_of_memory(said: str) -> bool:
    """Whether TensorRT says that the device's memory does not suffice."""
    return _OUT_OF_MEMORY.search(said) is not None


def failure(place: str, what: str, errors: Sequence[str]) -> EdgenetError:
    """Return the error for a call that gave nothing back.

    Args:
        place: Names the engine.
        what: That failed, as a sentence.
        errors: Of the log.
    """
    said = _joined(errors)
    message = "{}: {}: {}".format(place, what, said)
    return EdgenetError(message, MEMORY_HINT if is_out_of_memory(said) else None)


def not_loaded(place: str, title: str, errors: Sequence[str]) -> EdgenetError:
    """Return the error for a plan that is not taken.

    Args:
        place: Names the engine.
        title: Of the library that is here.
        errors: Of the log.
    """
    said = _joined(errors)
    if is_out_of_memory(said):
        return failure(place, "the GPU has too little free memory for it", errors)
    if _FOREIGN.search(said):
        message = "{} is of another TensorRT or GPU than this ({}): {}"
        return NotPossible(message.format(place, title, said), _FOREIGN_HINT)
    message = "{} does not load {}: {}".format(title, place, said)
    return EdgenetError(message, _CUDA_HINT) if _CUDA.search(said) else CorruptFile(message)


def _joined(errors: Sequence[str]) -> str:
    return "; ".join(errors) or "TensorRT gave no reason"
