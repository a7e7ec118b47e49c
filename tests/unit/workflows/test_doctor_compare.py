"""Machines beside targets' rows: the best row, and where a machine differs from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgenet.runner.jetson import read_board
from edgenet.targets import TABLE
from edgenet.workflows.doctor_compare import Row, compare
from edgenet.workflows.doctor_machine import Gpu, Machine
from edgenet.workflows.doctor_match import is_machine_of, matching_target
from tests.machines import BOARDS, board, machine, packages, write_board

GPU = Gpu(reason=None, compute_capability=(8, 9), driver="12.6", memory_bytes=8 << 30)
NANO = {
    "var/lib/nvpmodel/status": "pmode:0001\n",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=5W >\n",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.8.2.1": "",
}


def nano(tmp_path: Path, **changes: Any) -> Machine:
    """Return a Jetson Nano whose command runs under a Python of its own."""
    found = board(tmp_path, "jetson-nano", NANO)
    fields: dict[str, Any] = {
        "board": found,
        "gpu": Gpu(reason=None, compute_capability=(5, 3), driver="10.2", memory_bytes=4 << 30),
        "glibc": (2, 27),
        "system_python": "3.6",
        "system_tensorrt": True,
        "packages": packages({"onnxruntime": "1.19.2"}),
        **changes,
    }
    fields["libraries"] = machine().libraries._replace(tensorrt=found.tensorrt)
    return machine(
        "aarch64", isa=("asimd",), governor="schedutil", memory_bytes=4059252 << 10, **fields
    )


def rows(target: str, of: Machine) -> dict[str, Row]:
    """Return the rows of a comparison by their facts."""
    found = compare(TABLE[target], of)
    assert len({row.fact for row in found}) == len(found)
    return {row.fact: row for row in found}


@pytest.mark.parametrize("recorded", BOARDS, ids=lambda recorded: recorded["name"])
def test_a_recorded_board_is_matched_with_its_row(tmp_path: Path, recorded: dict[str, str]) -> None:
    """Orin Nano and AGX Orin have one processor: the module tells them apart."""
    found = read_board(write_board(tmp_path, recorded))
    assert found is not None
    here = machine("aarch64", isa=("asimd", "asimddp"), told=found.model, board=found)
    assert matching_target(here).name == recorded["target"]
    assert is_machine_of(TABLE[recorded["target"]], here)
    assert is_machine_of(TABLE["arm64"], here)
    assert not is_machine_of(TABLE["raspberry-pi-4"], here)


@pytest.mark.parametrize(
    ("here", "name"),
    [
        (machine(), "x86-64-avx2"),
        (machine(isa=()), "cpu"),
        (machine(isa=("avx2", "avx512_vnni")), "x86-64-vnni"),
        (machine(isa=("avx2", "avx_vnni")), "x86-64-vnni"),
        (machine(gpu=GPU), "cuda"),
        (machine("aarch64", isa=("asimd",)), "arm64"),
        (machine("aarch64", told="Raspberry Pi 4 Model B Rev 1.4"), "raspberry-pi-4"),
        (machine("aarch64", told="Raspberry Pi Compute Module 4 Rev 1.0"), "raspberry-pi-4"),
        (machine("aarch64", told="Raspberry Pi 3 Model B Plus Rev 1.3"), "arm64"),
        (machine("aarch64", told="Raspberry Pi 5 Model B Rev 1.0"), "raspberry-pi-5"),
        (machine("aarch64", told="Raspberry Pi 400 Rev 1.0"), "raspberry-pi-4"),
        (machine("riscv64", isa=()), "cpu"),
    ],
)
def test_a_machine_without_a_jetsons_files_is_matched_by_gpu_and_processor(
    here: Machine, name: str
) -> None:
    """VNNI goes before AVX2, and a GPU that is usable before both."""
    assert matching_target(here).name == name
    assert is_machine_of(TABLE[name], here)


def test_a_board_of_an_unknown_processor_is_any_arm_board(tmp_path: Path) -> None:
    """Its GPU cannot be promised anything."""
    found = board(tmp_path, "jetson-nano")._replace(soc="tegra999")
    assert matching_target(machine("aarch64", isa=("asimd",), board=found)).name == "arm64"


def test_a_whole_machine_differs_in_nothing() -> None:
    """And gets no advice."""
    for name in ("x86-64-avx2", "cpu"):
        found = compare(TABLE[name], machine(packages=packages({"onnxruntime": "1.31.1"})))
        assert {row.status for row in found} == {"ok"}
        assert not [row.advice for row in found if row.advice]


def test_a_jetson_nano_is_compared_row_by_row(tmp_path: Path) -> None:
    """What is newer is as good; the power mode and the clocks are for measuring."""
    found = rows("jetson-nano", nano(tmp_path))
    differing = {fact for fact, row in found.items() if row.status == "differs"}
    assert differing == {"power mode"}
    assert found["JetPack"].here == "4.6.1 (L4T 32.7.1)"
    assert (found["TensorRT"].here, found["onnxruntime"].here) == ("8.2.1", "1.19.2")
    assert found["memory"].here == "3,964 MiB"
    assert found["power mode"].here == "5W"
    assert "nvpmodel -m 0" in str(found["power mode"].advice)
    assert found["jetson_clocks"].status == "not told"
    assert "--interpreter /usr/bin/python3" in str(found["TensorRT's Python module"].advice)


@pytest.mark.parametrize(
    ("changes", "fact", "here"),
    [
        ({"glibc": (2, 26)}, "glibc", "2.26"),
        ({"system_python": "3.8"}, "system Python", "3.8"),
        ({"memory_available_bytes": 1 << 20}, "free memory", "1 MiB"),
        ({"gpu": Gpu(reason="no driver")}, "GPU", "not usable: no driver, compute capability 5.3"),
        ({"packages": packages({"onnxruntime": "1.9.1"})}, "onnxruntime", "1.9.1"),
        ({"packages": packages({"onnxruntime": None})}, "onnxruntime", "not installed"),
        (
            {"onnxruntime_fault": "SIGILL ended the process"},
            "onnxruntime",
            "9.9.9 cannot be loaded: SIGILL ended the process",
        ),
        ({"system_tensorrt": False}, "TensorRT's Python module", "no Python has it"),
    ],
)
def test_what_is_less_than_the_row_differs(
    tmp_path: Path, changes: dict[str, Any], fact: str, here: str
) -> None:
    """With what is here."""
    if "onnxruntime_fault" in changes:
        changes = {**changes, "packages": packages()}
    row = rows("jetson-nano", nano(tmp_path, **changes))[fact]
    assert (row.status, row.here) == ("differs", here)


def test_a_jetpack_outside_of_the_rows_releases_differs(tmp_path: Path) -> None:
    """An AGX Orin with JetPack 5 has another TensorRT and another Python."""
    found = board(tmp_path, "jetson-orin")
    assert found.jetpack == "5.1.2"
    here = machine("aarch64", isa=("asimd", "asimddp"), board=found)
    assert rows("jetson-orin", here)["JetPack"].status == "differs"
    newer = machine("aarch64", isa=("asimd",), board=found._replace(l4t="36.9.9", jetpack=None))
    row = rows("jetson-orin", newer)["JetPack"]
    assert (row.status, row.here) == ("ok", "not known (L4T 36.9.9)")


@pytest.mark.parametrize(
    ("held", "status", "advised"), [(True, "ok", False), (False, "differs", True)]
)
def test_a_jetsons_clocks_are_held_by_jetson_clocks(
    tmp_path: Path, held: bool, status: str, advised: bool
) -> None:
    """It holds them whatever the governor would do, so that is not asked."""
    found = nano(tmp_path).board
    assert found is not None
    facts = rows("jetson-nano", nano(tmp_path, board=found._replace(jetson_clocks=held)))
    assert facts["jetson_clocks"].status == status
    assert (facts["jetson_clocks"].advice is not None) == advised
    assert "CPU governor" not in facts


@pytest.mark.parametrize(
    ("governor", "status"), [("performance", "ok"), ("schedutil", "differs"), (None, "not told")]
)
def test_a_governor_that_changes_clocks_differs(governor: str | None, status: str) -> None:
    """A virtual machine tells none."""
    row = rows("x86-64-avx2", machine(governor=governor))["CPU governor"]
    assert (row.status, row.advice is not None) == (status, status == "differs")


def test_another_machines_row_gets_no_advice_for_this_one() -> None:
    """Nobody installs JetPack on a desktop."""
    here = machine()
    found = rows("jetson-nano", here)
    assert not is_machine_of(TABLE["jetson-nano"], here)
    assert found["processor"].status == found["system on chip"].status == "differs"
    assert found["JetPack"].here == "this is no Jetson"
    assert not [row.advice for row in found.values() if row.advice]
    assert "CPU governor" not in found


@pytest.mark.parametrize(
    ("name", "release", "status"),
    [
        ("jetson-nano", "32.7.1", "ok"),
        ("jetson-nano", "32.6.1", "differs"),
        ("jetson-xavier", "35.4.1", "ok"),
        ("jetson-orin", "36.4.3", "ok"),
        ("jetson-orin", "39.2.0", "ok"),
        ("jetson-orin", "39.1.0", "differs"),
        ("jetson-thor", "38.2.2", "ok"),
    ],
)
def test_a_release_of_l4t_is_one_of_the_targets_branches(
    tmp_path: Path, name: str, release: str, status: str
) -> None:
    """32.7 is every 32.7.x, and not 32.70."""
    there = board(tmp_path, "jetson-nano")._replace(l4t=release)
    found = {row.fact: row for row in compare(TABLE[name], machine(board=there))}
    assert found["JetPack"].status == status


def test_every_jetpack_of_the_table_has_its_branches_of_l4t() -> None:
    """Else every board would differ from it."""
    assert all(bool(row.jetpack) is bool(row.l4t) for row in TABLE.values())
