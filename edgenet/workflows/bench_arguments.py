"""What ``bench`` is asked to do, checked as far as it can be without looking at any file."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError, unknown_name
from edgenet.launch.local import DEFAULT_TIME_LIMIT_S
from edgenet.runner.job import MAX_SCENARIOS, MAX_THREADS, Scenario
from edgenet.runner.manifest import MAX_BATCH
from edgenet.runner.runtimes import TABLE, check_device
from edgenet.runner.timing import MOST_WARM_UP
from edgenet.workflows.runs import check_name

BATCHED_SHARE = 0.5
"""What a scenario of larger batches runs, as a share of the duration at the least batch size."""

MOST_PROCESSES = 100
_LONGEST_S = 3600.0
# 221 queries of each of three processes are the 662 that a p99 needs at 99 % confidence (MLPerf).
_FEWEST_QUERIES = 221
_FEWEST_BATCHED_QUERIES = 20


@dataclass(frozen=True, kw_only=True)
class BenchArguments:
    """What to measure, and for how long.

    Attributes:
        sources: Run folders, all of whose bundles are measured, and bundle folders.
        runtimes: The only runtimes to use; with none named, a bundle gets the first of the table
            that takes its format.
        threads: CPU threads of the runtime.
        device: ``cpu``.
        batches: Pictures a query; the least is the single-stream scenario of the row. A bundle of
            another fixed batch is measured at that one alone.
        duration_s: At least so long is measured at the least batch size, in each process; half of
            it at the others.
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
        project: Folder of all runs, for bundles that lie in no run or in several.
        name: Of the folder of results; None takes ``bench`` in a run, else the first bundle's name.
        exist_ok: Write into a folder of that name that is there; else the name gets a number.

    Raises:
        UsageError: A value cannot be.
        NotPossible: The device has no runtime here.
    """

    sources: tuple[str | Path, ...]
    runtimes: tuple[str, ...] = ()
    threads: int = 1
    device: str = "cpu"
    batches: tuple[int, ...] = (1, 64)
    duration_s: float = 2.0
    warmup_s: float = 0.5
    processes: int = 3
    data: str | None = None
    split_seed: int | None = None
    interpreter: str | Path | None = None
    time_limit_s: float | None = None
    project: Path = Path("runs")
    name: str | None = None
    exist_ok: bool = False

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("nothing to measure is named", "name a run or a bundle")
        for runtime in self.runtimes:
            if runtime not in TABLE:
                raise unknown_name("runtime", runtime, TABLE)
        _no_repeats("runtimes", self.runtimes)
        _within("threads", self.threads, 1, MAX_THREADS)
        check_device(self.device)
        _within("batches", len(self.batches), 1, MAX_SCENARIOS - 1, "values")
        _no_repeats("batches", self.batches)
        for batch in self.batches:
            _within("a batch", batch, 1, MAX_BATCH)
        _seconds("duration_s", self.duration_s)
        _seconds("warmup_s", self.warmup_s)
        if self.time_limit_s is not None:
            _seconds("time_limit_s", self.time_limit_s)
        _within("processes", self.processes, 1, MOST_PROCESSES)
        _within("split_seed", self.split_seed or 0, 0, sys.maxsize)
        if self.name is not None:
            check_name(self.name)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The latency scenarios of every process, by ascending batch size."""
        least, *larger = sorted(self.batches)
        first = Scenario(least, self.warmup_s, self.duration_s, _FEWEST_QUERIES)
        return (
            first,
            *(
                Scenario(
                    batch,
                    self.warmup_s * BATCHED_SHARE,
                    self.duration_s * BATCHED_SHARE,
                    _FEWEST_BATCHED_QUERIES,
                )
                for batch in larger
            ),
        )

    def scenarios_for(self, fixed_batch: int | None) -> tuple[Scenario, ...]:
        """Return the scenarios of a bundle: with those that are asked for its only batch size.

        Args:
            fixed_batch: The only batch size that the bundle takes; None where it takes any.
        """
        asked = self.scenarios
        if fixed_batch is None or fixed_batch in self.batches:
            return asked
        return (*asked, asked[0]._replace(batch=fixed_batch))

    def process_time_limit_s(self, scenarios: Iterable[Scenario]) -> float:
        """Return after how many seconds a process with these scenarios is killed."""
        if self.time_limit_s is not None:
            return self.time_limit_s
        asked = sum(one.min_duration_s + MOST_WARM_UP * one.warmup_s for one in scenarios)
        return DEFAULT_TIME_LIMIT_S + asked

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
