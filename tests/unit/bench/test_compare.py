"""The ratio of two, its interval, and what is said of it, on times whose ratio is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenet.bench.compare import (
    CONFIDENCE,
    asked_confidence,
    independent_ratio,
    paired_ratio,
    spoiled_rounds_allowed,
)
from edgenet.statistics import mean_interval

ROUNDS = 12
TIMES = st.lists(st.floats(1.0, 1e6), min_size=6, max_size=20)


def test_the_ratio_is_the_median_of_the_rounds_and_its_ends_are_two_of_them() -> None:
    """Of 12 rounds the third from either side."""
    ratios = [1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09, 1.10, 1.11, 1.12]
    found = paired_ratio([100.0] * ROUNDS, [100 * one for one in reversed(ratios)])
    assert found.value == pytest.approx(math.sqrt(1.06 * 1.07))
    assert found.interval == pytest.approx((1.03, 1.10))
    assert found.confidence == pytest.approx(1 - 2 * (1 + 12 + 66) / 2**12)
    assert found.finding == "slower"


@settings(max_examples=50, deadline=None)
@given(TIMES, st.integers(0, 2**32 - 1))
def test_changing_sides_turns_the_ratio_over(a: list[float], seed: int) -> None:
    """Whoever is called A: what is slower by a share one way is faster by it the other way."""
    b = list(np.random.default_rng(seed).permutation(a) * 1.03)
    for compare in (paired_ratio, independent_ratio):
        there, back = compare(a, b), compare(b, a)
        assert back.value == pytest.approx(1 / there.value)
        assert there.low is not None
        assert there.high is not None
        assert (back.low, back.high) == pytest.approx((1 / there.high, 1 / there.low))
        assert there.low <= there.value * (1 + 1e-12)
        assert there.value <= there.high * (1 + 1e-12)


@settings(max_examples=50, deadline=None)
@given(TIMES, st.lists(st.floats(0.1, 10.0), min_size=20, max_size=20))
def test_what_slows_both_of_a_round_changes_nothing(a: list[float], factors: list[float]) -> None:
    """That is what turns are for: a machine ten times slower in one round is slower for both."""
    b = [1.05 * one for one in a]
    slower = [[one * by for one, by in zip(side, factors, strict=False)] for side in (a, b)]
    assert paired_ratio(*slower).value == pytest.approx(paired_ratio(a, b).value)


def test_two_spoiled_rounds_of_twelve_move_no_end_beyond_the_others() -> None:
    """Whatever they say, and on either side; a third does."""
    allowed = spoiled_rounds_allowed(ROUNDS)
    assert allowed == 2
    assert spoiled_rounds_allowed(6) == 0
    b = [100.0, 101.0] * 6
    for value in (1e-3, 1e3):
        spoiled = [100 * value] * allowed + b[allowed:]
        interval = paired_ratio([100.0] * ROUNDS, spoiled).interval
        assert interval is not None
        assert interval == pytest.approx((1.0, 1.01))
        more = paired_ratio([100.0] * ROUNDS, [100 * value] * 3 + b[3:]).interval
        assert more is not None
        assert pytest.approx(value) in more


def test_equal_coins_are_told_apart_as_rarely_as_is_said() -> None:
    """All 4,096 ways in which 12 rounds can fall on either side, each as likely as any other."""
    sides = (np.arange(2**ROUNDS)[:, None] >> np.arange(ROUNDS)) & 1
    spread = np.linspace(0.02, 0.04, ROUNDS)  # where a side that is told is no negligible one
    told = 0
    for side in sides:
        b = 100 * np.exp(np.where(side, spread, -spread))
        told += paired_ratio([100.0] * ROUNDS, b.tolist()).finding != "not told apart"
    assert told / 2**ROUNDS == pytest.approx(2 * 79 / 4096)
    assert told / 2**ROUNDS <= 1 - CONFIDENCE


def test_too_few_rounds_say_nothing_however_clear_they_are() -> None:
    """Five of a kind come by chance in one case of 16."""
    found = paired_ratio([100.0] * 5, [300.0] * 5)
    assert found.value == pytest.approx(3)
    assert found.interval is None
    assert (found.finding, found.against(1.05)) == ("not told apart", "cannot tell")
    assert found.fewest == 6
    assert paired_ratio([100.0] * 6, [300.0] * 6).finding == "slower"
    assert paired_ratio([100.0], [300.0], asked=asked_confidence(2)).fewest == 7


@pytest.mark.parametrize(
    ("low", "high", "finding", "against"),
    [
        (1.06, 1.08, "slower", "above"),
        (1.02, 1.04, "slower", "within"),
        (1.04, 1.07, "slower", "cannot tell"),
        (1.012, 1.04, "slower", "within"),
        (1.008, 1.04, "not told apart", "within"),
        (0.99, 1.02, "not told apart", "within"),
        (0.96, 0.992, "not told apart", "within"),
        (0.96, 0.988, "faster", "within"),
        (0.90, 0.92, "faster", "within"),
        (0.99, 1.20, "not told apart", "cannot tell"),
    ],
)
def test_the_whole_interval_decides(low: float, high: float, finding: str, against: str) -> None:
    """A regression is shown by all of it, never by its middle."""
    found = paired_ratio([100.0] * 6, [100 * low, *[100 * (low + high) / 2] * 4, 100 * high])
    assert (found.finding, found.against(1.05)) == (finding, against)


def test_it_is_told_how_many_more_rounds_would_tell() -> None:
    """Half the width takes four times as many; where the ratio is the limit none are enough."""
    b = [100 * one for one in (0.98, 1.0, 1.02, 1.0, 1.04, 1.02, 1.0, 1.02, 0.98, 1.02, 1.04, 1.0)]
    found = paired_ratio([100.0] * ROUNDS, b)
    assert found.value == pytest.approx(1.01, abs=1e-3)
    assert found.n_needed(1.0) in range(14, 40)
    assert found.n_needed(found.value) is None
    assert found.n_needed() is None  # a hundredth is negligible
    for b_takes in (1.015, 0.985):
        more = paired_ratio([100.0] * ROUNDS, [one * b_takes / found.value for one in b])
        assert more.finding == "not told apart"
        assert more.n_needed() in range(14, 60)
    assert paired_ratio([100.0] * ROUNDS, [100.0] * ROUNDS).n_needed() is None


def test_processes_of_two_sittings_have_students_interval() -> None:
    """Of equal variances it is that of the difference of two means, with n - 1 degrees each."""
    a, b = [100.0, 101.0, 102.0], [110.0, 111.1, 112.2]
    found = independent_ratio(a, b)
    assert found.value == pytest.approx(1.1)
    low, high = mean_interval(np.log(a))  # of one mean, with two degrees of freedom
    half = (high - low) / 2 / 4.302653 * 2.776445 * math.sqrt(2)
    assert found.interval == pytest.approx((1.1 * math.exp(-half), 1.1 * math.exp(half)))
    assert (found.paired, found.finding) == (False, "slower")


def test_one_process_of_each_has_no_interval() -> None:
    """There is nothing to know their spread from."""
    found = independent_ratio([100.0], [200.0])
    assert found.value == pytest.approx(2)
    assert (found.interval, found.n_needed()) == (None, None)


def test_several_findings_together_hold_as_often_as_one() -> None:
    """Twenty comparisons at 95 % would raise one false alarm in every run."""
    assert asked_confidence(1) == CONFIDENCE
    assert asked_confidence(2) == pytest.approx(0.975)
    found = paired_ratio([100.0] * ROUNDS, [100.0, 101.0] * 6, asked=asked_confidence(2))
    assert found.confidence >= 0.975
    assert spoiled_rounds_allowed(ROUNDS, asked_confidence(2)) == 1


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [0.0]), ([1.0], [math.nan])])
def test_what_is_no_time_is_refused(a: list[float], b: list[float]) -> None:
    """A clock that stood still has no ratio."""
    for compare in (paired_ratio, independent_ratio):
        with pytest.raises(ValueError, match="times"):
            compare(a, b)
    with pytest.raises(ValueError, match="do not pair up"):
        paired_ratio([1.0, 2.0], [1.0])
