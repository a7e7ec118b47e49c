"""From the samples of all processes of a configuration to its times and their verdicts.

Nothing is trimmed and nothing is rounded: quantiles are over every query of every process, with
intervals by the bootstrap, and the medians of the single processes stand beside them to show how
far processes differ.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.bench.answer import Answer
from edgenet.bench.figures import EndToEnd, Latency
from edgenet.bench.samples import Timed
from edgenet.bench.verdict import judge
from edgenet.statistics import quantile
from edgenet.statistics.bootstrap import process_intervals
from edgenet.statistics.tails import samples_needed

_NS_PER_US = 1e3
_NS_PER_S = 1e9
_TAILS = {"p90_us": 0.9, "p95_us": 0.95, "p99_us": 0.99, "p999_us": 0.999}
_SHARES = {"p50_us": 0.5, **_TAILS}


def latencies(answers: Sequence[Answer]) -> tuple[Latency, ...]:
    """Summarise the queries of all processes: one entry a batch size, ascending."""
    batches = sorted({batch for answer in answers for batch in answer.timed})
    return tuple(
        _latency(batch, [answer for answer in answers if batch in answer.timed])
        for batch in batches
    )


def end_to_end(answers: Sequence[Answer]) -> EndToEnd | None:
    """Summarise the queries from encoded pictures to classes; None where there are none."""
    pictures = [answer.end_to_end for answer in answers if answer.end_to_end is not None]
    if not pictures:
        return None
    timed = [one.timed for one in pictures]
    parts = np.concatenate([one.samples for one in timed])
    decode, resize, infer, argmax = _medians_us(parts)
    encoded = float(statistics.median(one.picture["bytes"] for one in pictures))
    return EndToEnd(
        batch=pictures[0].batch,
        decode_p50_us=decode,
        resize_p50_us=resize,
        infer_p50_us=infer,
        argmax_p50_us=argmax,
        picture={**pictures[0].picture, "bytes": encoded},
        **_whole(timed, pictures[0].batch),
    )


def _latency(batch: int, answers: Sequence[Answer]) -> Latency:
    """Pool the samples int64 [n, 3] of every process at one batch size."""
    timed = [answer.timed[batch] for answer in answers]
    bind, execute, fetch = _medians_us(np.concatenate([one.samples for one in timed]))
    return Latency(
        batch=batch,
        bind_p50_us=bind,
        execute_p50_us=execute,
        fetch_p50_us=fetch,
        gpu_p50_us=_gpu_p50_us(batch, answers),
        **_whole(timed, batch),
    )


def _whole(timed: Sequence[Timed], batch: int) -> dict[str, Any]:
    """Return what is known of whole queries: the fields that both kinds of figures have."""
    each = [one.query_ns for one in timed]
    queries = np.concatenate(each)
    medians = tuple(quantile(one, 0.5) / _NS_PER_US for one in each)
    high, withheld = tails(queries, _NS_PER_US)
    figures = {"p50_us": quantile(queries, 0.5) / _NS_PER_US, **high}
    return {
        "n": len(queries),
        **figures,
        "withheld": withheld,
        "intervals": _intervals(each, [name for name in figures if figures[name]], batch),
        "process_p50_us": medians,
        "spread": max(medians) / min(medians) - 1,
        "images_per_s": batch * len(queries) / (int(queries.sum()) / _NS_PER_S),
        "steady": all(one.steady for one in timed),
        "verdict": judge([one.window for one in timed]),
    }


def tails(queries: NDArray[Any], per_us: float) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the high quantiles in microseconds, and why those are None that are.

    Args:
        queries: Times of whole queries [n].
        per_us: How many of their unit a microsecond is.
    """
    found: dict[str, float | None] = {}
    withheld: dict[str, str] = {}
    for name, q in _TAILS.items():
        needed = samples_needed(q)
        known = len(queries) >= needed
        found[name] = quantile(queries, q) / per_us if known else None
        if not known:
            title = f"p{q * 100:g}"
            withheld[name] = f"{len(queries):,} queries; a {title} takes {needed:,}"
    return found, withheld


def _intervals(
    processes: Sequence[NDArray[np.int64]], names: Sequence[str], batch: int
) -> dict[str, tuple[float, float]]:
    """Return the intervals of quantiles in microseconds, and of the throughput, by name."""
    found = process_intervals(processes, [_SHARES[name] for name in names])
    if found is None:
        return {}
    ends = zip(names, found.quantiles, strict=True)
    quantiles = {name: (low / _NS_PER_US, high / _NS_PER_US) for name, (low, high) in ends}
    slow, fast = found.mean[1], found.mean[0]
    return {
        **quantiles,
        "images_per_s": (batch / slow * _NS_PER_S, batch / fast * _NS_PER_S),
    }


def _medians_us(parts: NDArray[np.int64]) -> list[float]:
    return [quantile(part, 0.5) / _NS_PER_US for part in parts.T]


def _gpu_p50_us(batch: int, answers: Sequence[Answer]) -> float | None:
    told = [answer.gpu_ns[batch] for answer in answers if batch in answer.gpu_ns]
    return quantile(np.concatenate(told), 0.5) / _NS_PER_US if told else None
