"""Energy a picture: what running adds to the waiting machine, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.runner import nvml
from edgenet.runner.nvml import Nvml
from edgenet.runner.power import IDLE_S, REST_S, Meter, open_meter
from edgenet.runner.power_sensors import Counter, SensorError
from edgenet.runner.power_sources import CounterSource, GpuSource, SampledSource
from tests.machines import write_files
from tests.unit.runner.power import sensors
from tests.unit.runner.power.fake_nvml import FakeNvml
from tests.unit.runner.power.package import RANGE_UJ, Machine


def _run(machine: Machine, meter: Meter, seconds: float, power_w: float) -> None:
    meter.rest()
    meter.begin()
    machine.power_w = power_w
    machine.sleep(seconds)
    meter.end()


@pytest.mark.parametrize("start_uj", [1000, RANGE_UJ - 3_000_000], ids=["", "wraps"])
def test_the_idle_power_is_subtracted(tmp_path: Path, start_uj: int) -> None:
    """15 W against 5 W for 2 s over 400 pictures are 50 mJ each, wherever the counter stands."""
    machine = Machine(tmp_path, start_uj)
    meter = machine.meter()
    _run(machine, meter, 2.0, 15.0)
    energy = meter.energy(400)
    assert energy.energy_mj == pytest.approx(50.0, rel=1e-6)
    assert energy.power_w == pytest.approx(15.0)
    assert energy.idle_w == pytest.approx(5.0)
    assert (energy.sensors, energy.sampled_hz, energy.reason) == (("package-0",), None, None)
    assert energy.seconds == pytest.approx(2.0)


def test_the_uncertainty_is_that_of_two_readings_of_a_counter(tmp_path: Path) -> None:
    """Each is late by up to a millisecond and rounded; idle and running count both."""
    machine = Machine(tmp_path)
    meter = machine.meter()
    _run(machine, meter, 2.0, 15.0)
    running_j = math.hypot(15.0 * 1e-3, 61.1e-6) / math.sqrt(6)
    idle_w = math.hypot(5.0 * 1e-3, 61.1e-6) / math.sqrt(6) / IDLE_S
    expected_mj = 1e3 * math.hypot(running_j, 2.0 * idle_w) / 400
    assert meter.energy(400).error_mj == pytest.approx(expected_mj, rel=1e-6)


def test_what_cannot_be_told_from_idle_is_no_figure(tmp_path: Path) -> None:
    """A negative energy would be nonsense, and a zero a lie."""
    machine = Machine(tmp_path)
    meter = machine.meter()
    _run(machine, meter, 2.0, 4.9)
    energy = meter.energy(10)
    assert (energy.energy_mj, energy.error_mj) == (None, None)
    assert energy.power_w == pytest.approx(4.9)
    assert energy.reason is not None
    assert energy.reason.startswith("not to be told from idle: -20 mJ a picture, uncertain by ")


def test_a_counter_that_stands_still_is_no_sensor(tmp_path: Path) -> None:
    """As a virtual machine's does."""
    machine = Machine(tmp_path)
    machine.power_w = 0.0
    meter = machine.meter()
    _run(machine, meter, 2.0, 0.0)
    assert meter.energy(10).reason == "no sensor: RAPL's counters stand still"


def test_a_counter_that_vanishes_costs_the_figure_and_nothing_else(tmp_path: Path) -> None:
    """A driver can be unloaded, or the rights be taken, in mid-measurement."""
    machine = Machine(tmp_path)
    meter = machine.meter()
    meter.rest()
    machine.path.unlink()
    meter.begin()
    meter.end()
    energy = meter.energy(10)
    assert energy._replace(reason=None) == type(energy)()
    assert energy.reason is not None
    assert energy.reason.startswith("not readable: ")


def test_a_measurement_that_is_too_long_for_the_counter_says_so(tmp_path: Path) -> None:
    """262 kJ last 262 s at 1,000 W: after that a counter may have started again twice."""
    machine = Machine(tmp_path)
    meter = machine.meter()
    _run(machine, meter, 300.0, 15.0)
    assert "more than once in 300 s" in str(meter.energy(10).reason)
    meter.begin()
    machine.sleep(1.0)
    meter.end()
    assert meter.energy(10).energy_mj is not None  # the next is measured again


def test_a_counter_without_a_range_may_not_go_backwards(tmp_path: Path) -> None:
    """By how much it rose is not known then."""
    source = CounterSource((Counter("package-0", str(tmp_path / "energy_uj"), None),))
    for content, step in (("500", source.begin), ("400", source.end)):
        (tmp_path / "energy_uj").write_text(content)
        step()
    with pytest.raises(SensorError, match="package-0 went backwards"):
        source.used(1.0)


def test_without_a_sensor_no_time_is_spent(tmp_path: Path) -> None:
    """A machine without one loses nothing but the look."""
    slept: list[float] = []
    meter = Meter((), "no sensor: …", sleep=slept.append)
    meter.rest()
    meter.begin()
    meter.end()
    meter.close()
    assert (slept, meter.energy(1).reason) == ([], "no sensor: …")
    opened = open_meter(root=tmp_path)
    opened.rest()
    assert str(opened.energy(1).reason).startswith("no sensor: ")


def test_a_machine_with_a_sensor_rests_for_a_second_and_a_half(tmp_path: Path) -> None:
    """One second is what the idle power is measured for; clocks come down before."""
    machine = Machine(tmp_path)
    machine.meter().rest()
    assert machine.clock() == round((REST_S + IDLE_S) * 1e9)


