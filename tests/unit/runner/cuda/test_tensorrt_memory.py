"""What an engine's session takes of the GPU's and the host's memory, and that it gives it back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import EdgenetError
from edgenet.runner.bundle import open_bundle
from edgenet.runner.memory import read_memory
from edgenet.runner.runtimes import tensorrt as runtime
from tests.bundles import SHAPE, pictures
from tests.unit.runner.cuda.bundles import write_engine_bundle

Install = Callable[[str], Any]

KINDS = 4  # that the stand-in for libcudart counts: device, page-locked, streams, events


def _session(path: Path, device: str = "cuda") -> Any:
    return runtime.open_session(open_bundle(path), 1, device)


@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_10000_runs_leave_nothing_behind(
    tmp_path: Path, tensorrt: Install, cudart: Any, version: str
) -> None:
    """Neither on the device nor on the host; batch sizes change in between."""
    tensorrt(version)
    session = _session(write_engine_bundle(tmp_path / "bundle", version))
    batches = [pictures(n, seed=n) for n in (1, 1, 1, 1, 2)]
    for images in itertools.islice(itertools.cycle(batches), 1000):
        session.run(images)
    held = [cudart.fake_live(kind) for kind in range(KINDS)]
    resident = read_memory().resident_bytes
    for images in itertools.islice(itertools.cycle(batches), 10_000):
        session.run(images)
    assert [cudart.fake_live(kind) for kind in range(KINDS)] == held == [4, 2, 1, 2]
    grown = (read_memory().resident_bytes or 0) - (resident or 0)
    # The least that could leak is a batch's pictures: 120 bytes a run, 1.2 MB in all.
    assert grown < 10_000 * int(np.prod(SHAPE)) * 4
    session.close()
    session.close()
    assert cudart.fake_live_all() == 0


def _error_of_one_run(bundle: Path) -> EdgenetError | None:
    """Load, run and close."""
    session = None
    try:
        session = _session(bundle)
        session.run(pictures(2))
    except EdgenetError as error:
        return error
    finally:
        if session is not None:
            session.close()
    return None


@pytest.mark.parametrize("version", ["8.2", "10.3", "11.4"])
def test_too_little_memory_at_any_allocation_leaves_nothing_behind(
    tmp_path: Path, tensorrt: Install, cudart: Any, version: str
) -> None:
    """Engine, context, stream, two events, and the four buffers: one after the other fails."""
    tensorrt(version)
    bundle = write_engine_bundle(tmp_path / "bundle", version)
    errors = []
    for number in itertools.count():
        cudart.fake_fail_allocation(number)
        error = _error_of_one_run(bundle)
        assert cudart.fake_live_all() == 0
        if error is None:
            break
        errors.append(error)
    messages = [error.message for error in errors]
    assert all("out of memory" in message for message in messages)
    assert all("free GPU memory" in str(error.hint) for error in errors)
    assert {error.exit_code for error in errors} == {1}
    assert len(messages) == 9
    assert "too little free memory" in messages[0]
    assert "cannot be prepared" in messages[1]
    assert "cudaMallocHost of 240 bytes" in messages[5]
    assert "cudaMalloc of 24 bytes" in messages[8]


def test_a_batch_for_which_there_is_no_memory_does_not_end_the_session(
    tmp_path: Path, tensorrt: Install, cudart: Any
) -> None:
    """A smaller one runs after it; nothing runs on what could not be bound."""
    tensorrt("10.3")
    session = _session(write_engine_bundle(tmp_path / "bundle", "10.3"))
    expected = session.run(pictures(2))
    cudart.fake_fail_allocation(2)
    with pytest.raises(EdgenetError, match="out of memory"):
        session.bind(pictures(64))
    assert [cudart.fake_live(kind) for kind in range(KINDS)] == [2, 0, 1, 2]  # no buffers are held
    with pytest.raises(EdgenetError, match="no pictures are bound"):
        session.execute()
    assert np.array_equal(session.run(pictures(2)), expected)
    session.close()


def test_a_sessions_memory_is_told_with_what_was_free_before(
    tmp_path: Path, tensorrt: Install
) -> None:
    """Engine and context of the stand-in take 12 KiB."""
    tensorrt("10.3")
    session = _session(write_engine_bundle(tmp_path / "bundle", "10.3"))
    told = session.gpu_memory()
    assert told.total_bytes == told.free_before_bytes == 4 << 30
    assert told.free_before_bytes - told.free_bytes == 12 << 10
    session.close()


def test_a_fault_of_the_device_is_the_error_that_is_raised(
    tmp_path: Path, tensorrt: Install, cudart: Any
) -> None:
    """Not its echo from closing, which gives back what it can."""
    tensorrt("10.3")
    session = _session(write_engine_bundle(tmp_path / "bundle", "10.3"))
    session.bind(pictures(1))
    cudart.fake_fault(700)
    with pytest.raises(EdgenetError, match="cudaErrorIllegalAddress"):
        session.execute()
    session.close()
    assert cudart.fake_live_all() == 0
