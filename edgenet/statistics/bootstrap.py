"""How sure a quantile is whose samples come from a few processes.

Queries of one process are no independent samples of what the next process will do: they share where
its memory lies for as long as it lives, and neighbours share the machine's moments. So whole
processes are drawn, with replacement, and never single queries: what queries scatter by is in the
differences of processes already, and drawing them, too, would count it twice. What a figure
scatters by over the draws is its standard error.

Of k processes the draws scatter too little, by the root of (k - 1) / k, and from so few their own
scatter is hardly known. The interval is therefore Student's with k - 1 degrees of freedom, around
the figure's logarithm: with 3 processes a wide one, and rightly so. A percentile interval of the
draws would lie between the least and the greatest process, which of 3 holds the truth in 3 cases
of 4.

Source:
    Efron 1979, doi:10.1214/aos/1176344552; Davison and Hinkley 1997, "Bootstrap methods and their
    application", 3.8 (of nested samples the outer alone are drawn); Hesterberg 2015, "What teachers
    should know about the bootstrap", doi:10.1080/00031305.2015.1089789 (too narrow by that root;
    Student's interval by the bootstrap's standard error).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgenet.statistics.intervals import quantile, student_t_quantile

DRAWS = 1000
CELLS = 2000
"""In which samples are counted."""

Interval = tuple[float, float]


class Intervals(NamedTuple):
    """Of quantiles in the order that they were asked for, and of the mean."""

    quantiles: tuple[Interval, ...]
    mean: Interval


def process_intervals(
    processes: Sequence[NDArray[np.int64]],
    shares: Sequence[float],
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> Intervals | None:
    """Return intervals of quantiles, and of the mean, over all samples of all processes.

    Args:
        processes: The samples int64 [n] of each; one below 1 counts as 1, since a clock that is too
            coarse for it tells 0.
        shares: The quantiles, between 0 and 1, ascending.
        confidence: Between 0 and 1, both excluded.
        seed: Of the draws.

    Returns:
        The intervals in the samples' unit; None of a single process, which says nothing of another.

    Raises:
        ValueError: A process has no samples.
    """
    if not all(map(len, processes)):
        raise ValueError("a process without samples says nothing")
    k = len(processes)
    if k < 2:
        return None
    each = [np.maximum(one, 1) for one in processes]
    samples = np.concatenate(each)
    lengths, totals = np.array([(len(one), one.sum()) for one in each], np.float64).T
    picked = np.random.default_rng(seed).integers(k, size=(DRAWS, k))
    times = (picked[:, :, None] == np.arange(k)).sum(axis=1).astype(np.float64)
    counts, tops = _cells(samples, np.repeat(np.arange(k), lengths.astype(np.int64)))
    below = np.cumsum(times @ counts, axis=1)
    drawn = np.empty((DRAWS, len(shares) + 1))
    for place, share in enumerate(shares):
        drawn[:, place] = tops[(below < share * below[:, -1:]).sum(axis=1)]
    drawn[:, -1] = (times @ totals) / (times @ lengths)
    found = np.array([*(quantile(samples, share) for share in shares), samples.mean()])
    reach = student_t_quantile(k - 1, confidence) * math.sqrt(k / (k - 1))
    factors = np.exp(reach * np.log(drawn).std(axis=0))
    lows, highs = found / factors, found * factors
    # A higher quantile is never the lesser one, whatever little is known of it.
    lows[:-1] = np.maximum.accumulate(lows[:-1])
    highs[:-1] = np.minimum.accumulate(highs[-2::-1])[::-1]
    *quantiles, mean = zip(lows.tolist(), highs.tolist(), strict=True)
    return Intervals(tuple(quantiles), mean)


def _cells(
    samples: NDArray[np.int64], process_of: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Count each process's samples in cells of their common order, fine where few lie above.

    Of so many samples as there are cells, each is a cell of its own. Of more, a cell holds one in
    ``CELLS`` of all, or one in some 100 of those above it, whichever is less: a quantile of a draw
    is known as closely as that.

    Args:
        samples: int64 [n].
        process_of: Which process each is of, int64 [n], ascending.

    Returns:
        Counts [processes, cells], and the greatest sample of each cell.
    """
    n = len(samples)
    even, above = np.linspace(0, n, CELLS + 1), n - np.geomspace(1, n, CELLS + 1)
    ends = np.unique(np.concatenate([even, above]).astype(np.int64))
    cell_of = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    order = np.argsort(samples, kind="stable")
    shape = int(process_of[-1]) + 1, len(ends) - 1
    flat = np.bincount(process_of[order] * shape[1] + cell_of, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64), samples[order][ends[1:] - 1]
