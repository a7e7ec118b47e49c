"""Which processors a measurement is pinned to, on machines that a test invents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgenet.runner.affinity import choose, pin


def _machine(folder: Path, siblings: dict[int, str], capacities: dict[int, int]) -> Path:
    for number, text in siblings.items():
        place = folder / f"cpu{number}"
        (place / "topology").mkdir(parents=True)
        (place / "topology" / "thread_siblings_list").write_text(text + "\n")
        if number in capacities:
            (place / "cpu_capacity").write_text(f"{capacities[number]}\n")
    return folder


def test_threads_get_a_physical_core_each_from_the_top(tmp_path: Path) -> None:
    """The lowest are left to the system; two hardware threads of one core are never both taken."""
    cpus = _machine(tmp_path, {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, {})
    assert choose(range(4), 1, cpus) == [1]
    assert choose(range(4), 2, cpus) == [0, 1]
    assert choose(range(4), 3, cpus) is None
    assert choose([0, 2], 2, cpus) is None


def test_the_fast_cores_are_taken_first(tmp_path: Path) -> None:
    """Of a processor with cores of two kinds."""
    siblings = {number: str(number) for number in range(4)}
    cpus = _machine(tmp_path, siblings, {0: 1024, 1: 1024, 2: 400, 3: 400})
    assert choose(range(4), 1, cpus) == [1]
    assert choose(range(4), 3, cpus) == [0, 1, 3]


def test_one_socket_is_filled_before_the_next(tmp_path: Path) -> None:
    """Some servers number their cores in turn over both sockets, with the memory between them."""
    cpus = _machine(tmp_path, {number: str(number) for number in range(6)}, {})
    for number in range(6):
        place = cpus / f"cpu{number}" / "topology" / "physical_package_id"
        place.write_text(f"{number % 2}\n")
    assert choose(range(6), 2, cpus) == [3, 5]
    assert choose(range(6), 4, cpus) == [1, 3, 4, 5]
    assert choose([0, 1, 2], 2, cpus) == [0, 2]


def test_a_machine_that_tells_nothing_of_its_cores_has_one_each(tmp_path: Path) -> None:
    """As in some containers."""
    assert choose([4, 7], 1, tmp_path) == [7]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone pins processes")
def test_a_process_is_pinned_or_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may forbid it; then it is measured unpinned."""
    pinned: list[object] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, cores: pinned.append(cores))
    assert pin(1, tmp_path) == ([1], None)
    assert pinned == [[1]]
    cores, reason = pin(3, tmp_path)
    assert cores is None
    assert reason == "3 threads have no physical core each: 2 processors may be used"

    def refuse(process: int, cores: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert pin(1, tmp_path) == (
        None,
        "the system refuses to pin the process: Operation not permitted",
    )
    monkeypatch.delattr(os, "sched_setaffinity")
    assert pin(1, tmp_path) == (None, "this system does not pin processes")
