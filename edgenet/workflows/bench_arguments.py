"""What ``bench`` is asked to do, checked as far as it can be without looking at any file."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.bench.plan import ALL
from edgenet.errors import UsageError, unknown_name
from edgenet.launch.local import DEFAULT_TIME_LIMIT_S
from edgenet.runner.job import MAX_SCENARIOS, MAX_THREADS, Scenario
from edgenet.runner.manifest import MAX_BATCH
from edgenet.runner.runtimes import TABLE, TIMERS, kind
from edgenet.runner.timing import MOST_WARM_UP
from edgenet.runner.trtexec_job import BUILD_LIMIT_S
from edgenet.statistics.tails import samples_needed
from edgenet.workflows.runs import check_name

BATCHED_SHARE = 0.4
"""What the other scenarios run, as a share of the duration at the least batch size."""

MOST_PROCESSES = 100
_LONGEST_S = 3600.0
_HEADLINE, _TAIL = 0.9, 0.99
_FEWEST_QUERIES = 40  # of one process, so that its halves can be compared


@dataclass(frozen=True, kw_only=True)
class BenchArguments:
    """What to measure, and for how long.

    Attributes:
        sources: Run folders, all of whose bundles are measured, and bundle folders.
        runtimes: The only runtimes to use, and programs that time themselves (``trtexec``); with
            none named, a bundle gets the first of the table that takes its format on the device.
            ``all`` alone stands for every runtime that can run a bundle here.
        threads: CPU threads of the runtime.
        device: ``cpu``, ``cuda`` or ``cuda:N``; None takes the CPU wherever a runtime can.
        allow_cpu_fallback: What a GPU's runtime does not take may run on the CPU; otherwise a
            network of which that is so is not measured.
        batches: Pictures a query; the least is the single-stream scenario of the row. A bundle of
            another fixed batch is measured at that one alone.
        duration_s: At least so long is measured at the least batch size, in each process; 40 % of
            it at each of the others, and from encoded pictures to classes.
        warmup_s: So long is warmed up before; up to four times as long until it is steady.
        processes: Fresh processes for each configuration.
        data: Whose test pictures are run and judged: ``mnist``, ``fashion-mnist`` or a folder; None
            takes the one that a bundle or its run records; without one no accuracy is measured, and
            the timed inputs are the bundle's golden ones.
        split_seed: Decides the splits of ``data``; None takes those that the bundle was exported
            with.
        interpreter: The Python of the measuring processes; None takes the one that runs this.
        time_limit_s: A process that takes longer is killed, and is a failure in its row; None
            allows five minutes more than what it is asked to run.
        memory_limit_bytes: A process that takes more is killed, and is a failure in its row; None
            allows four fifths of what the machine has left.
        project: Folder of all runs, for bundles that lie in no run or in several.
        name: Of the folder of results; None takes ``bench`` in a run, else the first bundle's name.
        exist_ok: Write into a folder of that name that is there; else the name gets a number.
        report: Write the results as a page, as Markdown and as CSV, too, as the command line does
            unless told otherwise; :func:`edgenet.workflows.report` does it later.

    Raises:
        UsageError: A value cannot be.
    """

    sources: tuple[str | Path, ...]
    runtimes: tuple[str, ...] = ()
    threads: int = 1
    device: str | None = None
    allow_cpu_fallback: bool = False
    batches: tuple[int, ...] = (1, 8, 32, 64)
    duration_s: float = 2.0
    warmup_s: float = 0.5
    processes: int = 3
    data: str | None = None
    split_seed: int | None = None
    interpreter: str | Path | None = None
    time_limit_s: float | None = None
    memory_limit_bytes: int | None = None
    project: Path = Path("runs")
    name: str | None = None
    exist_ok: bool = False
    report: bool = False

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("nothing to measure is named", "name a run or a bundle")
        for runtime in self.runtimes:
            if runtime not in (ALL, *TABLE, *TIMERS):
                raise unknown_name("runtime", runtime, [ALL, *TABLE, *TIMERS])
        if ALL in self.runtimes and len(self.runtimes) > 1:
            raise UsageError(f"the runtime {ALL} stands alone", f"leave out {ALL} or the others")
        _no_repeats("runtimes", self.runtimes)
        _within("threads", self.threads, 1, MAX_THREADS)
        if self.device is not None:
            kind(self.device)
        _within("batches", len(self.batches), 1, MAX_SCENARIOS - 1, "values")
        _no_repeats("batches", self.batches)
        for batch in self.batches:
            _within("a batch", batch, 1, MAX_BATCH)
        _seconds("duration_s", self.duration_s)
        _seconds("warmup_s", self.warmup_s)
        if self.time_limit_s is not None:
            _seconds("time_limit_s", self.time_limit_s)
        if self.memory_limit_bytes is not None and self.memory_limit_bytes <= 0:
            raise UsageError(f"memory_limit_bytes must be above 0, not {self.memory_limit_bytes}")
        _within("processes", self.processes, 1, MOST_PROCESSES)
        _within("split_seed", self.split_seed or 0, 0, sys.maxsize)
        if self.name is not None:
            check_name(self.name)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The latency scenarios of every process, by ascending batch size.

        All processes together have the queries that a p99 takes at the least batch size, and those
        that a p90 takes at the others.
        """
        least, *larger = sorted(self.batches)
        return (
            Scenario(least, self.warmup_s, self.duration_s, self._fewest(_TAIL)),
            *(self._shorter(batch) for batch in larger),
        )

    def scenarios_for(self, fixed_batch: int | None) -> tuple[Scenario, ...]:
        """Return the scenarios of a bundle: its only batch size is its least one.

        Args:
            fixed_batch: The only batch size that the bundle takes; None where it takes any.
        """
        asked = self.scenarios
        if fixed_batch is None:
            return asked
        others = (one for one in asked if one.batch != fixed_batch)
        return (*others, asked[0]._replace(batch=fixed_batch))

    def end_to_end_for(self, fixed_batch: int | None) -> Scenario:
        """Return the scenario from encoded pictures to classes, at the row's least batch size.

        Args:
            fixed_batch: The only batch size that the bundle takes; None where it takes any.
        """
        return self._shorter(fixed_batch or min(self.batches))

    def _shorter(self, batch: int) -> Scenario:
        share = BATCHED_SHARE
        fewest = self._fewest(_HEADLINE)
        return Scenario(batch, self.warmup_s * share, self.duration_s * share, fewest)

    def _fewest(self, q: float) -> int:
        """Return the queries of one process, for all to have what a quantile takes."""
        return max(_FEWEST_QUERIES, math.ceil(samples_needed(q) / self.processes))

    def process_time_limit_s(self, scenarios: Iterable[Scenario], *, builds: bool = False) -> float:
        """Return after how many seconds a process is killed.

        Args:
            scenarios: What it measures.
            builds: It builds an engine before.
        """
        if self.time_limit_s is not None:
            return self.time_limit_s
        timed = (*scenarios, self.end_to_end_for(None))
        asked = sum(one.min_duration_s + MOST_WARM_UP * one.warmup_s for one in timed)
        return DEFAULT_TIME_LIMIT_S + asked + (BUILD_LIMIT_S if builds else 0)

    def to_config(self) -> dict[str, Any]:
        """Return what was asked for, as the table that ``args.toml`` holds."""
        return {name: value for name, value in self.to_json().items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        fields = dict(vars(self))
        for name in ("runtimes", "batches"):
            fields[name] = list(fields[name])
        fields["sources"] = [str(source) for source in self.sources]
        fields["project"] = str(self.project)
        fields["interpreter"] = None if self.interpreter is None else str(self.interpreter)
        return fields


def _within(name: str, value: int, low: int, high: int, unit: str = "") -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} must be {low} to {high:,}{unit and ' ' + unit}, not {value}")


def _seconds(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0 < value <= _LONGEST_S):
        raise UsageError(f"{name} must be more than 0 and at most {_LONGEST_S:g}, not {value}")


def _no_repeats(name: str, values: tuple[object, ...]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise UsageError(f"{name} has {value} twice")
