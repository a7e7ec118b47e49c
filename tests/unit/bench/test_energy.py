"""Energy from several processes to one figure, or the reason why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from edgenet.bench.answer import gpu_mib
from edgenet.bench.energy import NOT_TOLD, Energy, median_energy, read_energy
from edgenet.runner import power


def _event(**changes: Any) -> dict[str, Any]:
    told = power.Energy(
        energy_mj=40.0,
        error_mj=0.5,
        power_w=7.0,
        idle_w=5.0,
        seconds=2.0,
        sensors=("VDD_IN",),
        sampled_hz=10.0,
    )
    return {"event": "latency", "energy": dict(told._replace(**changes)._asdict())}


def test_what_a_process_tells_is_read() -> None:
    """The runner's own names and units."""
    assert read_energy(_event()) == Energy(
        energy_mj=40.0, error_mj=0.5, power_w=7.0, idle_w=5.0, sensors=("VDD_IN",)
    )
    assert read_energy(None) == read_energy({"event": "latency"}) == NOT_TOLD


@pytest.mark.parametrize(
    "changes",
    [
        {"energy_mj": float("nan")},
        {"energy_mj": -1.0},
        {"power_w": float("inf")},
        {"energy_mj": None},
        {"idle_w": "warm"},
    ],
)
def test_an_energy_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    """A process of another version, or a broken one, may say anything."""
    with pytest.raises(ValueError, match=r"no energy|could not convert"):
        read_energy(_event(**changes))


def test_the_median_of_the_processes_is_told() -> None:
    """Of those with the same sensors; one that is not to be told from idle is below the others."""
    told = [
        read_energy(_event(energy_mj=41.0)),
        read_energy(_event(energy_mj=None, error_mj=None, reason="not to be told from idle")),
        read_energy(_event(energy_mj=44.0, error_mj=0.7)),
        read_energy(_event(energy_mj=900.0, sensors=("package-0",))),
        read_energy(_event(energy_mj=42.0)),
    ]
    found = median_energy(told)
    assert (found.energy_mj, found.error_mj, found.sensors) == (41.5, 0.5, ("VDD_IN",))
    assert found.reason == "1 of 4 processes: not to be told from idle"


def test_the_one_process_above_its_noise_does_not_stand_for_all() -> None:
    """The positive ones of figures around zero would be an energy that nothing takes."""
    lost = {"energy_mj": None, "error_mj": None, "reason": "not to be told from idle: -1 mJ"}
    told = [read_energy(_event(**lost)), read_energy(_event(**lost)), read_energy(_event())]
    found = median_energy(told)
    assert (found.energy_mj, found.error_mj) == (None, None)
    assert (found.power_w, found.idle_w, found.sensors) == (7.0, 5.0, ("VDD_IN",))
    assert found.reason == "2 of 3 processes: not to be told from idle: -1 mJ"
    partly = read_energy(_event(reason="the GPU alone is counted"))
    assert median_energy([partly]).reason == "the GPU alone is counted"


def test_without_a_figure_the_reason_is_told() -> None:
    """Null, and why."""
    told = [Energy(reason="no sensor: none"), Energy(reason="no sensor: none")]
    assert median_energy(told) == Energy(reason="no sensor: none")


@pytest.mark.parametrize(
    ("shared", "before", "now", "expected"),
    [
        (False, 100, 400, 500.0),
        (True, 100, 400, 200.0),
        (True, 100, 700, 0.0),
        (True, 400, 100, 500.0),
        (True, None, 400, None),
    ],
)
def test_memory_that_cpu_and_gpu_share_is_counted_once(
    shared: bool, before: int | None, now: int, expected: float | None
) -> None:
    """On a Jetson the free memory is the machine's, and lacks what the process holds, too."""
    mib = 1 << 20
    event = {
        "memory": {"resident_bytes": now * mib},
        "gpu_memory": {
            "free_before_bytes": 3000 * mib,
            "free_bytes": 2500 * mib,
            "resident_before_bytes": None if before is None else before * mib,
            "shared": shared,
        },
    }
    assert gpu_mib(event) == expected
