"""Timing a compressed bundle against its parent, at the end of every compression.

It takes seconds and not minutes. ``bench`` is the way to figures that are to be published.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edgenet.bench.answer import Measured
from edgenet.bench.plan import Configuration, Turn, configurations
from edgenet.bench.row import Row
from edgenet.bench.rows import row_of
from edgenet.errors import EdgenetError, UsageError
from edgenet.launch.local import run_job
from edgenet.progress import Figure, ProgressCallback, Step, ignore
from edgenet.runner import host
from edgenet.runner.bundle import Bundle
from edgenet.runner.job import Job, Scenario
from edgenet.verify.gate import Gate
from edgenet.workflows.compare_turns import Launch, shared_batch, shared_runtimes, take_turns
from edgenet.workflows.pays_result import Pays

__all__ = ["ROUNDS", "Pays", "measure_pair"]

ROUNDS = 6
"""The fewest with which the range of the ratios is a 95 % interval of their median."""

_WARM_UP_S = 0.05
_DURATION_S = 0.15
_FEWEST_QUERIES = 51
_TIME_LIMIT_S = 60.0
_DEVICE = "cpu"


def measure_pair(
    parent: Bundle,
    child: Bundle,
    *,
    threads: int = 1,
    rounds: int = ROUNDS,
    gate: Gate | None = None,
    folder: Path | None = None,
    interpreter: str | Path = sys.executable,
    launch: Launch = run_job,
    progress: ProgressCallback = ignore,
) -> Pays:
    """Time a child against its parent, by fresh processes that take turns.

    Each round is one process of both, next to each other, in turning order; the ratio of their
    medians is the round's. A round takes about a second. What cannot be measured is a reason.

    Args:
        parent: What was compressed.
        child: What came of it; it may lie anywhere, a folder of rejected bundles included.
        threads: CPU threads of the runtime.
        rounds: How many; with fewer than 6 the interval is narrower than it should be, and says so.
        gate: The child's accuracy gate, whose figures the result repeats.
        folder: Where raw samples and jobs are kept, a new folder; None keeps none.
        interpreter: The Python of the measuring processes.
        launch: What runs a job; tests put their own here.
        progress: Told of every process.

    Raises:
        UsageError: ``rounds`` is below 1.
    """
    if rounds < 1:
        raise UsageError(f"rounds must be 1 or more, not {rounds}")
    batch = parent.manifest.fixed_batch or child.manifest.fixed_batch or 1
    scenario = Scenario(batch, _WARM_UP_S, _DURATION_S, _FEWEST_QUERIES)
    names = _names(parent, child)
    base = Pays(
        parent=names[0],
        child=names[1],
        parent_bytes=parent.model_bytes,
        child_bytes=child.model_bytes,
        machine=_machine(),
        runtime=None,
        threads=threads,
        batch=batch,
        gate=gate,
        reason="not measured",
    )

    def job_of(turn: Turn, place: Path) -> Job:
        return Job(
            bundle=turn.configuration.bundle.path,
            runtime=turn.configuration.runtime,
            output=place,
            threads=threads,
            device=_DEVICE,
            latency=(scenario,),
        )

    try:
        shared_batch(parent, child)
        planned = _plan(parent, child)
        with tempfile.TemporaryDirectory(prefix="edgenet-pays-") as temporary:
            place = folder or Path(temporary)
            rows = _measure(
                planned,
                rounds,
                place,
                job_of=job_of,
                launch=launch,
                interpreter=interpreter,
                progress=progress,
            )
    except (EdgenetError, OSError) as error:
        return replace(base, reason=str(error))
    return _result(base, rows)


def _measure(
    planned: Sequence[Configuration],
    rounds: int,
    folder: Path,
    *,
    job_of: Callable[[Turn, Path], Job],
    launch: Launch,
    interpreter: str | Path,
    progress: ProgressCallback,
) -> tuple[Row, ...]:
    """Return a row for each bundle; after a process that fails none is started."""

    def after(turn: Turn, one: Measured, done: int, total: int) -> bool:
        row = row_of(turn.configuration, [one], threads=1)
        if row.failure is None:
            _report(progress, row, done, total)
        return row.failure is None

    measured = take_turns(
        planned,
        rounds,
        job_of=job_of,
        folder=folder,
        launch=launch,
        interpreter=interpreter,
        time_limit_s=_TIME_LIMIT_S,
        after=after,
    )
    return tuple(row_of(one, measured[one.name], threads=1) for one in planned)


def _report(progress: ProgressCallback, row: Row, done: int, total: int) -> None:
    figures: dict[str, Figure] = {"precision": row.precision}
    if row.latency:
        figures["p50_us"] = row.latency[0].p50_us
    progress(
        Step(
            task="time both",
            done=done,
            total=total,
            unit="process",
            figures=figures,
            final=done == total,
        )
    )


def _plan(parent: Bundle, child: Bundle) -> tuple[Configuration, ...]:
    """Choose the first runtime of the table that takes both.

    Raises:
        UsageError: None does.
    """
    shared = shared_runtimes(parent, child)
    if not shared:
        formats = f"{parent.manifest.format} and {child.manifest.format}"
        raise UsageError(f"no runtime takes both {formats}")
    return configurations([parent, child], shared[:1], _DEVICE)


def _result(base: Pays, rows: Sequence[Row]) -> Pays:
    """Add what the two rows say."""
    parent, child = rows
    known = replace(
        base,
        runtime=child.runtime,
        versions=child.versions or parent.versions,
        options=child.options,
    )
    for name, row in ((base.parent, parent), (base.child, child)):
        if row.failure is not None:
            return replace(known, reason=f"{name} failed: {row.failure.reason}")
    before, after = parent.at(base.batch), child.at(base.batch)
    if before is None or after is None:
        return replace(known, reason=f"neither was timed at batch {base.batch}")
    return replace(
        known,
        parent_p50_us=before.process_p50_us,
        child_p50_us=after.process_p50_us,
        steady=before.steady and after.steady,
        reason=None,
    )


def _names(parent: Bundle, child: Bundle) -> tuple[str, str]:
    """Call both by what tells them apart: precision, else model, else folder."""
    both = (parent, child)
    for first, second in (
        tuple(one.manifest.precision.upper() for one in both),
        tuple(one.manifest.name for one in both),
    ):
        if first != second:
            return first, second
    return str(parent.path), str(child.path)


def _machine() -> str:
    found = host.describe()
    return str(found["board"] or found["cpu"]["model"] or found["machine"])
