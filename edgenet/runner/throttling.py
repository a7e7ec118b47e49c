"""Whether a processor was slowed to protect it: by heat, by its power supply, or by firmware."""

from pathlib import Path
from typing import Any, Dict, Optional

_COUNTERS = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"
_RASPBERRY = "sys/devices/platform/soc/soc:firmware/get_throttled"
_NOW = 0xF  # under-voltage, frequency capped, throttled, soft temperature limit


def read_throttling(root: Path) -> Optional[Dict[str, Any]]:
    """Return what the processor and its firmware tell; None where they tell nothing.

    Args:
        root: The folder that holds ``sys``.

    Returns:
        ``events``, how often a core or its package was throttled since the machine started (Intel;
        else None), and ``flags``, what holds now as the Raspberry Pi's firmware numbers it (else
        None).

    Source:
        Linux, ``arch/x86/kernel/cpu/mce/therm_throt.c``; Raspberry Pi documentation,
        ``vcgencmd get_throttled``.
    """
    counts = [
        int(text)
        for folder in sorted(root.glob(_COUNTERS))
        for name in ("core_throttle_count", "package_throttle_count")
        for text in [_text(folder / name)]
        if text.isdigit()
    ]
    try:
        flags = int(_text(root / _RASPBERRY), 16) & _NOW  # type: Optional[int]
    except ValueError:
        flags = None
    if not counts and flags is None:
        return None
    return {"events": sum(counts) if counts else None, "flags": flags}


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
