"""Two classifiers on the same pictures: only those that one of the two gets right can tell.

With a parent and its child, ``gained`` counts the pictures that only the child gets right and
``lost`` those that only the parent gets right: the discordant pairs.
"""

from __future__ import annotations

import math

import numpy as np

from edgenet.statistics.intervals import normal_quantile


def mcnemar_p(gained: int, lost: int) -> float:
    """Return the exact two-sided p of equal accuracies, given the discordant pairs.

    Were both equally accurate, each discordant pair would be a gain or a loss with probability
    1/2: p = min(1, 2·P(X ≤ min(gained, lost))) for X binomial of gained + lost trials. Without
    a discordant pair it is 1.

    Raises:
        ValueError: A count is negative.

    Source:
        McNemar 1947, "Note on the sampling error of the difference between correlated proportions
        or percentages", Psychometrika 12(2), 153-157; the exact conditional form as in Fagerland,
        Lydersen, Laake 2013, doi:10.1186/1471-2288-13-91, who find it conservative.
    """
    _check_counts(gained, lost, gained + lost)
    pairs, fewer = gained + lost, min(gained, lost)
    largest = math.lgamma(pairs + 1) - math.lgamma(fewer + 1) - math.lgamma(pairs - fewer + 1)
    # The other terms from the largest: C(n, k - 1) = C(n, k) · k / (n - k + 1).
    k = np.arange(fewer, 0, -1)
    others = float(np.cumprod(k / (pairs - k + 1)).sum())
    return min(1.0, math.exp(largest + (1 - pairs) * math.log(2)) * (1 + others))


def paired_interval(
    gained: int, lost: int, n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return Tango's score interval of a difference of two accuracies on the same pictures.

    It holds every difference δ that a score test of P(gained) - P(lost) = δ does not reject. With
    no discordant pair it still has a width, ± z² / (n + z²), and it stays within -1 and 1. See
    docs/decisions/0007 for its coverage and for what was not chosen.

    Args:
        gained: Pictures that only the second classifier gets right.
        lost: Pictures that only the first gets right.
        n: All pictures; with none, nothing is known and the interval is (-1, 1).
        confidence: Between 0 and 1, both excluded.

    Returns:
        Both ends, as shares: -0.001 is one picture in a thousand lost.

    Raises:
        ValueError: The counts cannot be, or ``confidence`` is not between 0 and 1.

    Source:
        Tango 1998, "Equivalence test and confidence interval for the difference in proportions for
        the paired-sample design", Statistics in Medicine 17(8), 891-908.
    """
    _check_counts(gained, lost, n)
    z = normal_quantile(confidence)
    if n == 0:
        return -1.0, 1.0
    return -_upper_end(lost, gained, n, z), _upper_end(gained, lost, n, z)


def pairs_needed(margin: float, confidence: float = 0.95) -> int:
    """Return the fewest pictures that can show a loss to be within ``margin``.

    It is the least n at which :func:`paired_interval` without a discordant pair lies within
    ± ``margin``: z² / (n + z²) ≤ margin.

    Args:
        margin: A share between 0 and 1, both excluded.
        confidence: Between 0 and 1, both excluded.

    Raises:
        ValueError: ``margin`` or ``confidence`` is not between 0 and 1.
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin of {margin} is not between 0 and 1")
    return math.ceil(normal_quantile(confidence) ** 2 * (1 - margin) / margin)


def _check_counts(gained: int, lost: int, n: int) -> None:
    if min(gained, lost) < 0 or gained + lost > n:
        raise ValueError(f"{gained} gained and {lost} lost of {n} pictures")


def _upper_end(gained: int, lost: int, n: int, z: float) -> float:
    """Return the least difference above the observed one that the score test rejects."""
    low, high = (gained - lost) / n, 1.0
    # Bisection to the last bit: the score falls as the difference grows.
    while low < (middle := (low + high) / 2) < high:
        if _is_rejected(middle, gained, lost, n, z):
            high = middle
        else:
            low = middle
    return high


def _is_rejected(difference: float, gained: int, lost: int, n: int, z: float) -> bool:
    """Test P(gained) - P(lost) = ``difference`` by its score; Tango 1998, section 3."""
    if difference < 0:  # the same with the roles changed; below, P(gained) = P(lost) + difference
        return _is_rejected(-difference, lost, gained, n, z)
    # P(lost) of largest likelihood under that condition: the root ≥ 0 of 2n·q² + b·q - c = 0.
    b = (2 * n - gained + lost) * difference - gained - lost
    c = lost * difference * (1 - difference)
    root = math.sqrt(b * b + 8 * n * c)
    q = (root - b) / (4 * n) if b <= 0 else 2 * c / (root + b)  # without cancellation
    variance = n * (2 * q + difference * (1 - difference))
    return (gained - lost - n * difference) ** 2 > z * z * variance
