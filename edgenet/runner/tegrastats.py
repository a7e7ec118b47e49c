"""What NVIDIA's ``tegrastats`` prints on a Jetson, one line a sample, over seven board generations.

A line is a row of words whose order, names and forms change with board and release; what is not
understood is passed over, and what is missing is None. A line is never a reason to fail.

Source:
    NVIDIA Jetson Linux Developer Guide, "Tegrastats Utility", and the recorded lines in
    tests/recordings/boards/tegrastats.txt.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

_MIB = 1 << 20
_LONGEST_LINE = 8192  # characters; the longest that a board prints has about 700
_ABSENT_C = -256.0  # what a sensor reads whose part is switched off
_END = r"(?=\s|$)"
_NUMBER = r"(-?\d{1,6}(?:\.\d{1,6})?)"
_DATE = re.compile(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d" + _END, re.ASCII)
_RAM = re.compile(r"(?:^|\s)RAM (\d{1,9})/(\d{1,9})MB(?: \(lfb (\d{1,9})x(\d{1,9})MB\))?", re.ASCII)
_SWAP = re.compile(r"\sSWAP (\d{1,9})/(\d{1,9})MB", re.ASCII)
_CPU = re.compile(r"\sCPU \[([^\]]*)\](?:@(\d{1,6}))?" + _END, re.ASCII)
_CORE = re.compile(r"(\d{1,3})%(?:@(\d{1,6}))?", re.ASCII)
_EMC = re.compile(r"\sEMC_FREQ (?:(\d{1,3})%)?(?:@(\d{1,6}))?" + _END, re.ASCII)
_GPU = re.compile(r"\sGR3D_FREQ (?:(\d{1,3})%)?(?:@(\d{1,6}|\[[\d,]*\]))?" + _END, re.ASCII)
_TEMPERATURE = re.compile(r"\s(\w+)@" + _NUMBER + r"C(?:/" + _NUMBER + "C)?" + _END, re.ASCII)
_RAIL = re.compile(r"\s(\w+) (\d{1,9})(?:mW)?/(\d{1,9})(?:mW)?(?:/(\d{1,9})mW)?" + _END, re.ASCII)
_NOT_CONNECTED = "NC"
INPUT_RAILS: Tuple[Tuple[str, ...], ...] = (
    ("VDD_IN",),
    ("POM_5V_IN",),
    ("VIN",),
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
)
"""Rails that carry a module's whole power, or that add up to it: Jetson AGX Orin and AGX Xavier."""


class Core(NamedTuple):
    """A core that is switched on: its load in per cent at its clock, which may not be told."""

    load_percent: int
    mhz: Optional[int]


class Rail(NamedTuple):
    """A power rail in mW: now, averaged since ``tegrastats`` started, and (from JetPack 7) peak."""

    now_mw: int
    mean_mw: int
    peak_mw: Optional[int]


class Tegrastats(NamedTuple):
    """One line. Fields whose words are missing or not understood are None, tables are empty.

    Attributes:
        at: Local date and time as printed (month-day-year), from JetPack 5 on.
        ram_used_bytes: Of the memory that CPU and GPU share.
        ram_total_bytes: What the kernel left of the board's memory.
        free_block_bytes: Length of the largest free block.
        swap_used_bytes: In swap.
        swap_total_bytes: Of swap.
        cores: By number; None for one that is switched off.
        memory_load_percent: Of the memory controller's (EMC's) bandwidth; for root alone.
        memory_mhz: Of the memory controller.
        gpu_load_percent: Of the GPU at its present clock.
        gpu_mhz: Clocks of its clusters (GPCs), one or more.
        temperatures_c: By sensor, in the board's spelling, those left out that read −256 °C.
        rails: By name, those left out that are not connected.
    """

    at: Optional[str]
    ram_used_bytes: Optional[int]
    ram_total_bytes: Optional[int]
    free_block_bytes: Optional[int]
    swap_used_bytes: Optional[int]
    swap_total_bytes: Optional[int]
    cores: Optional[Tuple[Optional[Core], ...]]
    memory_load_percent: Optional[int]
    memory_mhz: Optional[int]
    gpu_load_percent: Optional[int]
    gpu_mhz: Optional[Tuple[int, ...]]
    temperatures_c: Dict[str, float]
    rails: Dict[str, Rail]

    @property
    def input_rails(self) -> Optional[Tuple[str, ...]]:
        """Names of the rails whose sum is what the whole module takes; None where none tell it."""
        for names in INPUT_RAILS:
            if all(name in self.rails for name in names):
                return names
        return None

    @property
    def input_mw(self) -> Optional[int]:
        """What the whole module takes now, in mW; None where no rails tell it."""
        names = self.input_rails
        return None if names is None else sum(self.rails[name].now_mw for name in names)


