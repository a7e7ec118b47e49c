"""How many times as long one of two takes, with an interval, and what may be said of it.

A process differs from the next by where its memory happens to lie, by about a hundredth, more than
two queries of one process do. The independent units are therefore processes, each by its median (or
its p90), and never single queries, of which a second has thousands that all err the same way.

**Measured in turns** (`paired_ratio`): each round is one process of both, next to each other, in
turning order: A B, B A, A B and so on. What is slow in the machine at the time slows both, and
falls out of the round's ratio; what the second of two pays for being the second falls on both in
turn. The interval is that of the median of the rounds' ratios, between the k-th from below and the
k-th from above. It assumes neither a distribution nor equal noise in every round, as Student's and
the signed ranks' do: of 12 rounds two may be spoiled altogether and no end of it follows them. With
12 rounds it holds the median with 96.1 % if the rounds are independent. They are not quite: of 100
pairs of equal bundles (``benchmarks/compare_pairs.py``) 9 had an interval beside 1, by up to 0.3 %.

**What is told** (`Ratio.finding`): nothing below a hundredth. A difference of some thousandths may
even be real, since two copies of one file lie in two places, and means nothing to who reads it. B
is called slower where all of the interval lies more than ``NEGLIGIBLE`` above 1, and faster where
all of it lies as far below: none of those 100 pairs was. The interval is shown as it is.

**Two results** (`independent_ratio`): processes of both were never neighbours. The interval is
Welch's of the difference of the mean logarithms; with three processes a side it is wide. It knows
how processes of one sitting differ, not what the machine did between the two.

Source:
    Thompson 1936, doi:10.1214/aoms/1177732502 (the median's interval); Welch 1947,
    "The generalization of Student's problem when several different population variances are
    involved", Biometrika 34(1-2), 28-35. Kalibera and Jones 2013, "Rigorous benchmarking in
    reasonable time", doi:10.1145/2464157.2464160 (processes as units, ratios with intervals).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgenet.statistics import median_interval, student_t_quantile

CONFIDENCE = 0.95
"""Of everything that is said of one comparison together."""

NEGLIGIBLE = 0.01
"""A difference up to this is none: as much comes of where a process's memory lies."""

MOST_ROUNDS = 100
"""Above it, more rounds are no advice."""

