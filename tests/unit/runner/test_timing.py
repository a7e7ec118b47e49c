"""The measuring loop, on a clock that only the session under test moves."""

from __future__ import annotations

import array
import gc
import sys
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from edgenet.runner import timing
from edgenet.runner.timing import (
    Query,
    clock_quality,
    quiet,
    run_queries,
    run_stages,
    warm_up,
)

MS = 1_000_000


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ns = 1000

    def __call__(self) -> int:
        """Return the time in nanoseconds."""
        return self.ns


class Session:
    """Takes 1, ``execute_ns`` and 3 ns; ``execute_ns`` may change from query to query."""

    def __init__(self, clock: Clock, execute_ns: list[int]) -> None:
        self.clock = clock
        self.execute_ns = execute_ns
        self.seen: list[int] = []

    def bind(self, images: NDArray[np.uint8]) -> None:
        """Take 1 ns."""
        self.seen.append(int(images.flat[0]))
        self.clock.ns += 1

    def execute(self) -> None:
        """Take as long as the list says; its last value goes on."""
        position = min(len(self.seen), len(self.execute_ns)) - 1
        self.clock.ns += self.execute_ns[position]

    def fetch(self) -> None:
        """Take 3 ns."""
        self.clock.ns += 3


def _batches(count: int) -> list[NDArray[np.uint8]]:
    return [np.full((1, 1), number, np.uint8) for number in range(count)]


def test_every_query_is_kept_in_order_and_split_into_its_three_parts() -> None:
    """Nothing is averaged, rounded or trimmed while measuring."""
    clock = Clock()
    samples = run_queries(Session(clock, [10, 500, 20]), _batches(1), Query(0, 3), clock)
    assert samples.dtype == np.int64
    assert samples.tolist() == [[1, 10, 3], [1, 500, 3], [1, 20, 3]]


def test_the_gpus_time_of_each_query_is_read_between_the_queries() -> None:
    """Reading it takes time, which is in no part of any query."""

    class OnGpu(Session):
        """Took half of ``execute`` on the GPU; telling so takes a second."""

        def gpu_ns(self) -> int:
            self.clock.ns += 1000 * MS
            return self.execute_ns[len(self.seen) - 1] // 2

    clock = Clock()
    gpu_samples = array.array("q")
    session = OnGpu(clock, [10, 500, 20])
    samples = run_queries(session, _batches(1), Query(0, 3), clock, gpu_samples)
    assert samples.tolist() == [[1, 10, 3], [1, 500, 3], [1, 20, 3]]
    assert gpu_samples.tolist() == [5, 250, 10]


def test_the_loop_runs_until_both_the_duration_and_the_number_of_queries_are_reached() -> None:
    """A fast model gets its duration, a slow one its queries."""
    clock = Clock()
    fast = run_queries(Session(clock, [MS - 4]), _batches(1), Query(0.010, 3), clock)
    slow = run_queries(Session(clock, [MS - 4]), _batches(1), Query(0.010, 50), clock)
    assert (len(fast), len(slow)) == (10, 50)


def test_the_inputs_are_taken_in_turn() -> None:
    """One picture again and again would stay in the cache."""
    clock = Clock()
    session = Session(clock, [1])
    run_queries(session, _batches(3), Query(0, 7), clock)
    assert session.seen == [0, 1, 2, 0, 1, 2, 0]


def test_warming_up_ends_when_two_blocks_agree() -> None:
    """The samples of the warm-up are kept, too."""
    clock = Clock()
    warm = warm_up(Session(clock, [MS]), _batches(2), 0.1, clock)
    assert warm.steady
    assert len(warm.block_p50_ns) == 2
    assert len(warm.samples) == pytest.approx(100, abs=2)


def test_warming_up_goes_on_while_the_model_still_gets_faster() -> None:
    """The first block is slow, the next two agree."""
    clock = Clock()
    warm = warm_up(Session(clock, [10 * MS] * 5 + [MS]), _batches(2), 0.1, clock)
    assert warm.steady
    assert len(warm.block_p50_ns) == 3


def test_warming_up_has_an_end_even_if_the_model_never_becomes_steady() -> None:
    """Four times what was asked for; the samples say that it was not steady."""
    clock = Clock()
    ever_slower = [MS * (2 + number) for number in range(10_000)]
    warm = warm_up(Session(clock, ever_slower), _batches(2), 0.1, clock)
    assert not warm.steady
    assert len(warm.block_p50_ns) == 8


def test_the_garbage_collector_rests_while_measuring_and_is_put_back() -> None:
    """Also when the block raises."""
    inside = []

    def measure() -> None:
        with quiet():
            inside.append(gc.isenabled())
            raise KeyError

    with pytest.raises(KeyError):
        measure()
    assert inside == [False]
    assert gc.isenabled()
    gc.disable()
    try:
        with quiet():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_clock_is_the_one_that_all_processes_share() -> None:
    """A launcher's reading is subtracted from the runner's."""
    if sys.platform == "linux":
        assert abs(timing.now_ns() - time.monotonic_ns()) < 10**9


def test_the_clock_for_python_3_6_counts_the_same_nanoseconds() -> None:
    """It has no perf_counter_ns."""
    before = time.perf_counter_ns()
    between = timing._nanoseconds_from_seconds()
    assert before - 1000 <= between <= time.perf_counter_ns() + 1000


def test_the_clocks_resolution_and_the_loops_overhead_are_measured() -> None:
    """On any machine reading a clock costs something, and less than 100 µs."""
    quality = clock_quality()
    assert 0 < quality.resolution_ns < 100_000
    assert len(quality.overhead_ns) == 3
    assert all(0 <= part < 100_000 for part in quality.overhead_ns)


def test_stages_hand_their_values_on_and_each_is_timed() -> None:
    """Inputs in turn, until the time is up and the queries are enough."""
    clock = Clock()
    seen: list[int] = []

    def add(value: int) -> int:
        clock.ns += 5
        return value + 10

    def keep(value: int) -> None:
        clock.ns += 7
        seen.append(value)

    samples = run_stages([add, keep], [1, 2], Query(30e-9, 2), clock)
    assert seen == [11, 12, 11]
    assert samples.tolist() == [[5, 7]] * 3
    assert run_stages([keep], [1], Query(0, 4), clock).shape == (4, 1)