def parse_line(line: str) -> Optional[Tegrastats]:
    """Read one line of ``tegrastats``; None if it is none, whatever it holds instead."""
    if len(line) > _LONGEST_LINE:
        return None
    line = " " + line.strip()  # every word has a space before it
    ram = _RAM.search(line)
    if ram is None:  # the one field that every board's every line has
        return None
    swap = _SWAP.search(line)
    date = _DATE.match(line, 1)
    memory_load, memory_clock = _groups(_EMC.search(line))
    gpu_load, gpu_clocks = _groups(_GPU.search(line))
    return Tegrastats(
        at=date.group() if date else None,
        ram_used_bytes=int(ram.group(1)) * _MIB,
        ram_total_bytes=int(ram.group(2)) * _MIB,
        free_block_bytes=int(ram.group(4)) * _MIB if ram.group(4) else None,
        swap_used_bytes=int(swap.group(1)) * _MIB if swap else None,
        swap_total_bytes=int(swap.group(2)) * _MIB if swap else None,
        cores=_cores(line),
        memory_load_percent=_whole(memory_load),
        memory_mhz=_whole(memory_clock),
        gpu_load_percent=_whole(gpu_load),
        gpu_mhz=_clocks(gpu_clocks),
        temperatures_c=_temperatures(line),
        rails=_rails(line),
    )


def _cores(line: str) -> Optional[Tuple[Optional[Core], ...]]:
    """Return the cores; None where one of them has a form that is not known."""
    found = _CPU.search(line)
    if found is None:
        return None
    shared = _whole(found.group(2))  # Thor idle has one clock, behind the bracket
    cores: List[Optional[Core]] = []
    for text in found.group(1).split(","):
        core = _CORE.match(text)
        if core is not None and core.end() == len(text):
            clock = _whole(core.group(2))
            cores.append(Core(int(core.group(1)), shared if clock is None else clock))
        elif text == "off":
            cores.append(None)
        else:
            return None
    return tuple(cores)


def _clocks(text: Optional[str]) -> Optional[Tuple[int, ...]]:
    """Return the clocks of ``1300`` or ``[1300,1300]`` in MHz; None where there are none."""
    return tuple(int(clock) for clock in re.findall("[0-9]{1,6}", text or "")) or None


def _temperatures(line: str) -> Dict[str, float]:
    readings = {match.group(1): float(match.group(2)) for match in _TEMPERATURE.finditer(line)}
    return {name: value for name, value in readings.items() if value > _ABSENT_C}


def _rails(line: str) -> Dict[str, Rail]:
    rails = {}
    for match in _RAIL.finditer(line):
        name, now, mean, peak = match.groups()
        if name != _NOT_CONNECTED:
            rails[name] = Rail(int(now), int(mean), _whole(peak))
    return rails


def _groups(match: Optional["re.Match[str]"]) -> Tuple[Optional[str], Optional[str]]:
    return (match.group(1), match.group(2)) if match else (None, None)


def _whole(text: Optional[str]) -> Optional[int]:
    return int(text) if text else None
