"""What a control group allows the processes in it, and how often it held them back.

A process is in a group within groups, and every one of them may set a limit: the least counts. In
a container the outermost that can be seen is the container's own.
"""

import os
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

_GROUPS = "sys/fs/cgroup"
_NO_LIMIT = 1 << 60  # control groups of the first version say "none" as a huge number
_THROTTLED = ("nr_throttled", "throttled_usec", "throttled_time")
_CPU, _MEMORY = "cpu", "memory"


def limits(root: Path) -> Dict[str, Optional[float]]:
    """Return what is allowed: cores (fractions too) and bytes; None without limit.

    Args:
        root: The folder that holds ``proc`` and ``sys``.
    """
    cores = [_cores(group) for group in _groups(root, _CPU)]
    memory = [_memory_bytes(group) for group in _groups(root, _MEMORY)]
    return {"cores": _least(cores), "memory_bytes": _least(memory)}


def memory_left_bytes(root: Path) -> Optional[int]:
    """Return what the memory limits of all groups leave to be taken now; None without limit.

    The content of files that a group keeps in memory counts as left: the kernel drops it first.

    Args:
        root: The folder that holds ``proc`` and ``sys``.
    """
    left = []
    for group in _groups(root, _MEMORY):
        limit = _memory_bytes(group)
        if limit is not None:
            used = _text(group / "memory.current") or _text(group / "memory.usage_in_bytes")
            taken = (_integer(used) or 0) - _kept_files_bytes(group)
            left.append(max(0, limit - max(0, taken)))
    return min(left, default=None)


def quota_throttled(root: Path) -> Dict[str, int]:
    """Return how often, and for how long, all groups of this process held theirs back.

    The time is in microseconds (``throttled_usec``), or of the first version of control groups in
    nanoseconds (``throttled_time``).
    """
    sums: Dict[str, int] = {}
    for group in _groups(root, _CPU):
        for line in _text(group / "cpu.stat").splitlines():
            name, _, value = line.partition(" ")
            if name in _THROTTLED and value.strip().isdigit():
                sums[name] = sums.get(name, 0) + int(value)
    return sums


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's groups that a controller may have set limits in, outermost first."""
    first = root / _GROUPS / controller
    listed = _text(root / "proc/self/cgroup").splitlines()
    for line in listed or ["0::/"]:
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        top = first if controllers else root / _GROUPS
        yield from _down(top, [part for part in place.split("/") if part not in ("", "..")])
    if not listed:
        yield first


def _down(top: Path, parts: List[str]) -> Iterator[Path]:
    """Yield a folder and those below it on the way, as far as they can be seen."""
    group = top
    yield group
    for part in parts:
        group = group / part
        if not os.path.isdir(str(group)):
            return
        yield group


def _cores(group: Path) -> Optional[float]:
    quota, period = _quota(group)
    return quota / period if quota and period and quota > 0 else None


def _quota(group: Path) -> Tuple[Optional[int], Optional[int]]:
    words = _text(group / "cpu.max").split()
    if len(words) == 2:
        return _integer(words[0]), _integer(words[1])
    return (
        _integer(_text(group / "cpu.cfs_quota_us")),
        _integer(_text(group / "cpu.cfs_period_us")),
    )


def _memory_bytes(group: Path) -> Optional[int]:
    text = _text(group / "memory.max") or _text(group / "memory.limit_in_bytes")
    found = _integer(text)
    return None if found is None or found > _NO_LIMIT else found


def _kept_files_bytes(group: Path) -> int:
    """Return the size of a group's page cache: of the first version, with the groups below it."""
    sizes: Dict[str, int] = {}
    for line in _text(group / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        sizes[name] = _integer(value) or 0
    return sum(
        sizes.get("total_" + name, sizes.get(name, 0)) for name in ("active_file", "inactive_file")
    )


def _least(values: Sequence[Optional[float]]) -> Optional[float]:
    return min((value for value in values if value is not None), default=None)


def _integer(text: str) -> Optional[int]:
    try:
        return int(text)
    except ValueError:  # "max", and nothing
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
