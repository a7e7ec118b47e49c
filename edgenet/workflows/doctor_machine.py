"""What this machine is: processor, memory, system, GPU, and the packages that are installed.

Nothing heavy is imported for it, and the CUDA library is asked in a process of its own, since it
can crash where there is no GPU.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import EdgenetError
from edgenet.runner import cuda, host
from edgenet.runner.jetson import Board, read_board
from edgenet.runner.nvidia_libraries import Libraries, read_libraries
from edgenet.workflows.doctor_packages import Package, read_packages, read_providers, torch_cuda

_TRTEXEC = "usr/src/tensorrt/bin/trtexec"  # where NVIDIA's packages put it


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """The NVIDIA GPU that CUDA finds, or why there is none.

    Attributes:
        reason: One sentence; None where there is a GPU.
        compute_capability: Such as (8, 7).
        driver: The newest CUDA that the driver serves.
        memory_bytes: Its own, or on a Jetson the machine's.
    """

    reason: str | None
    compute_capability: tuple[int, int] | None = None
    driver: str | None = None
    memory_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        capability = self.compute_capability
        dotted = None if capability is None else "{}.{}".format(*capability)
        return {**vars(self), "compute_capability": dotted}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a machine is. What it does not tell is None.

    Attributes:
        facts: What does not change while it runs (see `edgenet.runner.host.describe`).
        memory_available_bytes: What a new process could have now.
        glibc: The version of the C library, such as (2, 36).
        python: Of this process, such as ``3.12.4``.
        system_python: Of ``/usr/bin/python3``, such as ``3.6``.
        system_tensorrt: The Python of the system has TensorRT's module.
        gpu: What CUDA finds.
        libraries: What the system has of NVIDIA's, outside Python.
        board: The Jetson that it is; None elsewhere.
        packages: What edgenet uses, installed or not.
        providers: Execution providers of onnxruntime; None where it could not be asked.
        onnxruntime_fault: Why it could not.
        torch_cuda: The CUDA that torch was built for; None without torch or without CUDA.
        trtexec: Path of TensorRT's command.
    """

    facts: Mapping[str, Any]
    memory_available_bytes: int | None
    glibc: tuple[int, int] | None
    python: str
    system_python: str | None
    system_tensorrt: bool
    gpu: Gpu
    libraries: Libraries
    board: Board | None
    packages: tuple[Package, ...]
    providers: tuple[str, ...] | None
    onnxruntime_fault: str | None
    torch_cuda: str | None
    trtexec: str | None

    @property
    def architecture(self) -> str:
        """The processor's kind, such as ``x86_64``."""
        return str(self.facts["machine"])

    @property
    def isa(self) -> frozenset[str]:
        """Flags of the instruction set, as the kernel names them."""
        return frozenset(self.facts["cpu"]["isa"])

    def package(self, module: str) -> Package:
        """Return a package by the module that it is imported as."""
        return next(each for each in self.packages if each.module == module)

    @property
    def tensorrt(self) -> str | None:
        """The version of TensorRT that is here, for this Python or for the system."""
        return self.package("tensorrt").version or self.libraries.tensorrt

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {name: value for name, value in vars(self).items() if name != "board"}
        return {
            **values,  # the board is among the facts
            "glibc": None if self.glibc is None else "{}.{}".format(*self.glibc),
            "gpu": self.gpu.to_json(),
            "libraries": dict(self.libraries._asdict()),
            "packages": [each.to_json() for each in self.packages],
            "providers": None if self.providers is None else list(self.providers),
        }


def read_machine(root: Path = Path("/")) -> Machine:
    """Find out what this machine is.

    Args:
        root: The folder that holds ``proc``, ``sys``, ``etc``, ``usr`` and ``var``.
    """
    facts = host.describe(root)
    packages = read_packages()
    installed = {each.module for each in packages if each.installed}
    providers, fault = read_providers() if "onnxruntime" in installed else (None, None)
    return Machine(
        facts=facts,
        memory_available_bytes=host.snapshot(root)["memory_available_bytes"],
        glibc=_glibc(facts["libc"]),
        python=platform.python_version(),
        system_python=_system_python(root),
        system_tensorrt=any((root / "usr/lib").glob("python3*/dist-packages/tensorrt")),
        gpu=_gpu(),
        libraries=read_libraries(root),
        board=read_board(root),
        packages=packages,
        providers=providers,
        onnxruntime_fault=fault,
        torch_cuda=torch_cuda(),
        trtexec=_trtexec(root),
    )


def _gpu() -> Gpu:
    reason = cuda.probe()
    if reason is not None:
        return Gpu(reason=reason)
    try:
        device = cuda.Cuda()
        return Gpu(
            reason=None,
            compute_capability=device.compute_capability(),
            driver=device.driver_version(),
            memory_bytes=device.memory().total_bytes,
        )
    except EdgenetError as error:
        return Gpu(reason=error.message)


def _glibc(text: str | None) -> tuple[int, int] | None:
    found = re.match(r"glibc (\d+)\.(\d+)", text or "")
    return (int(found[1]), int(found[2])) if found else None


def _system_python(root: Path) -> str | None:
    """Return the version that ``/usr/bin/python3`` points at."""
    try:
        name = (root / "usr/bin/python3").readlink().name
    except OSError:
        return None
    found = re.search(r"python(3\.\d+)$", name)
    return found[1] if found else None


def _trtexec(root: Path) -> str | None:
    path = root / _TRTEXEC
    return shutil.which("trtexec") or (str(path) if os.access(path, os.X_OK) else None)
