"""The sensors of power and energy that a machine has: RAPL's counters and a Jetson's monitors.

A counter adds energy up by itself and is read twice. A monitor tells the power of the moment and
has to be sampled. No NumPy here: the process that samples imports this.

RAPL counts a package (a socket: cores, caches, graphics) and, apart from it, its memory where it
can. Its parts (``core``, ``uncore``) are in the package, ``psys`` holds it again, and the folders
``intel-rapl-mmio`` repeat it: none of them is added. AMD's processors are told in the same files.

A Jetson has INA3221 chips of three rails each, and Thor an INA238 of one. L4T 32 tells a rail's
power in ``iio:device*/in_power*_input`` and its name in ``rail_name_*``; from L4T 34 on hwmon tells
voltage, current and name. Which rails add up to the whole module is a matter of the board.

Source:
    Linux, Documentation/power/powercap, Documentation/hwmon/ina3221 and ina238, and
    Documentation/ABI/testing/sysfs-class-powercap; the power tables of NVIDIA's Jetson Linux
    Developer Guide; the INA3221's data sheet (SBOS576): the shunt's voltage in steps of 40 µV.
"""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from edgenet.runner.tegrastats import INPUT_RAILS

_ROOT = Path("/")
_COUNTED = re.compile(r"package(-.*)?|dram")
_RAPL_FOLDER = re.compile(r"intel-rapl(:\d+)+", re.ASCII)
_RAPL_STEP_J = 61.1e-6  # 2^-14 J, the usual unit of the counter; newer ones count finer
_MONITORS = re.compile(r"ina\d+x?", re.ASCII)
_NOT_CONNECTED = "NC"
_SHUNT_STEP_UV = 40.0
_LEAST_STEP_W = 1e-3  # the least that a file in milliwatts can tell
_MILLI, _MICRO = 1e-3, 1e-6


class SensorError(Exception):
    """A sensor cannot be read; the message says which and why."""


class Counter(NamedTuple):
    """A counter of energy.

    Attributes:
        name: What it counts.
        path: Its file, in microjoules.
        range_uj: Where it starts from 0 again; None where that is not told.
        step_j: Its resolution.
    """

    name: str
    path: str
    range_uj: Optional[int]
    step_j: float = _RAPL_STEP_J


class Rail(NamedTuple):
    """A power rail.

    Attributes:
        name: As the board calls it.
        paths: One file of power, or one of voltage and one of current.
        unit_w: What the number, or the product of both, is to be multiplied with.
        shunt_uohm: The resistor that the current is read from; None where that is not told.
    """

    name: str
    paths: Tuple[str, ...]
    unit_w: float
    shunt_uohm: Optional[int] = None

    def read_w(self) -> float:
        """Return the power now.

        Raises:
            SensorError: A file cannot be read, or holds no number.
        """
        value = self.unit_w
        for path in self.paths:
            value *= read_integer(path)
        return value

    def step_w(self) -> float:
        """Return the resolution in watts: that of the current at the present voltage.

        Raises:
            SensorError: A file cannot be read, or holds no number.
        """
        if self.shunt_uohm is None or len(self.paths) != 2:
            return _LEAST_STEP_W
        step_ma = 1e3 * _SHUNT_STEP_UV / self.shunt_uohm
        return max(_LEAST_STEP_W, self.unit_w * step_ma * read_integer(self.paths[0]))


class Found(NamedTuple):
    """The sensors of one kind that add up to a figure, or why they do not.

    Without a reason there are none of the kind at all.
    """

    counters: Tuple[Counter, ...] = ()
    rails: Tuple[Rail, ...] = ()
    reason: Optional[str] = None


def find_counters(root: Path = _ROOT) -> Found:
    """Return RAPL's counters of all packages and their memory, each of which can be read.

    Args:
        root: The folder that holds ``sys``.
    """
    counters = []
    for folder in _listed(root / "sys/class/powercap"):
        if not _RAPL_FOLDER.match(folder.name):
            continue
        name = _line(folder / "name")
        if name is not None and _COUNTED.fullmatch(name):
            place = folder.name[len("intel-rapl:") :].split(":")[0]
            label = name if name.startswith("package") else "{} of package {}".format(name, place)
            path = str(folder / "energy_uj")
            try:
                read_integer(path)
            except SensorError as error:
                return Found(reason="RAPL is {}".format(error))
            counters.append(Counter(label, path, _range_uj(folder)))
    if not any(counter.name.startswith("package") for counter in counters):
        return Found(reason="no sensor: this machine shows neither RAPL nor a power monitor")
    return Found(counters=tuple(counters))


