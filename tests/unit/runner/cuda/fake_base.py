"""What the stand-ins for TensorRT's classes share: they are counted while they live."""

from __future__ import annotations

import ctypes
import json
from typing import Any

VERSIONS = {
    "8.2": "8.2.1.8",
    "8.5": "8.5.2.2",
    "8.6": "8.6.1.6",
    "10.3": "10.3.0.26",
    "10.13": "10.13.3.9",
    "11.4": "11.4.0.106",
}
HEADER_BYTES, ENTRY_BYTES = 32, 256
OUT_OF_MEMORY = "1: [defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)"


def plan_of(version: str, content: bytes, batches: list[int]) -> bytes:
    """Return what the stand-in's builder would write for an ONNX file."""
    numbers = [int(number) for number in VERSIONS[version].split(".")]
    header = b"ftrt" if numbers[0] >= 10 else b"\x00old"
    header = header.ljust(24, b"\0") + bytes(number % 256 for number in numbers)
    entry = (
        json.dumps({"version": VERSIONS[version], "batches": batches}).encode().ljust(ENTRY_BYTES)
    )
    return header.ljust(HEADER_BYTES, b"\0") + entry + content


class Counted:
    """An object that is counted while it lives."""

    stands_for = ""
    _module: Any

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        """Count it."""
        cls._module.live[cls.stands_for] += 1
        return super().__new__(cls)

    def __del__(self) -> None:
        """Count it no more."""
        self._module.live[self.stands_for] -= 1


def malloc(module: Any, size_bytes: int, log: Any) -> int | None:
    """Take memory of the device; None, with an error in the log, where there is too little."""
    address = ctypes.c_void_p()
    if module.cudart.cudaMalloc(ctypes.byref(address), ctypes.c_size_t(size_bytes)) != 0:
        log.log(module.ILogger.ERROR, OUT_OF_MEMORY)
        return None
    return address.value
