"""How much memory this process holds, and held at most; of a GPU what its library tells."""

import contextlib
import os
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

_PROC = Path("/proc/self")


class Memory(NamedTuple):
    """The process's memory at one moment; None where the system does not say, with the reason.

    Attributes:
        peak_bytes: The most that was ever resident (VmHWM), since the process's program started.
        resident_bytes: What is resident now (VmRSS), pages shared with others counted whole.
        proportional_bytes: The same with shared pages divided among those that share (PSS).
        reason: Why a figure is None, or None.
    """

    peak_bytes: Optional[int]
    resident_bytes: Optional[int]
    proportional_bytes: Optional[int]
    reason: Optional[str]


class GpuMemory(NamedTuple):
    """A GPU's memory as CUDA counts it: for all processes; on a Jetson it is the machine's own.

    Attributes:
        free_before_bytes: What was free when CUDA had started and no engine was loaded; less what
            is free now it is what the engine takes, where nothing else uses the GPU.
        free_bytes: What is free now.
        total_bytes: All there is.
        resident_before_bytes: What this process held when ``free_before_bytes`` was read. Where CPU
            and GPU share their memory, what it has grown by since is missing from the free memory,
            too, and must not be counted twice.
    """

    free_before_bytes: int
    free_bytes: int
    total_bytes: int
    resident_before_bytes: Optional[int] = None


def read_memory(proc: Path = _PROC) -> Memory:
    """Read this process's memory.

    Args:
        proc: The process's folder under ``/proc``.
    """
    status = _kilobytes(proc / "status")
    if not status:
        return Memory(None, None, None, "this system has no {}".format(proc / "status"))
    rollup = _kilobytes(proc / "smaps_rollup")  # since Linux 4.14; Jetson's L4T 32 has 4.9
    if not rollup:
        rollup = _kilobytes(proc / "smaps")
    proportional = rollup.get("Pss")
    reason = None if proportional is not None else "this kernel does not tell the shared pages"
    return Memory(status.get("VmHWM"), status.get("VmRSS"), proportional, reason)


def resident_bytes(proc: Path = _PROC) -> Optional[int]:
    """Return what is resident of this process now, in some microseconds.

    Args:
        proc: The process's folder under ``/proc``.
    """
    try:
        pages = (proc / "statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None


class CardMemory:
    """The memory of a card, for a runtime that does not tell it; asked of NVML.

    Unlike with `GpuMemory` of CUDA, what CUDA itself takes in starting is counted.

    Args:
        device: What the model runs on; a Jetson's GPU and a CPU have no card.
        library: NVML; by default the driver's.
    """

    def __init__(self, device: str, library: Any = None) -> None:
        self._card: Any = None
        if device == "cpu":
            return
        from edgenet.runner.nvml import Nvml, NvmlError  # of no use to work on a CPU

        with contextlib.suppress(NvmlError):
            card = Nvml(library=library)
            self._before_bytes = card.memory().free_bytes
            self._card = card

    def read(self) -> Optional[GpuMemory]:
        """Return the memory now, and what was free when this was made; None where not told."""
        if self._card is None:
            return None
        from edgenet.runner.nvml import NvmlError

        try:
            now = self._card.memory()
        except NvmlError:  # the GPU is lost: what follows will say so
            return None
        return GpuMemory(self._before_bytes, now.free_bytes, now.total_bytes)


def _kilobytes(path: Path) -> Dict[str, int]:
    """Sum the ``Name:   123 kB`` lines of a file by name, in bytes; empty if it cannot be read."""
    sums: Dict[str, int] = {}
    try:
        text = path.read_text(encoding="utf-8", errors="replace")  # it holds names of files
    except OSError:
        return sums
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB" and words[1].isdigit() and words[0][-1] == ":":
            name = words[0][:-1]
            sums[name] = sums.get(name, 0) + 1024 * int(words[1])
    return sums
