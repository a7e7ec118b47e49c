"""When a process has taken too much memory, told from a ``/proc`` that a test invents."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgenet.launch import memory
from edgenet.launch.memory import MemoryWatch

PAGE = os.sysconf("SC_PAGE_SIZE")


def _resident(proc: Path, pages: int, process_id: int = 7) -> None:
    (proc / str(process_id)).mkdir(exist_ok=True)
    (proc / str(process_id) / "statm").write_text(f"999999 {pages} 1 1 0 1 0\n")


def test_what_is_resident_counts_and_not_what_is_reserved(tmp_path: Path) -> None:
    """CUDA reserves more than a machine has."""
    watch = MemoryWatch(7, 100 * PAGE, tmp_path)
    _resident(tmp_path, 100)
    assert watch.excess() is None
    _resident(tmp_path, 101)
    assert watch.excess() is not None


def test_the_reason_has_both_figures(tmp_path: Path) -> None:
    """In MiB."""
    _resident(tmp_path, (3 << 20) // PAGE * 1024)
    watch = MemoryWatch(7, 2 << 30, tmp_path)
    assert watch.excess() == "it took 3,072 MiB of memory, 2,048 are allowed"


def test_without_a_limit_four_fifths_of_what_is_left_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that tells nothing has no limit; nor does a process that has just ended."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 100 * PAGE)
    watch = MemoryWatch(7, None, tmp_path)
    assert watch.excess() is None
    _resident(tmp_path, 80)
    assert watch.excess() is None
    _resident(tmp_path, 81)
    assert watch.excess() is not None
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    assert MemoryWatch(7, None, tmp_path).excess() is None


def test_what_a_process_starts_is_watched_too(tmp_path: Path) -> None:
    """`trtexec` takes the memory, not the process that runs it; a fork shares its pages."""
    watch = MemoryWatch(7, 100 * PAGE, tmp_path)
    for process_id, children in ((7, "8 9 "), (8, "10 "), (9, "")):
        _resident(tmp_path, 60, process_id)
        place = tmp_path / str(process_id) / "task" / str(process_id)
        place.mkdir(parents=True)
        (place / "children").write_text(children)
    assert watch.excess() is None
    _resident(tmp_path, 101, 10)
    assert watch.excess() is not None


def test_the_kernel_lists_the_children_of_a_process() -> None:
    """The real files are understood; a kernel without the list watches the process alone."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").exists()
    watch = MemoryWatch(os.getpid(), 1 << 50)
    with subprocess.Popen(["sleep", "9"]) as child:
        found = list(watch._with_its_children(str(os.getpid())))
        child.kill()
    assert (str(child.pid) in found) == listed
