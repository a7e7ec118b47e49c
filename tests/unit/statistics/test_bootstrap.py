"""Intervals of quantiles whose samples come from a few processes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgenet.statistics import mean_interval, quantile
from edgenet.statistics.bootstrap import process_intervals

US = 1000


def test_of_processes_without_noise_it_is_students_interval() -> None:
    """All that is drawn then is which processes, and their mean has an interval of its own."""
    each = [30 * US, 31 * US, 33 * US, 30 * US + 500, 32 * US]
    found = process_intervals([np.full(40, one) for one in each], [0.5])
    assert found is not None
    low, high = np.exp(mean_interval(np.log(each)))
    middle = np.mean(each)
    assert np.log(middle / found.mean[0]) == pytest.approx(np.log(middle / low), rel=0.1)
    assert np.log(found.mean[1] / middle) == pytest.approx(np.log(high / middle), rel=0.1)


def test_a_higher_quantile_is_never_the_lesser_one() -> None:
    """One process of three with a tail: its p90 may be anything, but not below the median."""
    plain = np.tile([30 * US, 30 * US, 31 * US, 31 * US], 50)
    found = process_intervals(
        [plain, plain, np.where(np.arange(200) % 4, plain, 90 * US)], [0.5, 0.9]
    )
    assert found is not None
    (low, high), (low_of_tail, high_of_tail) = found.quantiles
    assert low <= low_of_tail
    assert high <= high_of_tail


def test_equal_processes_leave_nothing_open() -> None:
    """Every draw is the same; both ends are the figure."""
    found = process_intervals([np.full(100, 30 * US)] * 3, [0.5, 0.9])
    assert found is not None
    for ends in (*found.quantiles, found.mean):
        assert ends == pytest.approx((30 * US, 30 * US))


def test_it_lies_around_the_quantile_of_all_samples() -> None:
    """Also of processes that ran unlike numbers of queries; the higher quantile is less sure."""
    generator = np.random.default_rng(1)
    processes = [_queries(generator, count, 0.01) for count in (900, 1100, 1000)]
    found = process_intervals(processes, [0.5, 0.99])
    assert found is not None
    whole = np.concatenate(processes)
    widths = []
    for share, (low, high) in zip((0.5, 0.99), found.quantiles, strict=True):
        value = quantile(whole, share)
        assert low < value < high
        assert np.sqrt(low * high) == pytest.approx(value)
        widths.append(high / low)
    assert widths[1] > widths[0] > 1


def test_processes_that_differ_count_for_more_than_many_queries() -> None:
    """A hundred times as many queries of the same three processes tell little more."""
    few, many = (
        process_intervals(
            [_queries(np.random.default_rng(process), count, 0.02) for process in range(3)], [0.5]
        )
        for count in (2_000, 200_000)
    )
    assert few is not None
    assert many is not None
    widths = [np.log(one.quantiles[0][1] / one.quantiles[0][0]) for one in (few, many)]
    assert widths[1] > 0.5 * widths[0]


def test_one_process_says_nothing_of_another() -> None:
    """However many queries it ran."""
    assert process_intervals([np.arange(1, 5000)], [0.5]) is None
    with pytest.raises(ValueError, match="says nothing"):
        process_intervals([np.arange(1, 5), np.array([], np.int64)], [0.5])


def test_a_clock_that_is_too_coarse_gives_finite_ends() -> None:
    """It tells 0 for what is shorter than a tick."""
    found = process_intervals([np.array([0, 0, 0, 1000]), np.array([0, 1000, 0, 0])], [0.5, 0.9])
    assert found is not None
    assert np.isfinite(found.quantiles).all()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [3, 6])
def test_it_holds_the_truth_as_often_as_it_says(processes: int) -> None:
    """Of 600 made-up measurements: 95 %, within what so many tell (4 standard errors)."""
    generator = np.random.default_rng(0)
    held = {0.5: 0, 0.9: 0}
    truth = {0.5: 30.0 * US, 0.9: 30.0 * US * np.exp(np.hypot(0.05, 0.01) * 1.2815516)}
    for _ in range(600):
        found = process_intervals(
            [_queries(generator, 200, 0.01) for _ in range(processes)], list(held)
        )
        assert found is not None
        for share, (low, high) in zip(held, found.quantiles, strict=True):
            held[share] += low <= truth[share] <= high
    for share, count in held.items():
        assert abs(count / 600 - 0.95) <= 4 * np.sqrt(0.95 * 0.05 / 600), share


def _queries(generator: np.random.Generator, count: int, differ: float) -> NDArray[np.int64]:
    """Return the times of one process: its own shift, and 5 % of noise in each query."""
    shift = generator.normal(0, differ)
    return (30 * US * np.exp(shift + generator.normal(0, 0.05, count))).astype(np.int64)
