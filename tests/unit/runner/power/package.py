"""A machine whose power is set and whose time passes as it is told."""

from __future__ import annotations

from pathlib import Path

from edgenet.runner.power import Meter
from edgenet.runner.power_sensors import find_counters
from edgenet.runner.power_sources import CounterSource
from tests.machines import write_files
from tests.unit.runner.power import sensors

RANGE_UJ = 262143328850


class Machine:
    """A package whose power is set, and whose time passes when it sleeps."""

    def __init__(self, root: Path, start_uj: int = 1000) -> None:
        self.path = write_files(root, sensors.zone("intel-rapl:0", "package-0", start_uj)) / (
            f"{sensors.RAPL}/intel-rapl:0/energy_uj"
        )
        self.root = root
        self.power_w = 5.0
        self._ns = 0
        self._uj = float(start_uj)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._ns += round(seconds * 1e9)
        self._uj = (self._uj + self.power_w * seconds * 1e6) % RANGE_UJ
        self.path.write_text(f"{round(self._uj)}\n")

    def clock(self) -> int:
        """Return the time in nanoseconds."""
        return self._ns

    def meter(self) -> Meter:
        """Return a meter of this machine."""
        source = CounterSource(find_counters(self.root).counters)
        return Meter((source,), clock=self.clock, sleep=self.sleep)
