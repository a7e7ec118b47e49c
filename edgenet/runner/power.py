"""What one inference costs in energy, where the machine has a sensor for it.

What counts is what running adds: the power of the machine with the model loaded and waiting is
measured first and subtracted, so ``energy_mj = (E - idle_w * t) / n`` for ``n`` pictures in the
time ``t``. Counters (RAPL, a GPU's own) are read right before and right after the timed queries.
A power monitor (a Jetson's, an older GPU's) is sampled meanwhile by a process of its own.

The uncertainty is a standard uncertainty from what the sensors resolve, in value and in time, and
from the scatter of samples, for the running and the idle machine. By how much a sensor's scale is
off is not in it: a per cent or two for a Jetson's shunts, about 5 % for a GPU.

Nothing here fails a measurement: where there is no figure, there is the reason.
"""

import ctypes
import math
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Tuple

from edgenet.errors import EdgenetError
from edgenet.runner import cuda_library
from edgenet.runner.cuda import Cuda
from edgenet.runner.nvml import Nvml, NvmlError, SeveralGpusError
from edgenet.runner.power_sampler import Sampler
from edgenet.runner.power_sensors import SensorError, find_counters, find_rails
from edgenet.runner.power_sources import CounterSource, GpuSource, SampledSource, Used
from edgenet.runner.timing import now_ns

_ROOT = Path("/")
_BUS_ID_BYTES = 32
_GPU_STEP_W = 1e-3  # NVML's unit

IDLE_S = 1.0
REST_S = 0.5  # for clocks and spinning threads to come down after the work before


class Energy(NamedTuple):
    """What a measurement took; None with the reason where no sensor tells it.

    Attributes:
        energy_mj: Millijoules a picture, idle power subtracted; None where it is not to be told
            from nothing.
        error_mj: Its standard uncertainty.
        power_w: Mean power while the queries ran.
        idle_w: Mean power before, with the model loaded and waiting.
        seconds: How long was measured.
        sensors: What was counted, by name.
        sampled_hz: How often a monitor was read at most; None for counters.
        reason: Why a figure is None, or what is not in it; None where nothing is missing.
    """

    energy_mj: Optional[float] = None
    error_mj: Optional[float] = None
    power_w: Optional[float] = None
    idle_w: Optional[float] = None
    seconds: Optional[float] = None
    sensors: Tuple[str, ...] = ()
    sampled_hz: Optional[float] = None
    reason: Optional[str] = None


