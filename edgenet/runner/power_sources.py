"""What counts energy: counters that are read twice, and monitors that are sampled meanwhile.

Source:
    JCGM 100:2008 (GUM), 4.3.7 and 5.1.2, for readings within known bounds and their combination.
    Yang, Adamek, Armour 2024, arXiv:2312.02741: NVIDIA GPUs renew their readings in up to 100 ms.
    Intel SDM volume 3, "Package RAPL Domain": the counters are renewed about every millisecond.
"""

import math
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from edgenet.runner.nvml import Nvml
from edgenet.runner.power_sampler import RATE_HZ, Sampler
from edgenet.runner.power_sensors import Counter, SensorError, read_integer

_FEWEST_SAMPLES = 5
_RAPL_RENEWED_S = 1e-3
_NVML_RENEWED_S = 0.1
_NVML_STEP_J = 1e-3
_MOST_W = 1000.0  # that a package can take: a counter cannot wrap twice in less than range / this


class Used(NamedTuple):
    """Energy that a source counted, with its standard uncertainty."""

    joules: float
    error_j: float


class CounterSource:
    """Counters that are read before and after."""

    sampled_hz: Optional[float] = None

    def __init__(self, counters: Tuple[Counter, ...]) -> None:
        self.sensors = tuple(counter.name for counter in counters)
        self._counters = counters
        self._before: List[int] = []
        self._after: List[int] = []

    def begin(self) -> None:
        """Read them for the first time."""
        self._before = self._read()

    def end(self) -> None:
        """Read them again."""
        self._after = self._read()

    def used(self, seconds: float) -> Used:
        """Return what was used between both readings, which were so far apart."""
        joules, variance = 0.0, 0.0
        for counter, before, after in zip(self._counters, self._before, self._after):
            one = _difference_uj(counter, before, after, seconds) * 1e-6
            joules += one
            variance += _of_two_readings(counter.step_j) ** 2
            variance += _of_two_readings(_RAPL_RENEWED_S * one / seconds) ** 2
        if joules <= 0:  # a virtual machine's
            raise SensorError("no sensor: RAPL's counters stand still")
        return Used(joules, math.sqrt(variance))

    def close(self) -> None:
        """Nothing is open."""

    def _read(self) -> List[int]:
        return [read_integer(counter.path) for counter in self._counters]


class GpuSource:
    """A GPU's own counter of energy, through NVML."""

    sampled_hz: Optional[float] = None

    def __init__(self, gpu: Nvml) -> None:
        self.sensors = (gpu.name,)
        self._gpu = gpu
        self._before = self._after = 0
        gpu.energy_mj()

    def begin(self) -> None:
        """Read it for the first time."""
        self._before = self._gpu.energy_mj()

    def end(self) -> None:
        """Read it again."""
        self._after = self._gpu.energy_mj()

    def used(self, seconds: float) -> Used:
        """Return what was used between both readings, which were so far apart."""
        joules = (self._after - self._before) * 1e-3
        if joules < 0:
            raise SensorError("the GPU's counter of energy went backwards")
        late_j = _of_two_readings(_NVML_RENEWED_S * joules / seconds)
        return Used(joules, math.hypot(_of_two_readings(_NVML_STEP_J), late_j))

    def close(self) -> None:
        """Nothing is open."""


class SampledSource:
    """A power monitor, read meanwhile by a process of its own.

    Args:
        sensors: What people call it.
        step_w: Its resolution.
        sampler: The process.
    """

    sampled_hz: Optional[float] = RATE_HZ

    def __init__(self, sensors: Tuple[str, ...], step_w: float, sampler: Sampler) -> None:
        self.sensors = sensors
        self._step_w = step_w
        self._sampler = sampler
        self._watts: List[float] = []

    def begin(self) -> None:
        """Begin to sample."""
        self._sampler.begin()

    def end(self) -> None:
        """Take what was sampled."""
        self._watts = self._sampler.end()

    def used(self, seconds: float) -> Used:
        """Return the mean of the samples as if it had lasted so long."""
        n = len(self._watts)
        if n < _FEWEST_SAMPLES:
            message = "too short: {} samples of power in {:.2f} s, at least {} are needed"
            raise SensorError(message.format(n, seconds, _FEWEST_SAMPLES))
        mean_w = sum(self._watts) / n
        scatter = sum((watts - mean_w) ** 2 for watts in self._watts) / (n - 1)
        gaps_w = [float(gap) for gap in np.diff(np.unique(self._watts))]
        step_w = max(self._step_w, min(gaps_w, default=0.0))  # of a sensor that does not tell it
        error_w = math.sqrt(scatter / n + _of_one_reading(step_w) ** 2)
        return Used(mean_w * seconds, error_w * seconds)

    def close(self) -> None:
        """End the process."""
        self._sampler.close()


def _difference_uj(counter: Counter, before: int, after: int, seconds: float) -> int:
    """Return by how much a counter rose that may have started from 0 again once."""
    if counter.range_uj is not None and _MOST_W * 1e6 * seconds > counter.range_uj:
        message = "too long: the counter of {} may have started again more than once in {:.0f} s"
        raise SensorError(message.format(counter.name, seconds))
    if after >= before:
        return after - before
    if counter.range_uj is None or before > counter.range_uj:
        raise SensorError("the counter of {} went backwards".format(counter.name))
    return after - before + counter.range_uj


def _of_one_reading(width: float) -> float:
    """Return the standard uncertainty of a reading that is known within a width."""
    return width / math.sqrt(12)


def _of_two_readings(width: float) -> float:
    """Return that of the difference of two such readings."""
    return width / math.sqrt(6)
