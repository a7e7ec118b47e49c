"""From the raw samples of all processes of a configuration to one row of figures.

Nothing is trimmed and nothing is rounded: quantiles are over every query of every process, and
the medians of the single processes stand beside them to show how far processes differ.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from edgenet.bench.answer import Answer, Measured, read_answer
from edgenet.bench.plan import Configuration
from edgenet.bench.row import Accuracy, Failure, Latency, Row
from edgenet.launch.outcome import Outcome
from edgenet.statistics import quantile, wilson_interval

_NS_PER_US = 1e3
_NS_PER_S = 1e9


def row_of(
    configuration: Configuration,
    measured: Sequence[Measured],
    *,
    threads: int,
    device: str,
    accuracy_reason: str | None = None,
) -> Row:
    """Summarise the processes of one configuration.

    Args:
        configuration: What was measured.
        measured: Its processes so far, finished or not.
        threads: CPU threads.
        device: What it ran on.
        accuracy_reason: Why no accuracy was asked for, or None.
    """
    manifest = configuration.bundle.manifest
    read = [read_answer(one) for one in measured]
    answers = [one for one in read if isinstance(one, Answer)]
    accuracy = _accuracy(answers)
    return Row(
        name=configuration.name,
        bundle=str(configuration.bundle.path),
        model=manifest.name,
        format=manifest.format,
        precision=manifest.precision,
        runtime=configuration.runtime,
        versions=answers[0].versions if answers else {},
        options=answers[0].options if answers else {},
        threads=threads,
        device=device,
        model_sha256=manifest.files[manifest.model].sha256,
        size_bytes=configuration.bundle.model_bytes,
        processes=len(answers),
        latency=_latencies(answers),
        skipped=answers[0].skipped if answers else (),
        import_ms=_median(answer.import_ms for answer in answers),
        load_ms=_median(answer.load_ms for answer in answers),
        first_inference_ms=_median(answer.first_inference_ms for answer in answers),
        process_to_first_ms=_median(answer.process_to_first_ms for answer in answers),
        baseline_mib=_median(answer.baseline_mib for answer in answers),
        peak_mib=_median(answer.peak_mib for answer in answers),
        accuracy=accuracy,
        accuracy_reason=None if accuracy else accuracy_reason,
        failure=_failure([one for one in read if isinstance(one, Outcome)]),
    )


def _latencies(answers: Sequence[Answer]) -> tuple[Latency, ...]:
    batches = sorted({batch for answer in answers for batch in answer.samples})
    return tuple(
        _latency(batch, [answer for answer in answers if batch in answer.samples])
        for batch in batches
    )


def _latency(batch: int, answers: Sequence[Answer]) -> Latency:
    """Pool the samples int64 [n, 3] of every process at one batch size."""
    samples = [answer.samples[batch] for answer in answers]
    parts = np.concatenate(samples)
    queries = parts.sum(axis=1)
    medians = tuple(quantile(one.sum(axis=1), 0.5) / _NS_PER_US for one in samples)
    bind, execute, fetch = (quantile(parts[:, part], 0.5) / _NS_PER_US for part in range(3))
    return Latency(
        batch=batch,
        n=len(queries),
        p50_us=quantile(queries, 0.5) / _NS_PER_US,
        p90_us=quantile(queries, 0.9) / _NS_PER_US,
        p99_us=quantile(queries, 0.99) / _NS_PER_US,
        bind_p50_us=bind,
        execute_p50_us=execute,
        fetch_p50_us=fetch,
        process_p50_us=medians,
        spread=max(medians) / min(medians) - 1,
        images_per_s=batch * len(queries) / (int(queries.sum()) / _NS_PER_S),
        steady=all(answer.steady[batch] for answer in answers),
    )


def _accuracy(answers: Sequence[Answer]) -> Accuracy | None:
    event = next((answer.accuracy for answer in answers if answer.accuracy is not None), None)
    if event is None:
        return None
    correct, n = event["correct"], event["n"]
    low, high = wilson_interval(correct, n)
    return Accuracy(
        correct=correct,
        n=n,
        accuracy=correct / n,
        low=low,
        high=high,
        digest=event["digest"],
        not_finite=event["not_finite"],
    )


def _failure(failed: Sequence[Outcome]) -> Failure | None:
    """Tell the first failure; those of the other processes are in the raw results."""
    if not failed:
        return None
    first = failed[0]
    return Failure(
        ending=first.ending.value,
        code=first.code or "failed",
        reason=first.reason or "it did not finish",
        hint=first.hint,
        processes=len(failed),
    )


def _median(figures: Iterable[float | None]) -> float | None:
    """Return the median over processes; None where no process has the figure."""
    known = [figure for figure in figures if figure is not None]
    return statistics.median(known) if known else None
