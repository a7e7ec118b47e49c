"""Pinning a measurement to processors, so that it neither wanders nor shares a core with itself.

As many physical cores are taken as there are threads; all others are left to the rest of the
machine. Of several sockets one is filled first. The fastest are taken first, where a processor has
cores of several kinds, and of equals those of the highest number, since a system's own work tends
to be on the lowest.
"""

import os
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional

_CPUS = Path("/sys/devices/system/cpu")


class Pinning(NamedTuple):
    """What a process was pinned to.

    Attributes:
        cores: Numbers of the logical processors, ascending, one of each physical core; None where
            the process may run anywhere.
        reason: Why it was not pinned, or None.
    """

    cores: Optional[List[int]]
    reason: Optional[str]


def pin(threads: int, cpus: Path = _CPUS) -> Pinning:
    """Pin this process, and the threads that it will start, to ``threads`` physical cores.

    Call it before a library starts its threads: those that run already stay where they are.

    Args:
        threads: As many cores are taken.
        cpus: The system's folder of processors.
    """
    if not hasattr(os, "sched_setaffinity"):  # Linux alone has it
        return Pinning(None, "this system does not pin processes")
    allowed = os.sched_getaffinity(0)
    chosen = choose(allowed, threads, cpus)
    if chosen is None:
        message = "{} threads have no physical core each: {} processors may be used"
        return Pinning(None, message.format(threads, len(allowed)))
    try:
        os.sched_setaffinity(0, chosen)
    except OSError as error:
        return Pinning(None, "the system refuses to pin the process: {}".format(error.strerror))
    return Pinning(chosen, None)


def choose(allowed: Iterable[int], threads: int, cpus: Path = _CPUS) -> Optional[List[int]]:
    """Return one logical processor of each of ``threads`` physical cores; None if there are fewer.

    Args:
        allowed: Numbers of the logical processors that may be used.
        threads: How many are wanted.
        cpus: The system's folder of processors.
    """
    by_core: Dict[str, int] = {}
    for number in sorted(allowed):
        place = cpus / "cpu{}".format(number)
        siblings = _text(place / "topology/thread_siblings_list") or str(number)
        by_core.setdefault(siblings, number)
    best = sorted(by_core.values(), key=lambda number: (-_speed(cpus, number), -number))
    if len(best) < threads:
        return None
    home = _socket(cpus, best[0])
    best.sort(key=lambda number: _socket(cpus, number) != home)
    return sorted(best[:threads])


def _socket(cpus: Path, number: int) -> str:
    return _text(cpus / "cpu{}".format(number) / "topology/physical_package_id")


def _speed(cpus: Path, number: int) -> int:
    """Return how fast a processor is beside others of the machine; 0 where that is not told."""
    place = cpus / "cpu{}".format(number)
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        text = _text(place / name)
        if text.isdigit():
            return int(text)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
