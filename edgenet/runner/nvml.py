"""NVIDIA's management library (NVML) through ctypes: a GPU's energy, power and memory.

It comes with the driver of a desktop or server GPU; a Jetson's has none of use. No NumPy here: the
process that samples power imports this.

Source:
    NVML API Reference Guide: "Device Queries" (``nvmlDeviceGetTotalEnergyConsumption``,
    ``nvmlDeviceGetPowerUsage``, ``nvmlDeviceGetMemoryInfo``) and the values of ``nvmlReturn_t``.
"""

import ctypes
from typing import Any, Callable, NamedTuple, Optional

LIBRARY = "libnvidia-ml.so.1"

_SUCCESS = 0
_NOT_SUPPORTED = 3
_NO_PERMISSION = 4
_WHY = {
    _NOT_SUPPORTED: "this GPU does not tell it",
    _NO_PERMISSION: "not permitted",
    6: "no such GPU",
    9: "the NVIDIA driver is not loaded",
    15: "the GPU is lost: restart the machine",
    18: "the driver's two halves differ: restart the machine",
}


class NvmlError(Exception):
    """NVML cannot tell something; the message says why."""


class SeveralGpusError(NvmlError):
    """There are more than one, and it was not said which."""


class Memory(NamedTuple):
    """A GPU's memory for all processes, in bytes."""

    total_bytes: int
    free_bytes: int


class _MemoryInfo(ctypes.Structure):
    _fields_ = [
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class Nvml:
    """One GPU as NVML sees it.

    Args:
        bus_id: The GPU's PCI bus ID, as CUDA tells it; None or empty where there is but one.
        library: The loaded library; by default the driver's.

    Attributes:
        bus_id: As given; empty for the only one.
        name: What the GPU is called.
        driver: The driver's version.

    Raises:
        NvmlError: There is no NVML, or no such GPU.
        SeveralGpusError: There are more than one, and no bus ID was given.
    """

    def __init__(self, bus_id: Optional[str] = None, library: Any = None) -> None:
        self.bus_id = bus_id or ""
        self._library = _load() if library is None else library
        self._call("nvmlInit_v2")
        self._device = self._device_of(self.bus_id)
        self.name = self._text("nvmlDeviceGetName", self._device)
        self.driver = self._text("nvmlSystemGetDriverVersion")

    def energy_mj(self) -> int:
        """Return the energy since the driver was loaded, in millijoules; GPUs from Volta on.

        Raises:
            NvmlError: The GPU does not tell it.
        """
        value = ctypes.c_ulonglong(0)
        self._call("nvmlDeviceGetTotalEnergyConsumption", self._device, ctypes.byref(value))
        return value.value

    def power_mw(self) -> int:
        """Return the power in milliwatts, as the driver averages it.

        Raises:
            NvmlError: The GPU does not tell it.
        """
        value = ctypes.c_uint(0)
        self._call("nvmlDeviceGetPowerUsage", self._device, ctypes.byref(value))
        return value.value

    def memory(self) -> Memory:
        """Return the GPU's memory.

        Raises:
            NvmlError: The GPU does not tell it.
        """
        info = _MemoryInfo()
        self._call("nvmlDeviceGetMemoryInfo", self._device, ctypes.byref(info))
        return Memory(info.total, info.free)

    def _device_of(self, bus_id: str) -> ctypes.c_void_p:
        device = ctypes.c_void_p()
        if bus_id:
            name = "nvmlDeviceGetHandleByPciBusId_v2"
            self._call(name, ctypes.c_char_p(bus_id.encode("ascii")), ctypes.byref(device))
            return device
        count = ctypes.c_uint(0)
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        if count.value > 1:
            raise SeveralGpusError("{} GPUs, and it is not told which".format(count.value))
        self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(0), ctypes.byref(device))
        return device

    def _text(self, name: str, *arguments: Any) -> str:
        text = ctypes.create_string_buffer(96)  # the longest that NVML fills
        self._call(name, *arguments, text, ctypes.c_uint(len(text)))
        return text.value.decode("utf-8", "replace")

    def _call(self, name: str, *arguments: Any) -> None:
        try:
            function: Callable[..., int] = getattr(self._library, name)
        except AttributeError:
            raise NvmlError("{} lacks {}".format(LIBRARY, name)) from None
        code = function(*arguments)
        if code != _SUCCESS:
            why = _WHY.get(code, "NVML's error {}".format(code))
            raise NvmlError("{}: {}".format(name, why))


def _load() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NvmlError("no NVML: {}".format(error)) from None
