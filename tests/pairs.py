"""Every outcome of a paired comparison with its probability, so that coverage is no simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator

_LEAST_LOG = -20.0  # outcomes below e⁻²⁰ together weigh less than 1e-5


def outcomes(n: int, gain: float, loss: float) -> Iterator[tuple[int, int, float]]:
    """Yield gained, lost and the probability of both, from the trinomial distribution.

    Args:
        n: Pictures.
        gain: Probability that only the child gets a picture right.
        loss: Probability that only the parent does.
    """
    for gained in _around(n, gain):
        for lost in _around(n - gained, loss / (1 - gain)):
            log = _binomial(n, gained, gain) + _binomial(n - gained, lost, loss / (1 - gain))
            if log > _LEAST_LOG:
                yield gained, lost, math.exp(log)


def _around(n: int, share: float) -> range:
    """Return the counts within six standard deviations, and a few more, of the mean."""
    reach = 6 * math.sqrt(n * share * (1 - share)) + 15
    return range(max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach)) + 1)


def _binomial(n: int, k: int, share: float) -> float:
    """Return the logarithm of the probability of ``k`` successes in ``n`` trials."""
    if share == 0:
        return 0.0 if k == 0 else -math.inf
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(share) + (n - k) * math.log1p(-share)
