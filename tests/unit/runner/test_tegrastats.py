"""Lines of ``tegrastats``: recorded ones of seven board generations, and damaged ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.runner.tegrastats import Core, Rail, Tegrastats, parse_line
from tests.machines import RECORDINGS

MIB = 1 << 20
RECORDED = (RECORDINGS / "tegrastats.txt").read_text("utf-8").splitlines()
LINES = [line for line in RECORDED if not line.startswith("#")]


def read(words: str) -> Tegrastats:
    """Read the one recorded line that has some words."""
    (line,) = [line for line in LINES if words in line]
    found = parse_line(line)
    assert found is not None
    return found


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_every_recorded_line_gives_memory_cores_and_temperatures(line: str) -> None:
    """Sixteen lines of Nano, TX2, Xavier NX, Orin Nano, Orin NX, AGX Orin and Thor."""
    found = parse_line(line)
    assert found is not None
    assert found.ram_used_bytes is not None
    assert found.ram_total_bytes is not None
    assert 0 < found.ram_used_bytes < found.ram_total_bytes
    assert found.cores
    assert all(-40 < value < 120 for value in found.temperatures_c.values())
    assert found.input_mw is not None
    assert found.input_mw >= max(rail.now_mw for rail in found.rails.values())
    assert (found.at is not None) == line[:2].isdigit()


def test_a_nanos_line_has_all_that_it_says() -> None:
    """JetPack 4: no date, no mW, one clock of the GPU; a MB is 2^20 bytes."""
    assert read("POM_5V_IN 1750/1628") == Tegrastats(
        at=None,
        ram_used_bytes=1923 * MIB,
        ram_total_bytes=3964 * MIB,
        free_block_bytes=2 * MIB,
        swap_used_bytes=191 * MIB,
        swap_total_bytes=1982 * MIB,
        cores=(Core(5, 1224), Core(4, 1224), Core(3, 1224), Core(6, 1224)),
        memory_load_percent=0,
        memory_mhz=1600,
        gpu_load_percent=0,
        gpu_mhz=(76,),
        temperatures_c={
            "PLL": 37.0,
            "CPU": 40.0,
            "PMIC": 50.0,
            "GPU": 40.0,
            "AO": 45.0,
            "thermal": 40.0,
        },
        rails={
            "POM_5V_IN": Rail(1750, 1628, None),
            "POM_5V_GPU": Rail(0, 0, None),
            "POM_5V_CPU": Rail(366, 406, None),
        },
    )


def test_without_root_clocks_are_none() -> None:
    """Loads are there all the same."""
    found = read("POM_5V_IN 933/933")
    assert (found.gpu_load_percent, found.gpu_mhz) == (0, None)
    assert (found.memory_load_percent, found.memory_mhz) == (0, None)


def test_a_board_without_swap_has_none() -> None:
    """A TX2's line has no such word."""
    found = read("VDD_SYS_GPU 153/158")
    assert (found.swap_used_bytes, found.swap_total_bytes) == (None, None)
    assert found.input_mw == 3140


def test_cores_that_are_off_are_none() -> None:
    """They keep their place, so that a core's number stays."""
    found = read("RAM 2432/15598MB")
    assert found.cores is not None
    assert found.cores[4:7] == (None, None, Core(0, 729))


def test_a_clock_behind_the_bracket_is_every_cores() -> None:
    """Thor idle; its GPU then has clocks and no load."""
    found = read("RAM 3429/125749MB")
    assert found.cores == (Core(0, 2601), Core(5, 2601), None)
    assert (found.gpu_load_percent, found.gpu_mhz) == (None, (1574, 1574, 1574))
    assert (found.memory_load_percent, found.memory_mhz) == (None, 4266)


def test_a_switched_off_sensor_is_absent() -> None:
    """It reads −256 °C; a GPU with clocks of 0 is idle, and there."""
    found = read("GPU@-256C")
    assert {"GPU", "CV0", "CV1", "CV2"}.isdisjoint(found.temperatures_c)
    assert found.temperatures_c["tj"] == 44.343
    assert (found.gpu_load_percent, found.gpu_mhz) == (0, (0, 0))


def test_an_agx_orins_rails_add_up_to_what_it_takes() -> None:
    """It has no rail of the whole; rails that are not connected are left out."""
    found = read("GPU@-256C")
    assert found.input_rails == ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
    assert found.input_mw == 2340 + 390 + 4025
    assert "NC" not in found.rails


def test_an_agx_xaviers_six_rails_add_up_to_what_it_takes() -> None:
    """It has no rail of the whole either. Form of a line in public tests of a monitor."""
    line = "RAM 1545/31919MB (lfb 7400x4MB) CPU [0%@1190] GPU@39.5C CPU@40C "
    found = parse_line(
        line + "GPU 120/100 CPU 468/450 SOC 937/900 CV 0/0 VDDRQ 312/234 SYS5V 1458/9"
    )
    assert found is not None
    assert found.input_rails == ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")
    assert found.input_mw == 3295


def test_thors_three_part_rails_have_their_peak() -> None:
    """From JetPack 7 on; a rail of the whole comes before the sum of three."""
    found = read("RAM 8353/125749MB")
    assert found.rails["VDD_GPU"] == Rail(37939, 8660, 37939)
    assert found.input_rails == ("VIN",)


def test_two_readings_of_a_temperature_give_the_present_one() -> None:
    """The second is the highest so far."""
    assert read("RAM 8353/125749MB").temperatures_c["cpu"] == 58.25


@pytest.mark.parametrize(
    "line",
    ["", "\n", "tegrastats: not found", "CPU [1%@2]", "RAM 1/", "RAM x/yMB", "RAM 1/2MB" * 2000],
)
def test_what_is_no_line_of_tegrastats_is_none(line: str) -> None:
    """A shell's message, half a line, or far too long a one."""
    assert parse_line(line) is None


@pytest.mark.parametrize("cores", ["5%@", "on", "5%@12,", "%@12", "5@12", "1000%@3"])
def test_cores_of_an_unknown_form_are_none_and_cost_nothing_else(cores: str) -> None:
    """Half of the cores would be taken for all of them."""
    found = parse_line(f"RAM 1/2MB CPU [{cores}] GR3D_FREQ 3%@7 VDD_IN 5/6")
    assert found is not None
    assert found.cores is None
    assert (found.gpu_load_percent, found.gpu_mhz, found.input_mw) == (3, (7,), 5)


@given(st.text())
def test_no_text_is_a_reason_to_fail(text: str) -> None:
    """Whatever a terminal mixes into the lines."""
    assert parse_line(text) is None or "RAM" in text
    found = parse_line("RAM 1/2MB " + text)
    assert found is not None
    assert found.ram_total_bytes == 2 * MIB


@given(st.sampled_from(LINES), st.integers(0, 700), st.integers(0, 30), st.text(max_size=10))
def test_no_damage_to_a_line_is_a_reason_to_fail(line: str, at: int, cut: int, put: str) -> None:
    """Some characters are cut out of a recorded line and others put there."""
    found = parse_line(line[:at] + put + line[at + cut :])
    if found is not None:
        assert all(core is None or core.load_percent >= 0 for core in found.cores or ())
        assert all(rail.now_mw >= 0 for rail in found.rails.values())
        assert found.input_mw is None or found.input_rails is not None