Finding = Literal["slower", "faster", "not told apart"]
AgainstLimit = Literal["above", "within", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """B's time over A's: above 1, B takes longer.

    Attributes:
        value: The estimate.
        low: Lower end of its interval; None where there are too few processes for one.
        high: Upper end.
        confidence: How often such an interval holds the ratio; 0 where there is none.
        asked: How often it has to, for anything to be said.
        n_a: Processes of A.
        n_b: Processes of B.
        paired: They took turns.
    """

    value: float
    low: float | None
    high: float | None
    confidence: float
    asked: float
    n_a: int
    n_b: int
    paired: bool

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval, where it is as sure as was asked for; else None."""
        if self.low is None or self.high is None or self.confidence < self.asked:
            return None
        return self.low, self.high

    @property
    def finding(self) -> Finding:
        """Whether a difference is shown: all of the interval lies beyond the negligible."""
        if self.interval is None:
            return "not told apart"
        if self.interval[0] > 1 + NEGLIGIBLE:
            return "slower"
        return "faster" if self.interval[1] < 1 / (1 + NEGLIGIBLE) else "not told apart"

    def against(self, limit: float) -> AgainstLimit:
        """Return on which side of a limit all of the interval lies."""
        if self.interval is None or self.interval[0] <= limit < self.interval[1]:
            return "cannot tell"
        return "above" if self.interval[0] > limit else "within"

    def n_needed(self, limit: float | None = None) -> int | None:
        """Return about how many rounds, or processes of each, would tell the ratio from a limit.

        The interval's half towards the limit shrinks as one over the root of their number. None
        where that is more than ``MOST_ROUNDS``, or nothing is known of the spread.

        Args:
            limit: None takes the nearest ratio that is called slower, or faster; of a ratio that
                is negligible itself no number of rounds tells anything.
        """
        n = min(self.n_a, self.n_b)
        if self.low is None or self.high is None:
            return None
        if limit is None:
            limit = (1 + NEGLIGIBLE) ** (1 if self.value > 1 else -1)
            if (self.value > limit) != (limit > 1):
                return None
        distance = abs(math.log(self.value / limit))
        end = self.high if self.value <= limit else self.low
        half = abs(math.log(end / self.value))
        if distance * math.sqrt(MOST_ROUNDS) <= half * math.sqrt(n):
            return None
        needed = math.ceil(n * (half / distance) ** 2)
        return max(needed + needed % 2, n + 2)

    @property
    def fewest(self) -> int:
        """The rounds, or processes of each, with which there is an interval that is sure enough."""
        if not self.paired:
            return 2
        # From the least to the greatest of n, 1 - 2^(1-n): see `median_interval`.
        return next(n for n in itertools.count(1) if 1 - 2.0 ** (1 - n) >= self.asked)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and the finding."""
        return {**vars(self), "finding": self.finding}


def asked_confidence(findings: int) -> float:
    """Return the confidence of each of several findings, so that all of them hold with 95 %.

    Source:
        Bonferroni's bound: a miss of any is at most as likely as the misses of all added up.
    """
    return 1 - (1 - CONFIDENCE) / max(findings, 1)


def paired_ratio(a: Sequence[float], b: Sequence[float], *, asked: float = CONFIDENCE) -> Ratio:
    """Compare processes that took turns.

    Args:
        a: A figure of A's process in each round, above 0.
        b: The same of B's.
        asked: Confidence of the interval, at the least.

    Raises:
        ValueError: They do not pair up, there are none, or one is not above 0.
    """
    rounds = _logarithms(b) - _logarithms(a) if len(a) == len(b) else None
    if rounds is None:
        raise ValueError(f"{len(a)} and {len(b)} processes do not pair up")
    low, high, confidence = median_interval(rounds, asked)
    return Ratio(
        value=math.exp(float(np.median(rounds))),
        low=math.exp(low),
        high=math.exp(high),
        confidence=confidence,
        asked=asked,
        n_a=len(a),
        n_b=len(b),
        paired=True,
    )


def independent_ratio(
    a: Sequence[float], b: Sequence[float], *, asked: float = CONFIDENCE
) -> Ratio:
    """Compare processes of two sittings.

    Args:
        a: A figure of each process of A, above 0.
        b: The same of B's.
        asked: Confidence of the interval.

    Raises:
        ValueError: One of them has none, or one is not above 0.
    """
    before, after = _logarithms(a), _logarithms(b)
    difference = float(after.mean() - before.mean())
    half = _welch_half_width(before, after, asked)
    return Ratio(
        value=math.exp(difference),
        low=None if half is None else math.exp(difference - half),
        high=None if half is None else math.exp(difference + half),
        confidence=0.0 if half is None else asked,
        asked=asked,
        n_a=len(before),
        n_b=len(after),
        paired=False,
    )


def spoiled_rounds_allowed(n: int, asked: float = CONFIDENCE) -> int:
    """Return how many of n rounds may be spoiled, whatever they say.

    The interval's ends are the k-th ratios from either side. Were k - 1 rounds to say anything at
    all, both ends would still lie among the ratios of the others.
    """
    return int(median_interval(range(n), asked)[0]) if n else 0


def _welch_half_width(
    a: NDArray[np.float64], b: NDArray[np.float64], confidence: float
) -> float | None:
    """Return half the width of the interval of mean(b) - mean(a); None with one value of either."""
    if min(len(a), len(b)) < 2:
        return None
    parts = [float(values.var(ddof=1)) / len(values) for values in (a, b)]
    least = min(len(a), len(b)) - 1
    if sum(parts) == 0:
        return 0.0
    degrees = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (a, b), strict=True)
    )
    whole = max(math.floor(degrees), least)  # fewer degrees of freedom: the wider interval
    return student_t_quantile(whole, confidence) * math.sqrt(sum(parts))


def _logarithms(values: Sequence[float]) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    if not found.size or not np.isfinite(found).all() or found.min() <= 0:
        raise ValueError("times are finite numbers above 0, and there is one at least")
    return np.log(found)
