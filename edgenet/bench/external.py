"""The figures of programs that time themselves: read as strictly as ours, and kept apart."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgenet.bench.answer import Measured, event_of, read_whole
from edgenet.bench.figures import External
from edgenet.bench.samples import load_array
from edgenet.bench.timings import tails
from edgenet.launch.outcome import Event, Outcome
from edgenet.statistics import quantile

_US_PER_MS = 1e3
_AGREES_WITHIN = 1e-3  # both have six digits; the printed median is of single precision
_COLUMNS = ("enqueue", "h2d", "compute", "d2h", "latency")
_TOLD = ("p90_us", "p99_us")


@dataclass(frozen=True, kw_only=True)
class ExternalAnswer:
    """What one process of a program that times itself said.

    Attributes:
        versions: Of what it ran.
        options: What decided the engine, as text by name.
        times: By batch size float64 [n, 5] milliseconds, by the columns of `_COLUMNS`.
        events: By batch size the event that they came with.
        skipped: One sentence for each batch size that was not measured.
    """

    versions: dict[str, str]
    options: dict[str, str]
    times: Mapping[int, NDArray[np.float64]]
    events: Mapping[int, Event]
    skipped: tuple[str, ...]


def read_external(measured: Measured) -> ExternalAnswer | Outcome:
    """Read the figures of a process; where there are none, return the outcome that says why."""
    return read_whole(measured, _answer)


def externals(answers: Sequence[ExternalAnswer]) -> tuple[External, ...]:
    """Summarise the processes of one configuration: one entry a batch size, ascending."""
    batches = sorted({batch for answer in answers for batch in answer.times})
    return tuple(
        _external(batch, [answer for answer in answers if batch in answer.times])
        for batch in batches
    )


def _external(batch: int, answers: Sequence[ExternalAnswer]) -> External:
    samples = [answer.times[batch] for answer in answers]
    events = [answer.events[batch] for answer in answers]
    enqueue, h2d, compute, d2h, query = np.concatenate(samples).T * _US_PER_MS
    medians = tuple(quantile(one[:, -1], 0.5) * _US_PER_MS for one in samples)
    throughput = statistics.median(float(event["throughput_qps"]) for event in events)
    high, withheld = tails(query, 1.0)
    return External(
        timed_by=str(events[0]["timed_by"]),
        batch=batch,
        n=len(query),
        p50_us=quantile(query, 0.5),
        p90_us=high["p90_us"],
        p99_us=high["p99_us"],
        withheld={name: why for name, why in withheld.items() if name in _TOLD},
        h2d_p50_us=quantile(h2d, 0.5),
        compute_p50_us=quantile(compute, 0.5),
        d2h_p50_us=quantile(d2h, 0.5),
        enqueue_p50_us=quantile(enqueue, 0.5),
        process_p50_us=medians,
        spread=max(medians) / min(medians) - 1,
        images_per_s=batch * throughput,
        agrees=all(
            _agrees(event, median / _US_PER_MS)
            for event, median in zip(events, medians, strict=True)
        ),
        command=tuple(str(word) for word in events[0]["command"]),
        modes={str(name): value for name, value in events[0]["modes"].items()},
        warnings=tuple(dict.fromkeys(str(one) for event in events for one in event["warnings"])),
    )


def _agrees(event: Event, median_ms: float) -> bool:
    """Whether the printed median is that of the written times."""
    printed = float(event["summaries"]["latency"]["median_ms"])
    return abs(printed - median_ms) <= _AGREES_WITHIN * median_ms


def _answer(folder: Path, outcome: Outcome) -> ExternalAnswer:
    imported, built = event_of(outcome, "imported"), event_of(outcome, "built")
    events = {int(event["batch"]): event for event in outcome.all("external")}
    skipped = outcome.all("skipped")
    if not events and not skipped:
        raise ValueError("nothing was measured")
    answer = ExternalAnswer(
        versions={str(name): str(version) for name, version in imported["versions"].items()},
        options={str(name): str(value) for name, value in built["options"].items()},
        times={batch: _times(folder, event) for batch, event in events.items()},
        events=events,
        skipped=tuple(f"batch {event['batch']}: {event['reason']}" for event in skipped),
    )
    externals([answer])  # whatever it lacks shows now
    return answer


def _times(folder: Path, event: Event) -> NDArray[np.float64]:
    name, times = load_array(folder, event["times"])
    if tuple(event["columns"]) != _COLUMNS:
        raise ValueError(f"{name} has other columns: {event['columns']}")
    if times.dtype != np.float64 or times.ndim != 2 or times.shape[1] != len(_COLUMNS):
        raise ValueError(f"{name} does not hold times")
    if not len(times) or not np.isfinite(times).all() or times.min() < 0:
        raise ValueError(f"{name} does not hold times")
    if not np.median(times[:, -1]) > 0:
        raise ValueError(f"{name} holds queries that took no time")
    return times
