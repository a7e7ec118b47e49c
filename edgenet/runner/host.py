"""The machine a measurement ran on: what it is, and what it was doing before and after.

Nothing here can fail: what a system does not tell is None. `describe` is what does not change
while a process runs; `snapshot` is what does, as raw counters, so that two of them give rates and
whoever judges the measurement can apply his own limits.
"""

import os
import platform
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

import numpy as np

from edgenet.runner.container import limits, memory_left_bytes, quota_throttled
from edgenet.runner.jetson import gpu_clock_khz, read_board
from edgenet.runner.nvidia_libraries import cards, driver_version
from edgenet.runner.temperatures import in_order, read_temperatures
from edgenet.runner.throttling import read_throttling
from edgenet.runner.timing import now_ns

_ROOT = Path("/")
_ISA_FLAG = re.compile(
    r"(sse|ssse|pni|avx|fma|f16c|amx|bmi|popcnt|neon|vfp|asimd|sve|i8mm|bf16|atomics|hypervisor).*"
)
_OF_THREADS = re.compile(r"(OMP|GOMP|KMP)_|.*_(NUM|MAXIMUM)_THREADS\Z")  # their number and place
_TICKS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest")
_ARM_CORES = {
    ("0x41", "0xd03"): "ARM Cortex-A53",
    ("0x41", "0xd05"): "ARM Cortex-A55",
    ("0x41", "0xd07"): "ARM Cortex-A57",
    ("0x41", "0xd08"): "ARM Cortex-A72",
    ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xd0c"): "ARM Neoverse-N1",
    ("0x41", "0xd40"): "ARM Neoverse-V1",
    ("0x41", "0xd42"): "ARM Cortex-A78AE",
    ("0x41", "0xd83"): "ARM Neoverse-V3AE",
    ("0x4e", "0x003"): "NVIDIA Denver 2",
    ("0x4e", "0x004"): "NVIDIA Carmel",
}
"""By implementer and part, where ``/proc/cpuinfo`` has no name: Linux, arm64's ``cputype.h``."""


def describe(root: Path = _ROOT) -> Dict[str, Any]:
    """Return what the machine and this interpreter are, as plain JSON values.

    Args:
        root: The folder that holds ``proc`` and ``sys``.
    """
    return {
        "cpu": _cpu(root),
        "memory_bytes": _meminfo(root).get("MemTotal"),
        "swap_bytes": _meminfo(root).get("SwapTotal"),
        "limits": limits(root),
        "numa_nodes": len(list((root / "sys/devices/system/node").glob("node[0-9]*"))) or None,
        "system": platform.system(),
        "distribution": _distribution(root),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "board": _line(root / "proc/device-tree/model"),
        "jetson": _jetson(root),
        "gpu_driver": driver_version(root),
        "gpus": cards(root),
        "libc": _libc(),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "numpy": np.__version__,
        "thread_variables": {
            name: os.environ[name] for name in sorted(os.environ) if _OF_THREADS.match(name)
        },
    }


def snapshot(root: Path = _ROOT) -> Dict[str, Any]:
    """Return what the machine is doing now, as plain JSON values.

    Counters count up from the machine's or the process's start: their difference between two
    snapshots is what happened in between.
    """
    stat = _stat(root)
    pages = _pairs(_text(root / "proc/vmstat"))
    return {
        "at_ns": now_ns(),
        "load_average": _load_average(root),
        "cpu_ticks": stat["ticks"],
        "ticks_per_s": _sysconf("SC_CLK_TCK"),
        "context_switches": stat["context_switches"],
        "running_tasks": stat["running_tasks"],
        "swapped_in_pages": pages.get("pswpin"),
        "swapped_out_pages": pages.get("pswpout"),
        "memory_available_bytes": _meminfo(root).get("MemAvailable"),
        "frequencies_khz": _frequencies(root),
        "gpu_frequency_khz": gpu_clock_khz(root),
        "temperatures_c": read_temperatures(root),
        "quota_throttled": quota_throttled(root),
        "throttling": read_throttling(root),
        "own": _own_usage(root),
    }


def available_bytes(root: Path = _ROOT) -> Optional[int]:
    """Return the memory that is left for a new process, here and in its container, or None."""
    left = (_meminfo(root).get("MemAvailable"), memory_left_bytes(root))
    return min((value for value in left if value is not None), default=None)


def instruction_sets(root: Path = _ROOT) -> List[str]:
    """Return what the processor can, of what decides a network's speed, in the kernel's words.

    Args:
        root: The folder that holds ``proc``.
    """
    return _isa(_cpuinfo(root))


def _jetson(root: Path) -> Optional[Dict[str, Any]]:
    board = read_board(root)
    return None if board is None else board.to_json()


def _cpu(root: Path) -> Dict[str, Any]:
    info = _cpuinfo(root)
    clocks = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq"), key=in_order)
    lowest = [_integer(path / "cpuinfo_min_freq") for path in clocks]
    highest = [_integer(path / "cpuinfo_max_freq") for path in clocks]
    return {
        "model": _cpu_model(info, _text(root / "proc/cpuinfo")),
        "isa": _isa(info),
        "logical_cores": os.cpu_count(),
        "physical_cores": _physical_cores(root),
        "affinity": _affinity(),
        "governor": _each(", ", (_line(path / "scaling_governor") for path in clocks)),
        "lowest_khz": min((khz for khz in lowest if khz is not None), default=None),
        "highest_khz": max((khz for khz in highest if khz is not None), default=None),
        "driver": _each(", ", (_line(path / "scaling_driver") for path in clocks)),
        "boost": _boost(root),
        "smt": _line(root / "sys/devices/system/cpu/smt/control"),
    }


