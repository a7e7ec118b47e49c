"""Intervals and quantiles against values worked out by hand or printed in tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.statistics import (
    mean_interval,
    median_interval,
    quantile,
    student_t_quantile,
    wilson_interval,
)


def test_wilsons_interval_of_eight_in_ten_is_the_textbooks() -> None:
    """By hand with z = 1.959964: (0.99207 ± 0.31032) / 1.38415."""
    low, high = wilson_interval(8, 10)
    assert low == pytest.approx(0.490162, abs=1e-6)
    assert high == pytest.approx(0.943318, abs=1e-6)


def test_wilsons_interval_of_a_perfect_score_ends_at_one_and_still_has_a_width() -> None:
    """The normal approximation would claim certainty: n / (n + z²) is the true lower end."""
    z_squared = 1.959963984540054**2
    low, high = wilson_interval(100, 100)
    assert high == 1.0
    assert low == pytest.approx(100 / (100 + z_squared), rel=1e-12)
    assert wilson_interval(0, 100) == pytest.approx((0.0, z_squared / (100 + z_squared)))


def test_no_trials_tell_nothing() -> None:
    """An empty split must not look like a bad one."""
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("correct", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_impossible_counts_and_confidences_are_refused(
    correct: int, n: int, confidence: float
) -> None:
    """They can only come from a mistake in the caller."""
    with pytest.raises(ValueError, match=r"successes|confidence"):
        wilson_interval(correct, n, confidence)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_always_holds_the_share_and_stays_within_zero_and_one(
    counts: tuple[int, int],
) -> None:
    """Rounding must not push an end past the share or past the scale."""
    correct, n = counts
    low, high = wilson_interval(correct, n)
    assert 0 <= low <= correct / n <= high <= 1


@pytest.mark.parametrize(
    ("degrees", "confidence", "expected"),
    [
        (1, 0.95, 12.7062),
        (2, 0.95, 4.30265),
        (3, 0.95, 3.18245),
        (4, 0.95, 2.77645),
        (5, 0.95, 2.57058),
        (9, 0.95, 2.26216),
        (30, 0.95, 2.04227),
        (120, 0.95, 1.97993),
        (1, 0.5, 1.0),
        (4, 0.99, 4.60409),
        (7, 0.90, 1.89458),
    ],
)
def test_students_t_is_the_printed_tables(degrees: int, confidence: float, expected: float) -> None:
    """Two-sided points as printed in every table of the distribution, to their last digit."""
    assert student_t_quantile(degrees, confidence) == pytest.approx(expected, rel=4e-6)


def test_students_t_has_closed_forms_for_one_and_two_degrees() -> None:
    """tan(πp/2) and p·√(2 / (1 - p²)): odd and even degrees go through different series."""
    assert student_t_quantile(1, 0.95) == pytest.approx(math.tan(math.pi * 0.95 / 2), rel=1e-12)
    expected = 0.95 * math.sqrt(2 / (1 - 0.95**2))
    assert student_t_quantile(2, 0.95) == pytest.approx(expected, rel=1e-12)


def test_students_t_approaches_the_normal_distribution() -> None:
    """With ever more values the interval becomes z's: t ≈ z + (z³ + z) / (4·degrees)."""
    z = 1.959963984540054
    for degrees in (100_000, 100_001):
        expected = z + (z**3 + z) / (4 * degrees)
        assert student_t_quantile(degrees, 0.95) == pytest.approx(expected, abs=1e-8)


def test_the_interval_of_a_mean_of_five_seeds_is_worked_out_by_hand() -> None:
    """Mean 3, s = √2.5, t(4) = 2.77645: 3 ± 2.77645·√(2.5/5)."""
    assert mean_interval([1, 2, 3, 4, 5]) == pytest.approx((1.036757, 4.963243), abs=1e-5)


def test_the_mean_of_one_value_has_no_interval() -> None:
    """One seed says nothing about the spread."""
    with pytest.raises(ValueError, match="two values"):
        mean_interval([0.993])


def test_a_quantile_interpolates_between_neighbours() -> None:
    """With n = 5, q = 0.9: h = 3.6, 0.6 of the way from 4 to 10; the order is free."""
    samples = [10.0, 1.0, 2.0, 4.0, 3.0]
    assert quantile(samples, 0.9) == pytest.approx(4 + 0.6 * 6)
    assert quantile(samples, 0.5) == 3
    assert (quantile(samples, 0), quantile(samples, 1)) == (1, 10)
    assert quantile([7.0], 0.99) == 7


@pytest.mark.parametrize(("samples", "q"), [([], 0.5), ([1.0], 1.5), ([1.0], -0.1)])
def test_a_quantile_of_nothing_or_past_the_ends_is_refused(samples: list[float], q: float) -> None:
    """NumPy would answer NaN for the first, and a table would show it."""
    with pytest.raises(ValueError, match="quantile"):
        quantile(samples, q)


@pytest.mark.parametrize(
    ("n", "low", "high", "probability"),
    [
        (1, 1, 1, 0.0),
        (2, 1, 2, 0.5),
        (5, 1, 5, 0.9375),
        (6, 1, 6, 0.96875),
        (8, 1, 8, 0.9921875),
        (9, 2, 8, 0.9609375),
        (20, 6, 15, 0.9586),
        (100, 40, 61, 0.9648),
    ],
)
def test_the_medians_interval_lies_between_the_printed_tables_ranks(
    n: int, low: int, high: int, probability: float
) -> None:
    """Ranks and probabilities of the sign test; below 6 values 95 % cannot be had."""
    found = median_interval([float(rank) for rank in range(n, 0, -1)])
    assert found[:2] == (low, high)
    assert found[2] == pytest.approx(probability, abs=5e-5)


def test_the_median_of_nothing_has_no_interval() -> None:
    """Nor has one of an impossible confidence."""
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
    with pytest.raises(ValueError, match="confidence"):
        median_interval([1.0], 1.0)
