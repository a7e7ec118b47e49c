"""The clocks, and the loop that reads them.

Every duration that edgenet publishes of an inference is taken here. The loop is MLPerf's
single-stream scenario: one query at a time, the next issued when the last is done. Each query is
split at the seams that a user can act on: ``bind`` (the input copied in), ``execute`` (the model
alone) and ``fetch`` (the output read). Samples are whole nanoseconds, every one is kept, in order.

The host's clock times every runtime. Where a session's work runs on a GPU, ``execute`` returns when
the GPU has done it, so that its part of the host's time holds the wait. A runtime that declares
the clock ``cuda-event`` has, beside that, the GPU's own time of each query: its sessions have
``gpu_ns()``, the time between two events around the model in the stream, read between queries.

Source: MLPerf Inference rules, single-stream scenario (Reddi et al. 2020, arXiv:1911.02549).
"""

import array
import contextlib
import gc
import itertools
import time
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

Clock = Callable[[], int]

HOST = "host"
CUDA_EVENT = "cuda-event"

WARM_UP_BLOCKS = 2  # blocks compared for steadiness within the asked-for warm-up
MOST_WARM_UP = 4  # times the asked-for warm-up, where the model does not become steady
STEADY_WITHIN = 0.05  # of the median, between one block and the next
_NS_PER_S = 1000000000
_OVERHEAD_QUERIES = 1000


def _nanoseconds_from_seconds() -> int:
    """Read the same clock on Python 3.6, where only its seconds are to be had.

    A double holds the seconds of an uptime of 97 days to a nanosecond.
    """
    return int(time.perf_counter() * 1e9)


now_ns: Clock = getattr(time, "perf_counter_ns", _nanoseconds_from_seconds)
"""Nanoseconds of a monotonic clock, on Linux the same for all processes (CLOCK_MONOTONIC)."""


class Query(NamedTuple):
    """How long to run: until both the duration and the number of queries are reached."""

    min_duration_s: float
    min_queries: int


class WarmUp(NamedTuple):
    """What was run before measuring.

    Attributes:
        samples: int64 [n, 3] nanoseconds, as `run_queries` gives.
        steady: The last two blocks agreed; if not, the limit ended the warm-up.
        block_p50_ns: The median of each block, in order.
    """

    samples: np.ndarray
    steady: bool
    block_p50_ns: List[float]


class ClockQuality(NamedTuple):
    """What measuring itself adds, found by timing a session that does nothing.

    Attributes:
        resolution_ns: The smallest step seen between two different readings.
        overhead_ns: The median of bind, execute and fetch of the empty session.
    """

    resolution_ns: int
    overhead_ns: List[float]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Python's garbage collector from running within the block, after one full collection."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def run_queries(
    session: Any,
    batches: Sequence[np.ndarray],
    query: Query,
    clock: Clock = now_ns,
    gpu_samples: Optional["array.array[int]"] = None,
) -> np.ndarray:
    """Issue queries one after the other, each with the next of the inputs.

    Args:
        session: A runtime's session.
        batches: Inputs uint8 [N, C, H, W], taken in turn, again from the first after the last.
        query: When to stop; one query is issued at least.
        clock: Nanoseconds, monotonic.
        gpu_samples: Of type ``q``; is given the GPU's nanoseconds of each query, in order, which
            the session must offer. By default they are not read.

    Returns:
        int64 [n, 3] nanoseconds of bind, execute and fetch, in the order of the queries.
    """
    bind, execute, fetch = session.bind, session.execute, session.fetch
    samples = array.array("q")
    append = samples.append
    min_queries = query.min_queries
    deadline = clock() + int(query.min_duration_s * _NS_PER_S)
    for queries, images in enumerate(itertools.cycle(batches), start=1):
        started = clock()
        bind(images)
        bound = clock()
        execute()
        executed = clock()
        fetch()
        fetched = clock()
        append(bound - started)
        append(executed - bound)
        append(fetched - executed)
        if gpu_samples is not None:
            gpu_samples.append(session.gpu_ns())
        if fetched >= deadline and queries >= min_queries:
            break
    return np.array(samples, np.int64).reshape(-1, 3)


def run_stages(
    stages: Sequence[Callable[[Any], Any]],
    inputs: Sequence[Any],
    query: Query,
    clock: Clock = now_ns,
) -> np.ndarray:
    """Issue queries that go through stages, each with what the one before it returned.

    Args:
        stages: One at least; the first gets an input.
        inputs: Taken in turn, again from the first after the last.
        query: When to stop; one query is issued at least.
        clock: Nanoseconds, monotonic.

    Returns:
        int64 [n, stages] nanoseconds of each stage, in the order of the queries.
    """
    samples = array.array("q")
    append = samples.append
    deadline = clock() + int(query.min_duration_s * _NS_PER_S)
    for queries, given in enumerate(itertools.cycle(inputs), start=1):
        value = given
        before = clock()
        for stage in stages:
            value = stage(value)
            after = clock()
            append(after - before)
            before = after
        if before >= deadline and queries >= query.min_queries:
            break
    return np.array(samples, np.int64).reshape(-1, len(stages))


def warm_up(
    session: Any, batches: Sequence[np.ndarray], duration_s: float, clock: Clock = now_ns
) -> WarmUp:
    """Run a session's queries until they take as long as before; see `settle`."""
    return settle(lambda block: run_queries(session, batches, block, clock), duration_s)


def settle(run: Callable[[Query], np.ndarray], duration_s: float) -> WarmUp:
    """Run until two blocks of queries in a row have the same median, within 5 %.

    The asked-for duration is run as two blocks; more follow until the last two agree, at most
    four times the asked-for duration in all.

    Args:
        run: Runs queries and returns the nanoseconds of their parts, int64 [n, parts].
        duration_s: Of the first two blocks.
    """
    block = Query(duration_s / WARM_UP_BLOCKS, 2)
    blocks: List[np.ndarray] = []
    medians: List[float] = []
    steady = False
    while not steady and len(blocks) < WARM_UP_BLOCKS * MOST_WARM_UP:
        blocks.append(run(block))
        medians.append(float(np.median(blocks[-1].sum(axis=1))))
        steady = len(medians) >= WARM_UP_BLOCKS and (
            abs(medians[-1] - medians[-2]) <= STEADY_WITHIN * medians[-2]
        )
    return WarmUp(np.concatenate(blocks), steady, medians)


def clock_quality(clock: Clock = now_ns) -> ClockQuality:
    """Measure the clock's resolution and what the loop adds to each part of a query."""
    readings = np.array([clock() for _ in range(_OVERHEAD_QUERIES)], np.int64)
    steps = np.diff(readings)
    steps = steps[steps > 0]
    empty = run_queries(
        _EmptySession(), [np.empty(0, np.uint8)], Query(0, _OVERHEAD_QUERIES), clock
    )
    return ClockQuality(
        resolution_ns=int(steps.min()) if len(steps) else 0,
        overhead_ns=[float(part) for part in np.median(empty, axis=0)],
    )


class _EmptySession:
    """A session that does nothing, to time the loop itself."""

    def bind(self, images: np.ndarray) -> None:
        """Take the input."""

    def execute(self) -> None:
        """Do nothing."""

    def fetch(self) -> None:
        """Give nothing."""
