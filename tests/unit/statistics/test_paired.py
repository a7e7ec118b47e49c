"""Paired tests and intervals against published examples, by properties, and by exact coverage."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.statistics import mcnemar_p, paired_interval, pairs_needed, wilson_interval
from tests.pairs import outcomes

Z_SQUARED = 1.959963984540054**2

tables = st.integers(1, 5_000).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda gained: st.tuples(st.just(gained), st.integers(0, n - gained), st.just(n))
    )
)

cached_interval = lru_cache(maxsize=None)(paired_interval)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(1, 7, 0.0703), (6, 16, 0.052479), (12, 2, 0.0129)],
    ids=["airways", "consolidation", "sputum"],
)
def test_mcnemars_p_is_the_published_one(gained: int, lost: int, p: float) -> None:
    """Three worked examples, to their last printed digit.

    Bentur et al. 2009 in Fagerland, Lydersen, Laake 2013, table 1; Cavo et al. 2012 in their
    "Statistical Analysis of Contingency Tables", chapter 8; Armitage and Berry 1994, p. 127.
    """
    digits = 6 if p == 0.052479 else 4
    assert round(mcnemar_p(gained, lost), digits) == p


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_is_the_binomial_sum_in_whole_numbers(gained: int, lost: int) -> None:
    """The terms are computed from each other in floats; here they are added as fractions."""
    pairs = gained + lost
    tail = sum(math.comb(pairs, k) for k in range(min(gained, lost) + 1))
    exact = min(Fraction(1), Fraction(2 * tail, 2**pairs))
    assert mcnemar_p(gained, lost) == pytest.approx(float(exact), rel=1e-12)
    assert mcnemar_p(gained, lost) == mcnemar_p(lost, gained)


def test_mcnemars_p_of_equal_counts_and_of_none_is_one() -> None:
    """Nothing speaks against equal accuracies."""
    assert mcnemar_p(0, 0) == 1
    assert mcnemar_p(7, 7) == 1


def test_mcnemars_p_of_many_pairs_neither_overflows_nor_loses_its_digits() -> None:
    """Four standard deviations: the normal distribution's 6.33e-5, and no C(10⁶, k) as a float."""
    assert mcnemar_p(498_000, 502_000) == pytest.approx(math.erfc(4 / math.sqrt(2)), rel=0.01)
    assert mcnemar_p(0, 2_000) == 0


@pytest.mark.parametrize(
    ("gained", "lost", "n", "low", "high"),
    [(1, 7, 21, -0.517, -0.026), (6, 16, 161, -0.1240, -0.0054)],
    ids=["airways", "consolidation"],
)
def test_the_paired_interval_is_the_published_one(
    gained: int, lost: int, n: int, low: float, high: float
) -> None:
    """Tango's intervals of the same studies, to their last printed digit.

    Fagerland, Lydersen, Laake 2014, "Recommended tests and confidence intervals for paired binomial
    proportions", Statistics in Medicine 33(16); and their book, chapter 8.
    """
    digits = 3 if n == 21 else 4
    assert tuple(round(end, digits) for end in paired_interval(gained, lost, n)) == (low, high)


@pytest.mark.parametrize("n", [1, 10, 5_000])
def test_without_a_discordant_pair_the_interval_has_a_closed_form(n: int) -> None:
    """± z² / (n + z²): not the width of zero that the normal approximation claims."""
    end = Z_SQUARED / (n + Z_SQUARED)
    assert paired_interval(0, 0, n) == pytest.approx((-end, end), rel=1e-12)


def test_no_pictures_tell_nothing_of_a_difference() -> None:
    """An empty split must not look like an equal one."""
    assert paired_interval(0, 0, 0) == (-1.0, 1.0)


def test_where_every_pair_is_discordant_the_interval_ends_at_one_and_has_a_width() -> None:
    """Five gains of five: the far end is Wilson's for a share of 5 in 5, taken to -1 to 1."""
    low, high = paired_interval(5, 0, 5)
    assert high == 1
    assert low == pytest.approx(2 * 5 / (5 + Z_SQUARED) - 1, rel=1e-12)
    assert paired_interval(0, 1, 1)[0] == -1


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_where_nothing_is_gained_the_lower_end_is_wilsons(counts: tuple[int, int]) -> None:
    """A loss of at most δ without gains is a share, and both ends come from its score test."""
    lost, n = counts
    upper = wilson_interval(lost, n)[1]
    assert paired_interval(0, lost, n)[0] == pytest.approx(-upper, rel=1e-9)


