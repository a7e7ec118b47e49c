"""S4's 4×4 map under every pooling, by numbers that can be checked by eye."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from edgenet.explain.pooling import EXAMPLE, STOCHASTIC, global_average, pooled


def test_the_example_of_the_source_is_pooled_as_it_says() -> None:
    """The maxima are 6, 8, 9, 6; the means 3.75, 5.25, 4.5, 3."""
    found = pooled(EXAMPLE, 2)
    assert found["max"].tolist() == [[6, 8], [9, 6]]
    assert found["average"].tolist() == [[3.75, 5.25], [4.5, 3]]
    assert found["L2"][0, 0] == pytest.approx(math.sqrt((1 + 9 + 25 + 36) / 4))
    assert global_average(EXAMPLE).tolist() == [[4.125]]


def test_stochastic_pooling_takes_values_of_the_windows_and_the_same_by_a_seed() -> None:
    """It never makes a value up, and torch's own generator is left alone."""
    before = torch.get_rng_state()
    first = pooled(EXAMPLE, 2)[STOCHASTIC]
    assert np.array_equal(first, pooled(EXAMPLE, 2)[STOCHASTIC])
    assert torch.equal(before, torch.get_rng_state())
    for i in range(2):
        for j in range(2):
            assert first[i, j] in EXAMPLE[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]


def test_stochastic_pooling_is_left_out_for_negative_values() -> None:
    """A share cannot be negative."""
    assert STOCHASTIC not in pooled(-EXAMPLE, 2)
