"""How many samples a high quantile takes before it may be published."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=64)
def samples_needed(q: float, confidence: float = 0.99) -> int:
    """Return how many samples the ``q``-quantile takes, at the least.

    With so many independent samples at least two lie above the true quantile, with the confidence
    asked for; so an estimate below the greatest but one is not an accident of a tail that was never
    seen. For p90, p95, p99 and p99.9 at 99 % these are 64, 130, 662 and 6,636.

    Args:
        q: Between 0 and 1, both excluded.
        confidence: Between 0 and 1, both excluded.

    Raises:
        ValueError: One of them is not between 0 and 1.

    Source:
        MLPerf Inference rules, early stopping: the smallest n for which one query beyond the
        quantile is allowed (github.com/mlcommons/inference_policies, appendix of
        ``inference_rules.adoc``).
    """
    for name, value in (("quantile", q), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ValueError(f"a {name} of {value} is not between 0 and 1")

    def too_few(n: int) -> bool:
        """At most one of n samples lies above the quantile, with more than the chance allowed."""
        return float(q**n + n * (1 - q) * q ** (n - 1)) > 1 - confidence

    low, high = 1, 2
    while too_few(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if too_few(middle) else (low, middle)
    return high
