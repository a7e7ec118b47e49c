"""Intervals of one figure, and the quantiles that they and latencies are read from."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share, such as an accuracy.

    Args:
        correct: Successes, from 0 to ``n``.
        n: Trials; with none, nothing is known and the interval is (0, 1).
        confidence: Between 0 and 1, both excluded.

    Raises:
        ValueError: ``correct`` is not between 0 and ``n``, or ``confidence`` not between 0 and 1.

    Source:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference",
        JASA 22(158), 209-212; without continuity correction.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"{correct} successes in {n} trials")
    z = normal_quantile(confidence)
    if n == 0:
        return 0.0, 1.0
    share = correct / n
    centre = share + z * z / (2 * n)
    half_width = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if correct == 0 else max(0.0, (centre - half_width) / scale)
    high = 1.0 if correct == n else min(1.0, (centre + half_width) / scale)
    return low, high


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return Student's interval of the mean of independent, roughly normal values.

    Args:
        values: Two or more numbers [n], such as the accuracies of n seeds.
        confidence: Between 0 and 1, both excluded.

    Raises:
        ValueError: Fewer than two values, or ``confidence`` not between 0 and 1.

    Source:
        Student 1908, "The probable error of a mean", Biometrika 6(1), 1-25.
    """
    samples = np.asarray(values, dtype=np.float64)
    if samples.ndim != 1 or samples.size < 2:
        raise ValueError("an interval of a mean needs two values or more")
    t = student_t_quantile(samples.size - 1, confidence)
    half_width = t * float(samples.std(ddof=1)) / math.sqrt(samples.size)
    mean = float(samples.mean())
    return mean - half_width, mean + half_width


def median_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return an interval of the median of independent values, whatever their distribution.

    It lies between two of the values themselves, the k-th from below and the k-th from above: the
    innermost such pair that holds the median often enough. With fewer values than that takes, 6 for
    95 %, it is from the least to the greatest and its probability is below what was asked for.

    Args:
        values: One or more finite numbers [n] of one continuous distribution.
        confidence: Between 0 and 1, both excluded.

    Returns:
        Both ends, and with which probability the median lies between them: 1 - 2^(1-n) from the
        least to the greatest.

    Raises:
        ValueError: No values, or ``confidence`` is not between 0 and 1.

    Source:
        Thompson 1936, "On confidence ranges for the median and other expectation distributions for
        populations of unknown distribution form", Ann. Math. Statist. 7(3), 122-128.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = ordered.size
    if ordered.ndim != 1 or not n:
        raise ValueError("no values have no median")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")

    def probability(k: int) -> float:
        """Neither fewer than k values lie below the median nor fewer than k above it."""
        return 1 - 2 * sum(math.comb(n, below) for below in range(k)) / float(2**n)

    enough = (k for k in range(1, (n + 1) // 2 + 1) if probability(k) >= confidence)
    k = max(enough, default=1)
    return float(ordered[k - 1]), float(ordered[n - k]), probability(k)


@lru_cache(maxsize=64)
def student_t_quantile(degrees: int, confidence: float) -> float:
    """Return the t > 0 with P(-t < T < t) = ``confidence`` for T of Student's distribution.

    Raises:
        ValueError: ``degrees`` < 1, or ``confidence`` not between 0 and 1.
    """
    if degrees < 1:
        raise ValueError(f"{degrees} degrees of freedom")
    low, high = 0.0, normal_quantile(confidence)
    while _student_t_probability(high, degrees) < confidence:
        low, high = high, 2 * high
    # Bisection to the last bit: the probability grows with t, and this runs once for an interval.
    while low < (middle := (low + high) / 2) < high:
        if _student_t_probability(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return high


def _student_t_probability(t: float, degrees: int) -> float:
    """Return P(|T| < t), exact for a whole number of degrees of freedom.

    Source:
        Abramowitz and Stegun 1964, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
    """
    theta = math.atan2(t, math.sqrt(degrees))
    cosine_squared = degrees / (degrees + t * t)
    if degrees % 2:
        # 2/π · (θ + sin θ · (cos θ + 2/3 cos³ θ + 2·4/(3·5) cos⁵ θ + ...)), up to cos^(degrees-2)
        k = np.arange(1, (degrees - 1) // 2)
        terms = np.cumprod(2 * k / (2 * k + 1) * cosine_squared)
        series = math.cos(theta) * (1 + float(terms.sum())) if degrees > 1 else 0.0
        return 2 / math.pi * (theta + math.sin(theta) * series)
    # sin θ · (1 + 1/2 cos² θ + 1·3/(2·4) cos⁴ θ + ...), up to cos^(degrees-2)
    k = np.arange(1, degrees // 2)
    terms = np.cumprod((2 * k - 1) / (2 * k) * cosine_squared)
    return math.sin(theta) * (1 + float(terms.sum()))


def normal_quantile(confidence: float) -> float:
    """Return the z with P(-z < Z < z) = ``confidence`` for Z of the normal distribution.

    Raises:
        ValueError: ``confidence`` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def quantile(samples: ArrayLike, q: float) -> float:
    """Return the ``q``-quantile of ``samples``: for p99, q = 0.99.

    With the samples sorted as x[0] ≤ … ≤ x[n-1] and h = (n - 1)·q, it is x[⌊h⌋] and x[⌊h⌋ + 1]
    interpolated linearly at h's fraction. q = 0 is the minimum, q = 1 the maximum.

    Args:
        samples: One or more finite numbers [n], in any order; the unit is kept.
        q: From 0 to 1.

    Raises:
        ValueError: No samples, or ``q`` is not between 0 and 1.

    Source:
        Hyndman and Fan 1996, "Sample quantiles in statistical packages", definition 7.
    """
    values = np.asarray(samples, dtype=np.float64)
    if values.size == 0:
        raise ValueError("no samples have no quantile")
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile of {q} is not between 0 and 1")
    return float(np.quantile(values, q, method="linear"))
