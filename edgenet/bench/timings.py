"""From the samples of all processes of a configuration to its times and their verdicts.

Nothing is trimmed and nothing is rounded: quantiles are over every query of every process, and
the medians of the single processes stand beside them to show how far processes differ.
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
from edgenet.statistics.tails import samples_needed

_NS_PER_US = 1e3
_NS_PER_S = 1e9
_TAILS = {"p90_us": 0.9, "p95_us": 0.95, "p99_us": 0.99, "p999_us": 0.999}


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
    tails, withheld = _tails(queries)
    return {
        "n": len(queries),
        "p50_us": quantile(queries, 0.5) / _NS_PER_US,
        **tails,
        "withheld": withheld,
        "process_p50_us": medians,
        "spread": max(medians) / min(medians) - 1,
        "images_per_s": batch * len(queries) / (int(queries.sum()) / _NS_PER_S),
        "steady": all(one.steady for one in timed),
        "verdict": judge([one.window for one in timed]),
    }


def _tails(queries: NDArray[np.int64]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the high quantiles, and why those are None that are."""
    tails: dict[str, float | None] = {}
    withheld: dict[str, str] = {}
    for name, q in _TAILS.items():
        needed = samples_needed(q)
        known = len(queries) >= needed
        tails[name] = quantile(queries, q) / _NS_PER_US if known else None
        if not known:
            title = f"p{q * 100:g}"
            withheld[name] = f"{len(queries):,} queries; a {title} takes {needed:,}"
    return tails, withheld


def _medians_us(parts: NDArray[np.int64]) -> list[float]:
    return [quantile(part, 0.5) / _NS_PER_US for part in parts.T]


def _gpu_p50_us(batch: int, answers: Sequence[Answer]) -> float | None:
    told = [answer.gpu_ns[batch] for answer in answers if batch in answer.gpu_ns]
    return quantile(np.concatenate(told), 0.5) / _NS_PER_US if told else None
