"""How much memory a process may take, watched from outside.

A limit of the address space (RLIMIT_AS) would stop runtimes that reserve far more than they use,
as CUDA does; so what is resident is read a few times a second, of the process and of each that it
started, and all are ended when one of them has too much. (Their sum would count the pages twice
that a process shares with its fork.) Without a limit of its own a process gets four fifths of what
the machine has left, so that it is ended before the system ends something else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from edgenet.runner.host import available_bytes

DEFAULT_SHARE = 0.8
_MIB = 1 << 20


class MemoryWatch:
    """Says when a process has taken too much.

    Args:
        process_id: Of the process.
        limit_bytes: What it may have resident; None takes four fifths of what is left now.
        proc: The system's folder of processes.
    """

    def __init__(
        self, process_id: int, limit_bytes: int | None = None, proc: Path = Path("/proc")
    ) -> None:
        left = available_bytes() if limit_bytes is None else None
        self._limit_bytes = limit_bytes if left is None else int(left * DEFAULT_SHARE)
        self._process_id = process_id
        self._proc = proc
        self._page_bytes = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0

    def excess(self) -> str | None:
        """Return what is wrong, or None; a system that does not tell has no limit."""
        if self._limit_bytes is None:
            return None
        pages = max(map(self._pages, self._with_its_children(str(self._process_id))))
        resident_bytes = pages * self._page_bytes
        if resident_bytes <= self._limit_bytes:
            return None
        took, allowed = resident_bytes // _MIB, self._limit_bytes // _MIB
        return f"it took {took:,} MiB of memory, {allowed:,} are allowed"

    def _with_its_children(self, process_id: str) -> Iterator[str]:
        """Yield a process and those that its main thread started, and so on."""
        yield process_id
        try:
            children = (self._proc / process_id / "task" / process_id / "children").read_text()
        except OSError:  # it ended, or the kernel does not list them
            return
        for child in children.split():
            yield from self._with_its_children(child)

    def _pages(self, process_id: str) -> int:
        """Return how many pages of a process are resident; 0 where the system does not tell."""
        try:
            return int((self._proc / process_id / "statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0