class Sampled:
    """A sampler that answers what it is told to."""

    def __init__(self, *answers: Sequence[float]) -> None:
        self._answers = list(answers)
        self.closed = False

    def begin(self) -> None:
        """Begin."""

    def end(self) -> list[float]:
        """Answer, or fail where there is nothing more."""
        if not self._answers:
            raise SensorError("the sampling of power does not answer")
        return list(self._answers.pop(0))

    def close(self) -> None:
        """End."""
        self.closed = True


def _sampled(*answers: Sequence[float]) -> tuple[Meter, Sampled]:
    sampler = Sampled(*answers)
    times = iter(range(0, 10**12, 2 * 10**9))  # 2 s between any two looks
    meter = Meter(
        (SampledSource(("VDD_IN",), 0.04, sampler),),  # type: ignore[arg-type]
        clock=lambda: next(times),
        sleep=lambda seconds: None,
    )
    return meter, sampler


def test_samples_become_a_mean_with_their_scatter() -> None:
    """Ten samples of 7 W against 5 W for 2 s over 100 pictures are 40 mJ."""
    meter, _ = _sampled([5.0] * 10, [6.9, 7.1] * 5)
    meter.rest()
    meter.begin()
    meter.end()
    energy = meter.energy(100)
    assert energy.energy_mj == pytest.approx(40.0)
    assert (energy.sensors, energy.sampled_hz) == (("VDD_IN",), 10.0)
    scatter_w2 = 10 * 0.1**2 / 9
    step_w = 0.2  # what the samples differ by, where the sensor's own step is finer
    expected_w2 = scatter_w2 / 10 + step_w**2 / 12 + 0.04**2 / 12
    assert energy.error_mj == pytest.approx(1e3 * 2.0 * math.sqrt(expected_w2) / 100)


def test_too_few_samples_are_no_figure_but_the_next_may_be() -> None:
    """A run of 0.2 s holds two readings of a sensor that is read ten times a second."""
    meter, sampler = _sampled([5.0] * 10, [7.0, 7.0], [7.0] * 10)
    meter.rest()
    for expected in ("too short: 2 samples of power", None):
        meter.begin()
        meter.end()
        energy = meter.energy(100)
        assert (energy.energy_mj is None) == (expected is not None)
        assert str(energy.reason).startswith(str(expected))
    assert not sampler.closed


def test_a_sampler_that_dies_is_let_go() -> None:
    """Its reason stays, and nothing is asked of it again."""
    meter, sampler = _sampled([5.0] * 10)
    meter.rest()
    meter.begin()
    meter.end()
    assert sampler.closed
    meter.begin()
    meter.end()
    assert meter.energy(1).reason == "the sampling of power does not answer"


def test_a_gpus_counter_is_read_before_and_after() -> None:
    """It is renewed every 100 ms at the latest, which is most of what is not known."""
    library = FakeNvml()
    source = GpuSource(Nvml(library=library))
    source.begin()
    library.energy_mj += 50000
    source.end()
    used = source.used(1.0)
    assert used.joules == pytest.approx(50.0)
    assert used.error_j == pytest.approx(5.0 / math.sqrt(6), rel=1e-4)
    library.energy_mj = 0
    source.end()
    with pytest.raises(SensorError, match="went backwards"):
        source.used(1.0)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """A driver with one GPU."""
    library = FakeNvml("Tesla V100")
    monkeypatch.setattr(nvml, "_load", lambda: library)
    return library


def test_work_on_a_gpu_counts_the_gpu_and_the_packages(tmp_path: Path, driver: FakeNvml) -> None:
    """5 W of the package and 20 W of the card are there anyway; without RAPL the card is alone."""
    machine = Machine(tmp_path / "with")

    def pass_time(seconds: float) -> None:
        driver.energy_mj += round(20e3 * seconds)
        machine.sleep(seconds)

    for root, sensed, idle_w in (
        (machine.root, ("package-0", "Tesla V100"), 25.0),
        (tmp_path / "without", ("Tesla V100",), 20.0),
    ):
        meter = open_meter("cuda:0", root)
        meter._clock, meter._sleep = machine.clock, pass_time
        meter.rest()
        meter.begin()
        pass_time(2.0)
        driver.energy_mj += 6000
        meter.end()
        meter.close()
        energy = meter.energy(100)
        assert energy.energy_mj == pytest.approx(60.0)
        assert energy.sensors == sensed
        assert energy.idle_w == pytest.approx(idle_w)
        alone = str(energy.reason).startswith("the GPU alone is counted: no sensor: ")
        assert alone == (len(sensed) == 1)


def test_work_on_a_gpu_without_the_gpus_energy_is_no_figure(tmp_path: Path) -> None:
    """The packages' part would pass for the whole."""
    meter = open_meter("cuda", Machine(tmp_path).root)
    meter.rest()
    assert str(meter.energy(1).reason).startswith("no NVML: ")


def test_a_boards_own_reason_is_told_for_its_gpu_too(tmp_path: Path, driver: FakeNvml) -> None:
    """A Jetson has no card, and what its monitor lacks is what its user can mend."""
    root = write_files(tmp_path, sensors.AGX_ORIN)
    (root / "sys/class/hwmon/hwmon3/in3_label").unlink()
    for device in ("cpu", "cuda"):
        reason = open_meter(device, root).energy(1).reason
        assert str(reason).startswith("no sensor of the whole module: "), device
    assert driver.asked_for is None


@given(
    before=st.integers(0, RANGE_UJ),
    added=st.integers(1, RANGE_UJ - 1),
)
def test_a_counter_gives_what_was_added_wherever_it_stands(before: int, added: int) -> None:
    """Once around at most."""
    source = CounterSource((Counter("package-0", "/nonexistent", RANGE_UJ),))
    source._before, source._after = [before], [(before + added) % RANGE_UJ]
    assert source.used(1.0).joules == pytest.approx(added * 1e-6)
