"""What the builder of engines makes of the ways in which its process ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgenet.launch import engines
from edgenet.launch.engines import build_engines
from edgenet.launch.outcome import Ending, Event, Outcome

_BUILT: Event = {
    "event": "built",
    "version": "10.3.0",
    "errors": [],
    "warnings": [],
    "flags": [],
    "engine_bytes": 1,
    "multiplications": [],
    "layers": {},
    "timing_cache": "none",
    "seconds": 0.1,
}


def _answers(monkeypatch: pytest.MonkeyPatch, *built: int) -> None:
    """Let each process say that it started, build so many files, and crash."""
    left = list(built)

    def run(*_: Any, **__: Any) -> Outcome:
        events: list[Event] = [{"event": "started"}, *[_BUILT] * left.pop(0)]
        return Outcome(ending=Ending.CRASH, reason="it crashed: SIGSEGV", events=tuple(events))

    monkeypatch.setattr(engines, "run_command", run)


@pytest.mark.parametrize(
    ("built", "sizes"),
    [((2,), [1, 1]), ((1,), [1, 0]), ((0, 1), [0, 1]), ((0, 0), [0, 0])],
    ids=["after the last", "at the last", "at the first", "at both"],
)
def test_every_file_has_one_outcome_wherever_the_process_crashes(
    monkeypatch: pytest.MonkeyPatch, built: tuple[int, ...], sizes: list[int]
) -> None:
    """A library that crashes on its way out has built what it built, and nothing more."""
    _answers(monkeypatch, *built)
    found = build_engines("tensorrt", [Path("a.onnx"), Path("b.onnx")])
    assert [engine.engine_bytes for engine in found] == sizes