@given(tables)
def test_the_interval_holds_the_difference_and_changes_its_sign_with_the_roles(
    counts: tuple[int, int, int],
) -> None:
    """Rounding must not push an end past the difference or past the scale."""
    gained, lost, n = counts
    low, high = paired_interval(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert paired_interval(lost, gained, n) == (-high, -low)


@given(tables)
def test_one_more_loss_moves_both_ends_down(counts: tuple[int, int, int]) -> None:
    """A gate on the lower end must never be passed by losing a picture."""
    gained, lost, n = counts
    if gained + lost == n:
        return
    fewer, more = paired_interval(gained, lost, n), paired_interval(gained, lost + 1, n)
    assert more[0] <= fewer[0]
    assert more[1] <= fewer[1]


@pytest.mark.parametrize(("gained", "lost", "n"), [(1, 7, 21), (0, 5, 100), (12, 2, 50)])
def test_at_its_ends_the_score_is_z(gained: int, lost: int, n: int) -> None:
    """With the likelihood maximised by search instead of by the root of its equation."""
    for end in paired_interval(gained, lost, n):
        loss = _likeliest_loss(gained, lost, n, end)
        variance = n * (2 * loss + end * (1 - end))
        assert (gained - lost - n * end) ** 2 / variance == pytest.approx(Z_SQUARED, rel=1e-6)


def _likeliest_loss(gained: int, lost: int, n: int, difference: float) -> float:
    """Return P(lost) of largest likelihood where P(gained) = P(lost) + ``difference``."""

    def likelihood(loss: float) -> float:
        shares = (loss + difference, loss, 1 - 2 * loss - difference)
        counts = (gained, lost, n - gained - lost)
        return sum(k * math.log(p) for k, p in zip(counts, shares, strict=True) if k)

    low, high = max(0.0, -difference) + 1e-15, (1 - difference) / 2 - 1e-15
    for _ in range(200):  # the likelihood has one top: thirds close in on it
        third = (high - low) / 3
        if likelihood(low + third) < likelihood(high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


@pytest.mark.parametrize(
    ("n", "low_end", "coverage"), [(20, 0.031, 0.943), (100, 0.028, 0.933), (1_000, 0.026, 0.931)]
)
def test_the_interval_covers_what_it_claims(n: int, low_end: float, coverage: float) -> None:
    """By adding up every outcome. Where children lose, a gate reads the lower end alone.

    It claims 0.025 there and 0.95 in all; no approximation to a discrete distribution can have
    exactly that. These are the worst cases of docs/decisions/0007, rounded outwards.
    """
    means = []
    for gains in (0, 0.5, 2, 4, 16):
        for net in (0.001, 1, 2, 4, 6, 10, 15):
            if 2 * gains + net > n / 2:
                continue
            below = above = 0.0
            for gained, lost, probability in outcomes(n, gains / n, (gains + net) / n):
                low, high = cached_interval(gained, lost, n)
                below += probability * (low > -net / n + 1e-12)
                above += probability * (high < -net / n - 1e-12)
            assert below <= low_end, (gains, net)
            assert 1 - below - above >= coverage, (gains, net)
            means.append(1 - below - above)
    assert sum(means) / len(means) >= 0.95


@given(st.floats(0.0005, 0.5))
def test_the_pictures_needed_are_the_fewest_whose_interval_lies_within(margin: float) -> None:
    """One picture fewer, and even equal decisions leave more than the margin open."""
    n = pairs_needed(margin)
    assert paired_interval(0, 0, n)[0] >= -margin
    assert n == 1 or paired_interval(0, 0, n - 1)[0] < -margin


def test_half_a_point_takes_765_pictures() -> None:
    """1.959964² · 0.995 / 0.005 = 764.4."""
    assert pairs_needed(0.005) == 765


@pytest.mark.parametrize(("gained", "lost", "n"), [(-1, 2, 5), (2, -1, 5), (3, 3, 5)])
def test_pairs_that_cannot_be_are_refused(gained: int, lost: int, n: int) -> None:
    """They can only come from a mistake in the caller."""
    with pytest.raises(ValueError, match="lost of"):
        paired_interval(gained, lost, n)


def test_a_negative_count_has_no_p_and_a_margin_of_nothing_no_number_of_pictures() -> None:
    """The first would be a wrong probability, the second a division by zero."""
    with pytest.raises(ValueError, match="lost of"):
        mcnemar_p(-1, 3)
    for margin in (0.0, 1.0):
        with pytest.raises(ValueError, match="margin"):
            pairs_needed(margin)
