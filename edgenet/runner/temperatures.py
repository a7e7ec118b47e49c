"""How hot a machine is, by sensor; what only looks like a measurement is left out.

Most machines tell their temperatures in thermal zones. AMD's processors have none, but a chip of
hwmon, as has an Intel processor whose zone's driver is not loaded.

Source:
    Linux, Documentation/driver-api/thermal/sysfs-api, Documentation/hwmon/k10temp and coretemp;
    ``drivers/thermal/max77620_thermal.c``; NVIDIA's Jetson Linux Developer Guide: −256 °C is read
    of a part that is switched off.
"""

from pathlib import Path
from typing import Dict, Optional, Tuple

_CHIPS = {"k10temp": "temp[0-9]*_input", "zenpower": "temp[0-9]*_input", "coretemp": "temp1_input"}
"""Of hwmon, by name: the files that count. The first of Intel's is the whole package."""

_COLDEST_C = -100.0  # below it there is no sensor, or what it measures is switched off
_PMIC = "PMIC-Die"
_PMIC_ALARM_C = 120.0  # below it the MAX77620 measures nothing: its driver says 100, or 50


def read_temperatures(root: Path) -> Optional[Dict[str, float]]:
    """Return degrees Celsius by sensor; None where the machine tells none.

    Args:
        root: The folder that holds ``sys``.
    """
    found = dict(_zones(root), **_chips(root))
    return {name: value for name, value in found.items() if value > _COLDEST_C} or None


def in_order(path: Path) -> Tuple[int, str]:
    """Return a key that sorts ``cpu2`` before ``cpu10``: paths that differ in a number alone."""
    return len(str(path)), str(path)


def _zones(root: Path) -> Dict[str, float]:
    zones: Dict[str, float] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*"), key=in_order):
        value, kind = _celsius(zone / "temp"), _text(zone / "type")
        if value is None or (kind == _PMIC and value < _PMIC_ALARM_C):
            continue
        zones["{} {}".format(zone.name[len("thermal_zone") :], kind).strip()] = value
    return zones


def _chips(root: Path) -> Dict[str, float]:
    chips: Dict[str, float] = {}
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*"), key=in_order):
        chip = _text(folder / "name")
        if chip not in _CHIPS:
            continue
        told: Dict[str, float] = {}
        for path in sorted(folder.glob(_CHIPS[chip]), key=in_order):
            sensor, value = path.name[: -len("_input")], _celsius(path)
            if value is not None:
                told[_text(folder / (sensor + "_label")) or sensor] = value
        if "Tdie" in told:
            told.pop("Tctl", None)  # the same with an offset, to drive fans
        chips.update({"{} {} {}".format(folder.name, chip, name): told[name] for name in told})
    return chips


def _celsius(path: Path) -> Optional[float]:
    try:
        return int(_text(path)) / 1000
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