def find_rails(root: Path = _ROOT) -> Found:
    """Return the rails of a Jetson that add up to what the whole module takes.

    Args:
        root: The folder that holds ``sys``.
    """
    rails: Dict[str, Rail] = {}
    for rail in _iio_rails(root) + _hwmon_rails(root):
        rails.setdefault(rail.name, rail)  # one chip may be listed by both drivers
    if not rails:
        return Found()
    for names in INPUT_RAILS:
        if all(name in rails for name in names):
            chosen = tuple(rails[name] for name in names)
            try:
                read_rails_w(chosen)
            except SensorError as error:
                return Found(reason="the power monitor is {}".format(error))
            return Found(rails=chosen)
    message = "no sensor of the whole module: it is not known what the rails {} add up to"
    return Found(reason=message.format(", ".join(sorted(rails))))


def read_rails_w(rails: Sequence[Rail]) -> float:
    """Return the power of some rails together.

    Raises:
        SensorError: One cannot be read.
    """
    return sum(rail.read_w() for rail in rails)


def read_integer(path: str) -> int:
    """Return the number in a file.

    Raises:
        SensorError: It cannot be read, or holds no number.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(64)
    except OSError as error:
        raise SensorError("not readable: {}: {}".format(path, error.strerror)) from None
    words = text.split()
    try:
        return int(words[0])
    except (IndexError, ValueError):
        raise SensorError("not readable: {} holds no number".format(path)) from None


def _range_uj(folder: Path) -> Optional[int]:
    try:
        return read_integer(str(folder / "max_energy_range_uj")) or None
    except SensorError:
        return None


def _iio_rails(root: Path) -> List[Rail]:
    """Return the rails that the driver of L4T 32 tells."""
    rails = []
    for folder in _listed(root / "sys/bus/iio/devices"):
        for label in sorted(folder.glob("rail_name_*")):
            path = folder / "in_power{}_input".format(label.name[len("rail_name_") :])
            name = _line(label)
            if _is_rail(name) and path.exists():
                rails.append(Rail(str(name), (str(path),), _MILLI))
    return rails


def _hwmon_rails(root: Path) -> List[Rail]:
    """Return the rails that Linux's own drivers tell, from L4T 34 on."""
    rails = []
    for folder in _listed(root / "sys/class/hwmon"):
        if not _MONITORS.match(_line(folder / "name") or ""):
            continue
        labels = {path.name[2:-6]: _line(path) for path in sorted(folder.glob("in*_label"))}
        if not labels:  # of a chip with one rail
            labels = {"1": _line(folder / "label")}
        for number, name in sorted(labels.items()):
            rail = _hwmon_rail(folder, number, str(name)) if _is_rail(name) else None
            if rail is not None:
                rails.append(rail)
    return rails


def _hwmon_rail(folder: Path, number: str, name: str) -> Optional[Rail]:
    power = folder / "power{}_input".format(number)
    if power.exists():
        return Rail(name, (str(power),), _MICRO)
    voltage = folder / "in{}_input".format(number)
    current = folder / "curr{}_input".format(number)
    if not voltage.exists() or not current.exists():  # the sum of the chip's shunts
        return None
    shunt = _line(folder / "shunt{}_resistor".format(number)) or ""
    return Rail(
        name,
        (str(voltage), str(current)),
        _MICRO,
        int(shunt) if shunt.isdigit() and int(shunt) else None,
    )


def _is_rail(name: Optional[str]) -> bool:
    return bool(name) and name != _NOT_CONNECTED


def _listed(folder: Path) -> List[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _line(path: Path) -> Optional[str]:
    """Return the first line of a file, or None."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return lines[0].strip() if lines else None
