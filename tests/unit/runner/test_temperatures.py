"""Temperatures of machines of every kind, from folders that a test invents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgenet.bench.verdict import Window, judge
from edgenet.runner import host
from edgenet.runner.temperatures import read_temperatures
from tests.machines import write_files


def _zones(**temperatures: str) -> dict[str, str]:
    files = {}
    for number, (kind, text) in enumerate(temperatures.items()):
        place = f"sys/class/thermal/thermal_zone{number}"
        files.update({f"{place}/type": kind.replace("_", "-") + "\n", f"{place}/temp": text})
    return files


NANO = _zones(AO_therm="41500\n", CPU_therm="34000\n", PMIC_Die="100000\n", GPU_therm="31000\n")


def test_a_jetsons_power_chip_is_not_100_degrees_hot(tmp_path: Path) -> None:
    """Its driver says so as long as no alarm has gone off: no board would have a valid figure."""
    state = host.snapshot(write_files(tmp_path, NANO))
    assert state["temperatures_c"] == {"0 AO-therm": 41.5, "1 CPU-therm": 34.0, "3 GPU-therm": 31.0}
    window = Window(
        process="p", query_ns=np.full(100, 1000), before=state, after=state, steady=True
    )
    assert judge([window]).valid


def test_a_power_chip_whose_alarm_went_off_is_told(tmp_path: Path) -> None:
    """At 120 °C, and at 140 °C."""
    assert read_temperatures(write_files(tmp_path, _zones(PMIC_Die="120000\n"))) == {
        "0 PMIC-Die": 120.0
    }


def test_the_zones_stand_in_their_order(tmp_path: Path) -> None:
    """Ten comes after two."""
    root = write_files(tmp_path, _zones(**{f"z{number}": "20000" for number in range(12)}))
    assert [name.split()[0] for name in read_temperatures(root) or {}] == [
        str(number) for number in range(12)
    ]


@pytest.mark.parametrize("text", ["", "\n", "n/a\n", "-256000\n", "-274000\n", "4\u00b2\n"])
def test_what_is_no_temperature_is_left_out(tmp_path: Path, text: str) -> None:
    """A GPU that is switched off is not 256 degrees below zero."""
    root = write_files(tmp_path, _zones(cpu="41000\n", gpu=text))
    assert read_temperatures(root) == {"0 cpu": 41.0}
    assert read_temperatures(write_files(tmp_path / "alone", _zones(gpu=text))) is None


def _chip(name: str, **values: str) -> dict[str, str]:
    return {f"sys/class/hwmon/hwmon2/{key}": text for key, text in {"name": name, **values}.items()}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            _chip("k10temp\n", temp1_label="Tctl\n", temp1_input="61250\n"),
            {"hwmon2 k10temp Tctl": 61.25},
        ),
        (
            _chip(
                "k10temp\n",
                temp1_label="Tctl\n",
                temp1_input="88000\n",
                temp2_label="Tdie\n",
                temp2_input="61000\n",
            ),
            {"hwmon2 k10temp Tdie": 61.0},
        ),
        (
            _chip(
                "coretemp\n",
                temp1_label="Package id 0\n",
                temp1_input="55000\n",
                temp2_input="54000\n",
            ),
            {"hwmon2 coretemp Package id 0": 55.0},
        ),
        (_chip("zenpower\n", temp1_input="61000\n"), {"hwmon2 zenpower temp1": 61.0}),
        (_chip("nvme\n", temp1_input="99000\n"), None),
        (_chip("k10temp\n", temp1_input="none\n"), None),
    ],
    ids=["AMD", "AMD with an offset", "Intel", "without a label", "a disk", "nonsense"],
)
def test_a_processor_without_a_zone_is_told_by_its_chip(
    tmp_path: Path, files: dict[str, str], told: dict[str, float] | None
) -> None:
    """An AMD processor has no zone, and was told by nothing."""
    assert read_temperatures(write_files(tmp_path, files)) == told
