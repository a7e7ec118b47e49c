"""How much memory this process holds, and held at most, as the kernel counts it."""

from pathlib import Path
from typing import Dict, NamedTuple, Optional

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


def _kilobytes(path: Path) -> Dict[str, int]:
    """Sum the ``Name:   123 kB`` lines of a file by name, in bytes; empty if it cannot be read."""
    sums: Dict[str, int] = {}
    try:
        text = path.read_text()
    except OSError:
        return sums
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB" and words[0].endswith(":"):
            name = words[0][:-1]
            sums[name] = sums.get(name, 0) + 1024 * int(words[1])
    return sums
