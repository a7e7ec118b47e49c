"""What ``compare`` is asked to do, checked as far as it can be without looking at any file."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError
from edgenet.runner.job import MAX_SCENARIOS, MAX_THREADS
from edgenet.runner.manifest import MAX_BATCH
from edgenet.runner.runtimes import entry, kind
from edgenet.workflows.bench_arguments import MOST_PROCESSES

ROUNDS = 12
"""Of 12 rounds two may be spoiled, and their median has an interval of 96.1 %."""

_LONGEST_S = 3600.0
_OF_MEASURING = {
    "rounds": "--rounds",
    "runtime": "--runtime",
    "threads": "--threads",
    "device": "--device",
    "batches": "--batch",
    "duration_s": "--duration",
    "warmup_s": "--warmup",
    "accuracy": "--no-accuracy",
    "data": "--data",
    "split_seed": "--split-seed",
    "interpreter": "--interpreter",
}


@dataclass(frozen=True, kw_only=True)
class CompareArguments:
    """What to compare, and how.

    Two results of ``bench`` are compared as they are. Two bundles are measured now; a run stands
    for its only bundle.

    Attributes:
        a: What was there before: a bundle, a run, or a result (its folder or its ``result.json``).
        b: What is to be judged against it, of the same kind.
        fail_above: B's time over A's that is allowed; None allows any.
        allow_invalid: INVALID figures are judged like VALID ones, and are no reason to fail.
        across_machines: Compare the times of two results although their machines differ.
        rounds: Fresh processes of each, when they are measured now.
        runtime: What runs both; None takes the first that takes both.
        threads: CPU threads of the runtime.
        device: ``cpu``, ``cuda`` or ``cuda:N``; None takes the CPU wherever the runtime can.
        batches: Pictures a query; none takes 1, or the only batch of a bundle.
        duration_s: At least so long is measured in each process, at each batch size.
        warmup_s: So long is warmed up before; up to four times as long until it is steady.
        accuracy: Run the test pictures through both, too.
        data: Whose test pictures: None takes what a bundle or its run records.
        split_seed: Decides the splits of ``data``.
        interpreter: The Python of the measuring processes; None takes the one that runs this.
        output: New folder that keeps the result and every raw sample; None keeps none.

    Raises:
        UsageError: A value cannot be.
    """

    a: str | Path
    b: str | Path
    fail_above: float | None = None
    allow_invalid: bool = False
    across_machines: bool = False
    rounds: int = ROUNDS
    runtime: str | None = None
    threads: int = 1
    device: str | None = None
    batches: tuple[int, ...] = ()
    duration_s: float = 0.15
    warmup_s: float = 0.05
    accuracy: bool = True
    data: str | None = None
    split_seed: int | None = None
    interpreter: str | Path | None = None
    output: Path | None = None

    def __post_init__(self) -> None:
        if self.fail_above is not None and not 0 < self.fail_above < math.inf:
            message = f"--fail-above takes a ratio above 0, such as 1.05, not {self.fail_above}"
            raise UsageError(message)
        if self.runtime is not None:
            entry(self.runtime)
        if self.device is not None:
            kind(self.device)
        for name, value, most in (
            ("rounds", self.rounds, MOST_PROCESSES),
            ("threads", self.threads, MAX_THREADS),
            *(("a batch", batch, MAX_BATCH) for batch in self.batches),
        ):
            if not 1 <= value <= most:
                raise UsageError(f"{name} must be 1 to {most:,}, not {value}")
        if self.split_seed is not None and not 0 <= self.split_seed <= sys.maxsize:
            raise UsageError(f"split_seed must be 0 to {sys.maxsize:,}, not {self.split_seed}")
        if len(set(self.batches)) != len(self.batches) or len(self.batches) >= MAX_SCENARIOS:
            raise UsageError(f"batches are different numbers, fewer than {MAX_SCENARIOS}")
        for name in ("duration_s", "warmup_s"):
            value = getattr(self, name)
            if not 0 < value <= _LONGEST_S:
                raise UsageError(f"{name} must be more than 0 and at most {_LONGEST_S:g}")

    @property
    def of_measuring(self) -> tuple[str, ...]:
        """The options that were given and say how to measure, which two results have been."""
        return tuple(
            option
            for name, option in _OF_MEASURING.items()
            if getattr(self, name) != getattr(CompareArguments, name)
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        fields = {**vars(self), "batches": list(self.batches)}
        paths = ("a", "b", "interpreter", "output")
        return {
            **fields,
            **{name: None if fields[name] is None else str(fields[name]) for name in paths},
        }
