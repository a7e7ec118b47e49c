"""How many threads to train with: a short measurement instead of a guess.

A small network's step is a few milliseconds, so threads wait for each other most of the time. On an
idle machine two threads win; beside a busy neighbour the same two spin at barriers and are many
times slower than one. Only a measurement on the spot tells.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from edgenet.runner.timing import now_ns

_ROUNDS = 5
_ROUND_NS = 30_000_000


@dataclass(frozen=True, kw_only=True)
class ThreadProbe:
    """What the probe saw.

    Attributes:
        threads: The number to use.
        step_ms: Median milliseconds of one training step, by number of threads.
    """

    threads: int
    step_ms: dict[int, float]

    def describe(self) -> str:
        """Return one line that says what was chosen and why."""
        seen = ", ".join(f"{count}: {ms:.2f} ms" for count, ms in self.step_ms.items())
        return f"{self.threads} (probe of a step with {seen})"


def choose_threads(step: Callable[[], object], *, processes: int = 1) -> ThreadProbe:
    """Time ``step`` with 1, 2, 4 … threads in turn and choose the fastest.

    Takes about half a second. The number of threads is left as it was.

    Args:
        step: One training step; called many times, so it must not touch the run that follows.
        processes: How many train on this machine at once, and share its cores.
    """
    before = torch.get_num_threads()
    samples: dict[int, list[float]] = {count: [] for count in candidates(processes)}
    try:
        for round_number in range(_ROUNDS + 1):
            for count, times in samples.items():
                torch.set_num_threads(count)
                times.append(_round_ms(step))
                if round_number == 0:
                    times.clear()
    finally:
        torch.set_num_threads(before)
    medians = {count: statistics.median(times) for count, times in samples.items()}
    return ThreadProbe(threads=min(medians, key=lambda count: medians[count]), step_ms=medians)


def candidates(processes: int = 1) -> list[int]:
    """Return the numbers of threads worth trying: powers of two up to this process's cores.

    Args:
        processes: How many share the cores; each tries one thread at least.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    share = max(1, cores // processes)
    powers = [1 << exponent for exponent in range(share.bit_length())]
    return [count for count in powers if count <= share]


def _round_ms(step: Callable[[], object]) -> float:
    """Return milliseconds a step over one round of a few steps."""
    started = now_ns()
    count = 0
    while True:
        step()
        count += 1
        elapsed = now_ns() - started
        if elapsed >= _ROUND_NS:
            return elapsed / count / 1e6
