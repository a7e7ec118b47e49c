"""Agreement of two sets of logits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgenet.verify.parity import compare, relative_bound

LOGITS = np.array([[1.0, -4.0, 2.0], [8.0, 0.0, -1.0]], np.float32)


def test_the_bound_is_twice_gamma_of_the_longest_sum() -> None:
    """γ_n = nu / (1 − nu) with u = 2⁻²⁴: for LeNet's 401 about 4.8e-5."""
    n, u = 401, 2.0**-24
    assert relative_bound(n) == pytest.approx(2 * n * u / (1 - n * u), rel=1e-12)
    assert relative_bound(n) == pytest.approx(4.8e-5, rel=0.01)


def test_a_sum_too_long_for_float32_has_no_bound() -> None:
    """From 2²⁴ terms on, the analysis says nothing."""
    assert relative_bound(1 << 24) == float("inf")


def test_the_bound_holds_for_sums_in_opposite_orders() -> None:
    """The criterion is derived, so random networks' last layers must satisfy it with room."""
    draw = np.random.Generator(np.random.PCG64(1))
    for n in (25, 400, 3136):
        weights = draw.normal(size=(10, n)).astype(np.float32)
        inputs = draw.normal(size=(50, n)).astype(np.float32)
        products = inputs[:, None, :] * weights
        forwards = np.add.accumulate(products, axis=2, dtype=np.float32)[:, :, -1]
        backwards = np.add.accumulate(products[:, :, ::-1], axis=2, dtype=np.float32)[:, :, -1]
        assert compare(forwards, backwards, relative_bound(n)).passed


def test_equal_logits_agree_without_any_error() -> None:
    """The plain case."""
    agreement = compare(LOGITS, LOGITS.copy(), 0.0)
    assert agreement.passed
    assert (agreement.n, agreement.equal_argmax, agreement.max_relative) == (2, 2, 0.0)


def test_the_error_is_relative_to_the_largest_logit_of_the_reference() -> None:
    """A difference of 0.4 beside a largest logit of 8 is 5 %."""
    candidate = LOGITS + np.array([[0.4, 0, 0], [0, 0, 0]], np.float32)
    agreement = compare(LOGITS, candidate, 0.06)
    assert agreement.max_absolute == pytest.approx(0.4)
    assert agreement.max_relative == pytest.approx(0.05)
    assert agreement.passed
    assert not compare(LOGITS, candidate, 0.04).passed


def test_one_other_decision_fails_however_small_the_error() -> None:
    """A flipped argmax is a flipped argmax."""
    reference = np.array([[1.0, 1.0 + 1e-6]], np.float32)
    agreement = compare(reference, reference[:, ::-1].copy(), 1.0)
    assert agreement.equal_argmax == 0
    assert not agreement.passed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_what_is_not_a_finite_number_agrees_with_nothing(value: float, side: int) -> None:
    """Not even with itself, and the JSON stays JSON."""
    pair: list[NDArray[np.float32]] = [LOGITS.copy(), LOGITS.copy()]
    pair[side][0, 1] = value
    agreement = compare(pair[0], pair[1], 1e9)
    assert not agreement.passed
    assert agreement.equal_argmax == 1
    assert agreement.to_json()["max_relative"] is None
    assert not compare(pair[side], pair[side], 1e9).passed


def test_a_network_that_says_nothing_agrees_only_with_itself() -> None:
    """All logits zero: no scale to be relative to."""
    zeros = np.zeros((2, 3), np.float32)
    assert compare(zeros, zeros, 1e-6).passed
    assert not compare(zeros, zeros + np.float32(1e-30), 1e-6).passed


def test_logits_of_another_shape_cannot_be_compared() -> None:
    """That is a mistake of the caller, not a disagreement."""
    with pytest.raises(ValueError, match="cannot compare"):
        compare(LOGITS, LOGITS[:1], 1.0)
