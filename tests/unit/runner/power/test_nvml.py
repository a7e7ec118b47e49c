"""What NVML tells of a GPU, and how it says that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from edgenet.runner import nvml, power
from edgenet.runner.memory import CardMemory
from edgenet.runner.nvml import Nvml, NvmlError, SeveralGpusError
from tests.unit.runner.power.fake_nvml import FakeNvml, without


def test_a_gpu_tells_its_energy_power_and_memory() -> None:
    """In the units of NVML."""
    library = FakeNvml()
    gpu = Nvml(library=library)
    assert (gpu.name, gpu.driver, gpu.bus_id) == ("NVIDIA GeForce RTX 3080", "550.54.14", "")
    assert (gpu.energy_mj(), gpu.power_mw()) == (1000, 25000)
    assert gpu.memory() == (8 << 30, 7 << 30)


def test_a_gpu_before_volta_counts_no_energy() -> None:
    """A Pascal card tells its power alone."""
    gpu = Nvml(library=FakeNvml(counts_energy=False))
    with pytest.raises(NvmlError, match="TotalEnergyConsumption: this GPU does not tell it"):
        gpu.energy_mj()
    assert gpu.power_mw() == 25000


def test_a_driver_that_lacks_a_function_is_no_crash() -> None:
    """The counter of energy came with driver 390."""
    gpu = Nvml(library=without("nvmlDeviceGetTotalEnergyConsumption"))
    with pytest.raises(NvmlError, match="lacks nvmlDeviceGetTotalEnergyConsumption"):
        gpu.energy_mj()


def test_of_several_gpus_the_one_of_the_bus_id_is_taken() -> None:
    """CUDA and NVML count in different orders; the bus does not."""
    library = FakeNvml("A", "B")
    with pytest.raises(SeveralGpusError):
        Nvml(library=library)
    assert Nvml("0000:01:00.0", library).bus_id == "0000:01:00.0"
    assert library.asked_for == "0000:01:00.0"


def test_without_cuda_one_of_several_gpus_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The energy of another card would be believed."""
    monkeypatch.setenv("EDGENET_CUDART", "/nonexistent/libcudart.so")
    with pytest.raises(NvmlError, match="several GPUs, and CUDA does not tell which"):
        power.gpu_of("cuda:1", FakeNvml("A", "B"))
    assert power.gpu_of("cuda", FakeNvml("A")).name == "A"


def test_a_machine_without_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver is no error."""
    monkeypatch.setattr(nvml, "LIBRARY", "libabsent-ml.so.1")
    with pytest.raises(NvmlError, match=r"no NVML: libabsent-ml\.so\.1"):
        Nvml()
    assert CardMemory("cuda").read() is None


def test_a_cards_memory_is_what_is_missing_since_before() -> None:
    """For runtimes that do not tell it themselves."""
    library = FakeNvml()
    card = CardMemory("cuda", library)
    library.free_bytes = 6 << 30
    told: Any = card.read()
    assert told.free_before_bytes - told.free_bytes == 1 << 30
    library.lost = True
    assert card.read() is None
    assert CardMemory("cpu", library).read() is None
