"""Whether a processor was slowed to protect it: by heat, by its power supply, or by firmware."""

import re
from pathlib import Path
from typing import Any, Dict, Optional

_COUNTERS = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"
_OVER_CURRENT = "sys/class/hwmon/hwmon*/oc[0-9]_event_cnt"
_RASPBERRY = "sys/devices/platform/soc/soc:firmware/get_throttled"
_COUNT = r"\d{1,20}\Z"
_NOW = 0xF  # under-voltage, frequency capped, throttled, soft temperature limit


def read_throttling(root: Path) -> Optional[Dict[str, Any]]:
    """Return what the processor and its firmware tell; None where they tell nothing.

    Args:
        root: The folder that holds ``sys``.

    Returns:
        ``events``, how often cores were throttled for themselves or for their package (Intel), or
        the module for its current or voltage (Jetson Orin and later), since the machine started,
        summed over cores and causes (else None); and ``flags``, what holds now as the Raspberry
        Pi's firmware numbers it (else None).

    Source:
        Linux, ``arch/x86/kernel/cpu/mce/therm_throt.c``; NVIDIA's Jetson Linux Developer Guide,
        "Platform Power and Performance"; Raspberry Pi documentation, ``vcgencmd get_throttled``.
    """
    told = [
        _text(folder / name)
        for folder in sorted(root.glob(_COUNTERS))
        for name in ("core_throttle_count", "package_throttle_count")
    ]
    told += [_text(path) for path in sorted(root.glob(_OVER_CURRENT)) if _slows(path)]
    counts = [int(text) for text in told if re.match(_COUNT, text, re.ASCII)]
    try:
        flags = int(_text(root / _RASPBERRY), 16) & _NOW  # type: Optional[int]
    except ValueError:
        flags = None
    if not counts and flags is None:
        return None
    return {"events": sum(counts) if counts else None, "flags": flags}


def _slows(path: Path) -> bool:
    """Tell whether events of a kind throttle the module: they are counted even where they do not.

    Args:
        path: Of the counter, such as ``oc1_event_cnt``, whose switch is ``oc1_throt_en``.
    """
    return _text(path.parent / path.name.replace("event_cnt", "throt_en")) != "0"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
