"""Which sensors a machine has, and what they add up to."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.runner.power_sensors import (
    Rail,
    SensorError,
    find_counters,
    find_rails,
    read_integer,
    read_rails_w,
)
from tests.machines import write_files
from tests.unit.runner.power import sensors


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (sensors.LAPTOP, ["package-0", "dram of package 0"]),
        (
            sensors.SERVER,
            ["package-0-die-0", "dram of package 0", "package-1-die-0", "dram of package 1"],
        ),
        (sensors.RYZEN, ["package-0"]),
    ],
    ids=["laptop", "two sockets", "AMD"],
)
def test_packages_and_their_memory_are_counted_and_nothing_twice(
    tmp_path: Path, files: Mapping[str, str], names: list[str]
) -> None:
    """Cores are in the package, psys holds it, and the mmio zones repeat it."""
    found = find_counters(write_files(tmp_path, files))
    assert [counter.name for counter in found.counters] == names
    assert all(counter.range_uj for counter in found.counters)
    assert found.reason is None


def test_a_counter_that_only_root_may_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since Linux 5.10 that is the rule."""
    root = write_files(tmp_path, sensors.LAPTOP)

    def refuse(path: str, *arguments: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("builtins.open", refuse)
    found = find_counters(root)
    monkeypatch.undo()
    assert found.counters == ()
    assert found.reason is not None
    assert found.reason.startswith("RAPL is not readable: ")
    assert found.reason.endswith("intel-rapl:0/energy_uj: Permission denied")


def test_a_machine_without_sensors_says_so(tmp_path: Path) -> None:
    """Nothing is found, and nothing fails."""
    found = find_counters(tmp_path)
    assert (found.counters, found.reason) == (
        (),
        "no sensor: this machine shows neither RAPL nor a power monitor",
    )
    assert find_rails(tmp_path) == ((), (), None)


def test_a_range_that_is_not_told_leaves_the_counter_usable(tmp_path: Path) -> None:
    """It matters when the counter starts again, and only then."""
    root = write_files(tmp_path, sensors.RYZEN)
    (root / sensors.RAPL / "intel-rapl:0/max_energy_range_uj").unlink()
    assert [counter.range_uj for counter in find_counters(root).counters] == [None]


@pytest.mark.parametrize(
    ("files", "names", "power_w"),
    [
        (sensors.NANO, ["POM_5V_IN"], 2.746),
        (sensors.TX2, ["VDD_IN"], 3.140),
        (sensors.AGX_XAVIER, ["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"], 3.295),
        (sensors.ORIN_NANO, ["VDD_IN"], 4.045),
        (sensors.AGX_ORIN, ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"], 6.765),
        (sensors.THOR, ["VIN"], 28.906),
    ],
    ids=["Nano", "TX2", "AGX Xavier", "Orin Nano", "AGX Orin", "Thor"],
)
def test_the_rails_of_every_jetson_add_up_to_the_module(
    tmp_path: Path, files: Mapping[str, str], names: list[str], power_w: float
) -> None:
    """One rail where there is a total, and the sum that the board needs where there is none."""
    found = find_rails(write_files(tmp_path, files))
    assert [rail.name for rail in found.rails] == names
    assert read_rails_w(found.rails) == pytest.approx(power_w, abs=1e-9)


def test_rails_that_are_not_known_to_add_up_are_not_added(tmp_path: Path) -> None:
    """An AGX Orin whose third rail is missing would otherwise take 4 W less."""
    root = write_files(tmp_path, sensors.AGX_ORIN)
    (root / "sys/class/hwmon/hwmon3/in3_label").unlink()
    found = find_rails(root)
    assert found.rails == ()
    assert found.reason is not None
    assert "VDD_CPU_CV, VDD_GPU_SOC" in found.reason


def test_other_chips_of_the_machine_are_no_power_monitors(tmp_path: Path) -> None:
    """A processor's thermometer has the same files."""
    files = dict(sensors.ORIN_NANO, **{"sys/class/hwmon/hwmon3/name": "coretemp\n"})
    assert find_rails(write_files(tmp_path, files)) == ((), (), None)


def test_the_resolution_is_that_of_the_shunt(tmp_path: Path) -> None:
    """40 µV over 5 mΩ are 8 mA, at 5 V 40 mW."""
    (rail,) = find_rails(write_files(tmp_path, sensors.ORIN_NANO)).rails
    assert rail.step_w() == pytest.approx(0.040)
    (untold,) = find_rails(write_files(tmp_path / "nano", sensors.NANO)).rails
    assert untold.step_w() == pytest.approx(0.001)


@pytest.mark.parametrize("content", ["", "\n", "n/a\n", "1.5\n", "0x10\n", "\0\0", "12 34x\n"])
def test_only_a_number_is_a_reading(tmp_path: Path, content: str) -> None:
    """The first word counts; a driver may add a unit."""
    path = tmp_path / "energy_uj"
    path.write_text(content)
    if content.startswith("12"):
        assert read_integer(str(path)) == 12
        return
    with pytest.raises(SensorError, match="holds no number"):
        read_integer(str(path))


def test_a_rail_whose_file_vanishes_says_which(tmp_path: Path) -> None:
    """A driver can be unloaded."""
    root = write_files(tmp_path, sensors.ORIN_NANO)
    found = find_rails(root)
    (root / "sys/class/hwmon/hwmon3/curr1_input").unlink()
    with pytest.raises(SensorError, match=r"not readable: .*curr1_input: No such file"):
        read_rails_w(found.rails)
    assert find_rails(root).reason is not None


def test_no_content_of_a_file_is_worse_than_unreadable(tmp_path: Path) -> None:
    """Whatever a driver writes, the answer is a number or `SensorError`."""
    path = tmp_path / "in_power0_input"
    rail = Rail("VDD_IN", (str(path),), 1e-3)

    @given(st.one_of(st.binary(max_size=80), st.integers().map(lambda n: b"%d\n" % n)))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        words = content[:64].split()
        if words and words[0].lstrip(b"-+").isdigit():
            assert rail.read_w() == pytest.approx(int(words[0]) * 1e-3)
        else:
            with contextlib.suppress(SensorError):
                assert math.isfinite(rail.read_w())

    check()
