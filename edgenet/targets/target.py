"""What a target is: a machine to deploy on, as the facts that decide what can run there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgenet.errors import UsageError

StoredWeights = Literal["int8", "fp32"]
Activations = Literal["int8", "uint8"]

_FIRST_OPSET = 9
_IR_VERSIONS = (4, 5, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 13)

ONNX_RELEASES = dict(enumerate(_IR_VERSIONS, start=_FIRST_OPSET))
"""The IR version of the ONNX release that brought an opset, by the opset.

Source: the table of released versions in onnx's ``docs/Versioning.md``.
"""


def ir_version_of(opset: int) -> int:
    """Return the IR version that a file of an opset is written in.

    A reader of the opset knows it, since both came with the same release of ONNX.

    Raises:
        UsageError: No release of ONNX that edgenet writes has that opset.
    """
    if opset not in ONNX_RELEASES:
        lowest, highest = min(ONNX_RELEASES), max(ONNX_RELEASES)
        raise UsageError(f"opset must be {lowest} to {highest}, not {opset}")
    return ONNX_RELEASES[opset]


@dataclass(frozen=True, kw_only=True)
class RuntimeSupport:
    """What one runtime takes on one target.

    Attributes:
        name: ``onnxruntime`` or ``tensorrt``.
        version: The lowest that the target has to be expected with, such as (8, 2).
        precisions: What the hardware computes with it: ``fp32``, ``fp16``, ``int8``.
        opset: The highest ONNX opset that this version documents.
        uint8_input: It takes raw pixels as uint8; otherwise they come as float32 from 0 to 255.
        source: Where that is said.
    """

    name: Literal["onnxruntime", "tensorrt"]
    version: tuple[int, ...]
    precisions: tuple[str, ...]
    opset: int
    uint8_input: bool
    source: str

    @property
    def ir_version(self) -> int:
        """The highest IR version of ONNX that it is known to read."""
        return ir_version_of(self.opset)

    @property
    def version_text(self) -> str:
        """The version with dots, such as ``8.2``."""
        return ".".join(map(str, self.version))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            **vars(self),
            "version": self.version_text,
            "precisions": list(self.precisions),
            "ir_version": self.ir_version,
        }


@dataclass(frozen=True, kw_only=True)
class Target:
    """A machine to deploy on. What is None is not fixed by being that target.

    Attributes:
        name: As users type it, such as ``jetson-nano``.
        title: As people call it.
        machine: ``x86_64`` or ``aarch64``, as the kernel names it.
        soc: Name of the system on chip in a Jetson's device tree, such as ``tegra210``.
        compute_capability: Of the GPU.
        runtimes: What runs networks there.
        isa: Flags that ``/proc/cpuinfo`` must have at least one of for each entry; alternatives are
            separated by ``|``.
        int8_activations: The type that its INT8 kernels are made for.
        python: Of its system, such as ``3.6``; it has the vendor's own modules.
        jetpack: NVIDIA's releases of its system.
        l4t: The branches of L4T that these are, such as ``32.7`` for 32.7.1 to 32.7.6.
        glibc: Of its system; a library that needs a newer one does not load.
        memory_bytes: All of it, on the smallest board of that name.
        memory_shared: CPU and GPU share it.
        gpu_floor_bytes: What CUDA and its libraries take before any network is loaded.
        notes: What else decides there, a sentence each.
        sources: Where the facts of this row are from.
    """

    name: str
    title: str
    machine: Literal["x86_64", "aarch64"] | None
    soc: str | None = None
    compute_capability: tuple[int, int] | None = None
    runtimes: tuple[RuntimeSupport, ...]
    isa: tuple[str, ...] = ()
    int8_activations: Activations = "int8"
    python: str | None = None
    jetpack: str | None = None
    l4t: tuple[str, ...] = ()
    glibc: tuple[int, int] | None = None
    memory_bytes: int | None = None
    memory_shared: bool = False
    gpu_floor_bytes: int = 0
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...]

    def runtime(self, name: str) -> RuntimeSupport | None:
        """Return what a runtime takes there; None where the target does not have it."""
        return next((each for each in self.runtimes if each.name == name), None)

    @property
    def opset(self) -> int:
        """The highest ONNX opset that every runtime of the target takes."""
        return min(each.opset for each in self.runtimes)

    @property
    def ir_version(self) -> int:
        """The IR version of ONNX of files for it."""
        return ir_version_of(self.opset)

    @property
    def uint8_input(self) -> bool:
        """Every runtime of the target takes raw pixels as uint8."""
        return all(each.uint8_input for each in self.runtimes)

    @property
    def int8_weights(self) -> StoredWeights:
        """How INT8 files keep their weights: as FP32 with a Q before the DQ for TensorRT 8."""
        tensorrt = self.runtime("tensorrt")
        needs_q = tensorrt is not None and "int8" in tensorrt.precisions and tensorrt.version < (9,)
        return "fp32" if needs_q else "int8"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and what follows from them."""
        capability = self.compute_capability
        return {
            **vars(self),
            "compute_capability": None if capability is None else _dotted(capability),
            "glibc": None if self.glibc is None else _dotted(self.glibc),
            "runtimes": [each.to_json() for each in self.runtimes],
            "isa": list(self.isa),
            "l4t": list(self.l4t),
            "notes": list(self.notes),
            "sources": list(self.sources),
            "opset": self.opset,
            "ir_version": self.ir_version,
            "uint8_input": self.uint8_input,
            "int8_weights": self.int8_weights,
        }


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
