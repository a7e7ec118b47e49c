"""What processors tell of having been slowed, in a ``/sys`` that a test invents."""

from __future__ import annotations

from pathlib import Path

from edgenet.runner.throttling import read_throttling


def test_an_intel_processors_counters_are_summed(tmp_path: Path) -> None:
    """Of all cores and of their package."""
    for number, (core, package) in enumerate([(1, 2), (3, 0)]):
        place = tmp_path / f"sys/devices/system/cpu/cpu{number}/thermal_throttle"
        place.mkdir(parents=True)
        (place / "core_throttle_count").write_text(f"{core}\n")
        (place / "package_throttle_count").write_text(f"{package}\n")
    assert read_throttling(tmp_path) == {"events": 6, "flags": None}


def test_a_raspberry_pi_tells_what_holds_now(tmp_path: Path) -> None:
    """0x50005: under-voltage and throttled, now and since it started; only now counts."""
    place = tmp_path / "sys/devices/platform/soc/soc:firmware"
    place.mkdir(parents=True)
    (place / "get_throttled").write_text("50005\n")
    assert read_throttling(tmp_path) == {"events": None, "flags": 5}


def test_a_machine_that_tells_nothing_gives_none(tmp_path: Path) -> None:
    """As most virtual machines."""
    assert read_throttling(tmp_path) is None


def test_an_orins_over_current_events_count_where_they_throttle(tmp_path: Path) -> None:
    """Each cause has a counter and a switch; what is switched off slows nothing."""
    place = tmp_path / "sys/class/hwmon/hwmon3"
    place.mkdir(parents=True)
    for number, (events, switch) in enumerate([(4, 1), (70, 0), (37, 1)], start=1):
        (place / f"oc{number}_event_cnt").write_text(f"{events}\n")
        (place / f"oc{number}_throt_en").write_text(f"{switch}\n")
    assert read_throttling(tmp_path) == {"events": 41, "flags": None}


def test_what_is_no_number_is_not_counted(tmp_path: Path) -> None:
    """Nothing of the system's can fail a measurement."""
    place = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle"
    place.mkdir(parents=True)
    (place / "core_throttle_count").write_text("\u00b2\n", "utf-8")
    (place / "package_throttle_count").write_text("3\n")
    assert read_throttling(tmp_path) == {"events": 3, "flags": None}