def _isa(info: Dict[str, str]) -> List[str]:
    flags = (info.get("flags") or info.get("Features") or "").split()
    return sorted({flag for flag in flags if _ISA_FLAG.match(flag)})


def _cpu_model(info: Dict[str, str], cpuinfo: str) -> Optional[str]:
    """Return the processor's name, or those of the kinds of its cores."""
    pattern = r"^CPU implementer\s*: (\w+)$(?:\n.+)*?\nCPU part\s*: (\w+)$"
    parts = re.findall(pattern, cpuinfo, re.MULTILINE)
    known = any(part in _ARM_CORES for part in parts)
    named = info.get("model name") or (None if known else info.get("Hardware"))
    return named or _each(" + ", (_ARM_CORES.get(part) or " ".join(part) for part in parts))


def _each(separator: str, words: Iterable[Optional[str]]) -> Optional[str]:
    """Return all different words; None where there are none."""
    return separator.join(OrderedDict.fromkeys(word for word in words if word)) or None


def _boost(root: Path) -> Optional[str]:
    """Return ``1`` where a core may go above its base clock, and ``0`` where not."""
    cpus = root / "sys/devices/system/cpu"
    denied = _line(cpus / "intel_pstate/no_turbo")
    if denied in ("0", "1"):
        return "0" if denied == "1" else "1"
    return _line(cpus / "cpufreq/boost")


def _distribution(root: Path) -> Optional[str]:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)"?$', _text(root / "etc/os-release"), re.MULTILINE)
    return found.group(1) if found else None


def _cpuinfo(root: Path) -> Dict[str, str]:
    """Return the first value of each field of ``/proc/cpuinfo``."""
    fields: Dict[str, str] = {}
    for line in _text(root / "proc/cpuinfo").splitlines():
        name, separator, value = line.partition(":")
        if separator:
            fields.setdefault(name.strip(), value.strip())
    return fields


def _physical_cores(root: Path) -> Optional[int]:
    """Count the different sets of sibling threads."""
    siblings = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    return len({_line(path) for path in siblings}) or None


def _affinity() -> Optional[List[int]]:
    if not hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return None
    return sorted(os.sched_getaffinity(0))


def _stat(root: Path) -> Dict[str, Any]:
    text = _text(root / "proc/stat")
    found = re.search(r"^cpu +(\d{1,20}(?: \d{1,20})*) *$", text, re.MULTILINE | re.ASCII)
    ticks = None if found is None else dict(zip(_TICKS, map(int, found.group(1).split())))
    counts = _pairs(text)
    return {
        "ticks": ticks,
        "context_switches": counts.get("ctxt"),
        "running_tasks": counts.get("procs_running"),
    }


def _load_average(root: Path) -> Optional[List[float]]:
    found = re.match(r"(\d{1,9}\.\d+) (\d{1,9}\.\d+) (\d{1,9}\.\d+) ", _text(root / "proc/loadavg"))
    return None if found is None else [float(number) for number in found.groups()]


def _meminfo(root: Path) -> Dict[str, int]:
    text = _text(root / "proc/meminfo")
    found = re.findall(r"^(\w+): +(\d{1,18}) kB$", text, re.MULTILINE | re.ASCII)
    return {name: int(number) * 1024 for name, number in found}


def _frequencies(root: Path) -> Optional[List[int]]:
    """Return the clock of each core in kHz, as the driver or else the processor tells it."""
    cores = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    told = [_integer(path) for path in sorted(cores, key=in_order)]
    found = [value for value in told if value is not None]
    if not found:
        pattern = re.compile(r"^cpu MHz\s*: (\d{1,9}(?:\.\d+)?)$", re.MULTILINE | re.ASCII)
        found = [int(float(mhz) * 1000) for mhz in pattern.findall(_text(root / "proc/cpuinfo"))]
    return found or None


def _own_usage(root: Path) -> Optional[Dict[str, Any]]:
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "voluntary_switches": usage.ru_nvcsw,
        "involuntary_switches": usage.ru_nivcsw,
        "major_faults": usage.ru_majflt,
        "waited_s": _waited_s(root),
    }


def _waited_s(root: Path) -> Optional[float]:
    """Return how long the main thread has been ready to run without a processor, or None.

    Source:
        Documentation/scheduler/sched-stats.rst of the Linux kernel: the second of three numbers,
        nanoseconds.
    """
    found = re.match(r"\d+ (\d{1,20}) \d+$", _text(root / "proc/self/schedstat"), re.ASCII)
    return None if found is None else int(found.group(1)) / 1e9


def _libc() -> Optional[str]:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        return " ".join(platform.libc_ver()).strip() or None


def _sysconf(name: str) -> Optional[int]:
    try:
        return os.sysconf(name)
    except (AttributeError, ValueError, OSError):
        return None


def _pairs(text: str) -> Dict[str, int]:
    """Return the lines that are a name and a number."""
    found = re.findall(r"^(\w+) (\d{1,20})$", text, re.MULTILINE | re.ASCII)
    return {name: int(number) for name, number in found}


def _integer(path: Path) -> Optional[int]:
    line = _line(path)
    try:
        return None if line is None else int(line)
    except ValueError:
        return None


def _line(path: Path) -> Optional[str]:
    """Return the first line of a file, or None."""
    lines = _text(path).replace("\0", "").splitlines()
    return lines[0].strip() if lines else None


def _text(path: Path) -> str:
    """Return a file's content; empty if it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
