"""Folders that look like a board's system, and machines that are put together for a test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgenet.runner.jetson import Board, read_board
from edgenet.runner.nvidia_libraries import Libraries
from edgenet.workflows.doctor_machine import Gpu, Machine
from edgenet.workflows.doctor_packages import WANTED, Package

RECORDINGS = Path(__file__).parent / "recordings" / "boards"
BOARDS: list[dict[str, Any]] = json.loads((RECORDINGS / "boards.json").read_text("utf-8"))["boards"]
NO_GPU = Gpu(reason="no CUDA library was found")


def write_files(root: Path, files: Mapping[str, str]) -> Path:
    """Write text files under a folder that stands for ``/``."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, "utf-8")
    return root


def write_board(root: Path, recorded: Mapping[str, Any]) -> Path:
    """Write the device tree and the release file of a recorded board."""
    files = {
        "proc/device-tree/model": recorded["model"] + "\0",
        "proc/device-tree/compatible": "".join(f"{name}\0" for name in recorded["compatible"]),
    }
    if recorded["release"]:
        files["etc/nv_tegra_release"] = recorded["release"] + "\n"
    return write_files(root, files)


def board(tmp_path: Path, name: str, files: Mapping[str, str] | None = None) -> Board:
    """Return the first recorded board of a target, with some more files."""
    recorded = next(each for each in BOARDS if each["target"] == name)
    found = read_board(write_files(write_board(tmp_path, recorded), files or {}))
    assert found is not None
    return found


def packages(versions: Mapping[str, str | None] | None = None) -> tuple[Package, ...]:
    """Return all packages as installed, TensorRT's apart; with other versions, or None for absent.

    Args:
        versions: By module.
    """
    has: dict[str, str | None] = {wanted.module: "9.9.9" for wanted in WANTED}
    has.update({"tensorrt": None, "tensorrt_rtx": None}, **(versions or {}))
    return tuple(
        Package(
            name=wanted.distributions[0],
            module=wanted.module,
            installed=has[wanted.module] is not None,
            version=has[wanted.module],
            extra=wanted.extra,
        )
        for wanted in WANTED
    )


def machine(
    architecture: str = "x86_64",
    *,
    isa: Sequence[str] | None = None,
    told: str | None = None,
    governor: str | None = "performance",
    memory_bytes: int = 8 << 30,
    **changes: Any,
) -> Machine:
    """Return a machine of which only what a test is about has to be said.

    Args:
        architecture: As the kernel names it.
        isa: Flags of its instruction set; by default AVX2 on x86-64, NEON elsewhere.
        told: The model that its device tree tells.
        governor: Of its CPU's clocks.
        memory_bytes: Of its memory.
        changes: Other fields of `Machine`.
    """
    flags = isa if isa is not None else ["avx2" if architecture == "x86_64" else "asimd"]
    facts = {
        "machine": architecture,
        "board": told,
        "cpu": {"model": None, "isa": list(flags), "logical_cores": 4, "governor": governor},
        "memory_bytes": memory_bytes,
        "swap_bytes": 0,
        "limits": {"cores": None, "memory_bytes": None},
        "system": "Linux",
        "kernel": "6.1",
    }
    fields: dict[str, Any] = {
        "facts": facts,
        "memory_available_bytes": memory_bytes // 2,
        "glibc": (2, 36),
        "python": "3.11.7",
        "system_python": "3.11",
        "system_tensorrt": False,
        "gpu": NO_GPU,
        "libraries": Libraries(None, None, None),
        "board": None,
        "packages": packages(),
        "providers": ("CPUExecutionProvider",),
        "onnxruntime_fault": None,
        "torch_cuda": None,
        "trtexec": None,
    }
    return Machine(**{**fields, **changes})