class Meter:
    """Measures energy with all sources of a machine; with none it does nothing and says why.

    Args:
        sources: What is added up.
        reason: Why there are none, or what is not counted by those there are.
        clock: Nanoseconds, monotonic.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        sources: Tuple[Any, ...],
        reason: Optional[str] = None,
        clock: Callable[[], int] = now_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sources = sources
        self._reason = reason
        self._clock = clock
        self._sleep = sleep
        self._began = self._ended = 0
        self._idle: Optional[Tuple[Used, float]] = None

    def rest(self) -> None:
        """Measure the idle power, which takes 1.5 s; no time where there is no sensor."""
        if not self._sources:
            return
        self._sleep(REST_S)
        self.begin()
        self._sleep(IDLE_S)
        self.end()
        try:
            self._idle = self._measured()
        except SensorError as error:
            self._give_up(error)

    def begin(self) -> None:
        """Start to count."""
        self._attempt("begin")
        self._began = self._clock()

    def end(self) -> None:
        """Stop."""
        self._ended = self._clock()
        self._attempt("end")

    def energy(self, pictures: int) -> Energy:
        """Return what each of the pictures took that were run between `begin` and `end`."""
        if not self._sources or self._idle is None:
            return Energy(reason=self._reason or "the idle power was not measured")
        try:
            used, seconds = self._measured()
        except SensorError as error:
            return Energy(reason=str(error))
        idle, idle_s = self._idle
        idle_w = idle.joules / idle_s
        told = Energy(
            power_w=used.joules / seconds,
            idle_w=idle_w,
            seconds=seconds,
            sensors=tuple(name for source in self._sources for name in source.sensors),
            sampled_hz=max(source.sampled_hz or 0.0 for source in self._sources) or None,
            reason=self._reason,
        )
        energy_mj = 1e3 * (used.joules - idle_w * seconds) / pictures
        error_mj = 1e3 * math.hypot(used.error_j, idle.error_j / idle_s * seconds) / pictures
        if energy_mj <= 0:
            message = "not to be told from idle: {:.3g} mJ a picture, uncertain by {:.3g} mJ"
            return told._replace(reason=message.format(energy_mj, error_mj))
        return told._replace(energy_mj=energy_mj, error_mj=error_mj)

    def close(self) -> None:
        """Let go of the sensors."""
        for source in self._sources:
            source.close()

    def _attempt(self, step: str) -> None:
        try:
            for source in self._sources:
                getattr(source, step)()
        except (SensorError, NvmlError) as error:
            self._give_up(error)

    def _measured(self) -> Tuple[Used, float]:
        """Return what all sources counted together, and for how long."""
        seconds = (self._ended - self._began) / 1e9
        if seconds <= 0:
            raise SensorError("too short: no time has passed")
        parts = [source.used(seconds) for source in self._sources]
        joules = sum(part.joules for part in parts)
        return Used(joules, math.sqrt(sum(part.error_j**2 for part in parts))), seconds

    def _give_up(self, error: Exception) -> None:
        """Do without sensors from now on."""
        self._reason = str(error)
        self.close()
        self._sources = ()


def open_meter(device: str = "cpu", root: Path = _ROOT) -> Meter:
    """Return a meter with the sensors of this machine.

    On a Jetson that is the whole module. Elsewhere it is RAPL and, for work on a GPU, that GPU:
    without the GPU there is no figure then, and without RAPL the GPU alone is counted.

    Args:
        device: What the model runs on: ``cpu``, ``cuda`` or ``cuda:N``.
        root: The folder that holds ``sys``.
    """
    try:
        return _open(device, root)
    except (SensorError, NvmlError, OSError, ValueError) as error:
        return Meter((), str(error))


def gpu_of(device: str, library: Any = None) -> Nvml:
    """Return the GPU that CUDA calls so, as NVML sees it.

    Args:
        device: ``cuda`` or ``cuda:N``.
        library: NVML; by default the driver's.

    Raises:
        NvmlError: NVML does not know it.
    """
    try:
        return Nvml(library=library)
    except SeveralGpusError:
        return Nvml(_bus_id(device), library)


def _open(device: str, root: Path) -> Meter:
    monitor = find_rails(root)
    if monitor.rails:
        step_w = math.sqrt(sum(rail.step_w() ** 2 for rail in monitor.rails))
        names = tuple(rail.name for rail in monitor.rails)
        return Meter((SampledSource(names, step_w, Sampler(monitor.rails)),))
    packages = find_counters(root)
    reason = monitor.reason or packages.reason
    counted = (CounterSource(packages.counters),) if packages.counters else ()
    if device == "cpu" or (monitor.reason is not None and not counted):
        return Meter(counted, None if counted else reason)  # a board's GPU has no card to ask
    alone = None if counted else "the GPU alone is counted: {}".format(reason)
    return Meter((*counted, _gpu_source(device)), alone)


def _gpu_source(device: str) -> Any:
    """Return a GPU's counter, or its power where it has no counter (before Volta)."""
    gpu = gpu_of(device)
    try:
        return GpuSource(gpu)
    except NvmlError:
        gpu.power_mw()
        return SampledSource((gpu.name,), _GPU_STEP_W, Sampler((), gpu.bus_id))


def _bus_id(device: str) -> str:
    """Return the PCI bus ID of a device of CUDA's, which counts GPUs in an order of its own."""
    number = int(device.partition(":")[2] or 0)
    text = ctypes.create_string_buffer(_BUS_ID_BYTES)
    try:
        library = cuda_library.load(Cuda(number).path)
        code = library.cudaDeviceGetPCIBusId(text, _BUS_ID_BYTES, number)
    except (EdgenetError, AttributeError) as error:
        raise NvmlError("several GPUs, and CUDA does not tell which: {}".format(error)) from None
    if code != cuda_library.SUCCESS:
        raise NvmlError("several GPUs, and CUDA does not tell which")
    return text.value.decode("ascii", "replace")
