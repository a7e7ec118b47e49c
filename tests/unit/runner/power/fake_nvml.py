"""A stand-in for NVML: the functions that `edgenet.runner.nvml` calls, in Python."""

from __future__ import annotations

from typing import Any

NOT_SUPPORTED = 3
UNINITIALIZED = 1


_FUNCTIONS = {
    "nvmlInit_v2": "_init",
    "nvmlDeviceGetCount_v2": "_device_get_count",
    "nvmlDeviceGetHandleByIndex_v2": "_device_get_handle_by_index",
    "nvmlDeviceGetHandleByPciBusId_v2": "_device_get_handle_by_pci_bus_id",
    "nvmlDeviceGetName": "_device_get_name",
    "nvmlSystemGetDriverVersion": "_system_get_driver_version",
    "nvmlDeviceGetTotalEnergyConsumption": "_device_get_total_energy_consumption",
    "nvmlDeviceGetPowerUsage": "_device_get_power_usage",
    "nvmlDeviceGetMemoryInfo": "_device_get_memory_info",
}


class FakeNvml:
    """One or more GPUs of a driver.

    Args:
        names: What the GPUs are called.
        counts_energy: Whether they are of Volta or newer.

    Attributes:
        energy_mj: What the counter shows next.
        power_mw: What the power meter shows next.
        free_bytes: Of the memory, of 8 GiB.
        lost: Every call about a GPU fails from now on.
        asked_for: The GPU that was asked for: an index or a bus ID.
    """

    def __init__(self, *names: str, counts_energy: bool = True) -> None:
        self._names = names or ("NVIDIA GeForce RTX 3080",)
        self._counts_energy = counts_energy
        self._ready = False
        self.energy_mj = 1000
        self.power_mw = 25000
        self.free_bytes = 7 << 30
        self.lost = False
        self.asked_for: int | str | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in _FUNCTIONS:
            raise AttributeError(name)
        return getattr(self, _FUNCTIONS[name])

    def _init(self) -> int:
        self._ready = True
        return 0

    def _device_get_count(self, count: Any) -> int:
        count._obj.value = len(self._names)
        return 0

    def _device_get_handle_by_index(self, index: Any, device: Any) -> int:
        self.asked_for = index.value
        device._obj.value = 0x1000
        return 0

    def _device_get_handle_by_pci_bus_id(self, bus_id: Any, device: Any) -> int:
        self.asked_for = bus_id.value.decode()
        device._obj.value = 0x2000
        return 0

    def _device_get_name(self, device: Any, text: Any, length: Any) -> int:
        text.value = self._names[0].encode()[: length.value - 1]
        return 0

    def _system_get_driver_version(self, text: Any, length: Any) -> int:
        text.value = b"550.54.14"
        return 0 if self._ready else UNINITIALIZED

    def _device_get_total_energy_consumption(self, device: Any, value: Any) -> int:
        return self._tell(value, self.energy_mj, NOT_SUPPORTED if not self._counts_energy else 0)

    def _device_get_power_usage(self, device: Any, value: Any) -> int:
        return self._tell(value, self.power_mw, 0)

    def _device_get_memory_info(self, device: Any, info: Any) -> int:
        info._obj.total, info._obj.free = 8 << 30, self.free_bytes
        return 15 if self.lost else 0

    def _tell(self, value: Any, told: int, code: int) -> int:
        value._obj.value = told
        return 15 if self.lost else code


def without(name: str) -> FakeNvml:
    """Return the library of an older driver, which lacks one function."""

    class Older(FakeNvml):
        def __getattr__(self, asked: str) -> Any:
            if asked == name:
                raise AttributeError(asked)
            return super().__getattr__(asked)

    return Older()
