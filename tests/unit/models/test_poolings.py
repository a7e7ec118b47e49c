"""Pooling layers that PyTorch lacks or computes unsafely."""

from __future__ import annotations

import pytest
import torch

from edgenet.models.poolings import POOLINGS, L2Pool2d, StochasticPool2d

WINDOW = torch.tensor([[[[1.0, 0.0], [3.0, 4.0]]]])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_rows_and_columns_that_fill_no_window_are_left_out(pooling: str) -> None:
    """In training as in evaluation."""
    layer = POOLINGS[pooling](2)
    maps = torch.rand(2, 3, 7, 5)
    assert layer.train()(maps).shape == layer.eval()(maps).shape == (2, 3, 3, 2)


def test_stochastic_pooling_draws_each_value_as_often_as_it_is_large() -> None:
    """Zeiler and Fergus, equation 4: of 8,000 draws 1/8, none, 3/8 and 1/2, within five sigma."""
    torch.manual_seed(0)
    drawn = StochasticPool2d(2).train()(WINDOW.expand(8000, 1, 2, 2))
    for value, share in ((1, 1 / 8), (0, 0), (3, 3 / 8), (4, 1 / 2)):
        sigma = (share * (1 - share) / 8000) ** 0.5
        assert (drawn == value).double().mean().item() == pytest.approx(share, abs=5 * sigma)


def test_stochastic_pooling_passes_the_gradient_to_what_was_drawn() -> None:
    """As max pooling does to the largest."""
    maps = WINDOW.clone().requires_grad_()
    drawn = StochasticPool2d(2).train()(maps)
    drawn.sum().backward()
    assert maps.grad is not None
    assert torch.equal(maps.grad, (drawn == WINDOW).float())


def test_stochastic_pooling_windows_are_where_they_are_for_the_others() -> None:
    """With one value other than 0 in each window there is nothing left to chance."""
    maps = torch.zeros(1, 1, 4, 6)
    maps[0, 0, [0, 1, 1, 2, 3, 2], [1, 2, 5, 0, 3, 4]] = torch.arange(1.0, 7.0)
    expected = torch.tensor([[[[1.0, 2, 3], [4, 5, 6]]]])
    layer = StochasticPool2d(2)
    assert torch.equal(layer.train()(maps), expected)
    assert torch.equal(layer.eval()(maps), expected)


def test_stochastic_pooling_is_evaluated_as_the_weighted_mean() -> None:
    """Equation 6: (1 + 9 + 16) / (1 + 3 + 4); a window of zeros is 0."""
    layer = StochasticPool2d(2).eval()
    assert layer(WINDOW).item() == pytest.approx(26 / 8)
    assert layer(torch.zeros(1, 1, 2, 2)).item() == 0


def test_l2_pooling_is_the_root_of_the_mean_square_whatever_the_signs() -> None:
    """√((1 + 0 + 9 + 16) / 4)."""
    assert L2Pool2d(2)(WINDOW).item() == pytest.approx(6.5**0.5)
    assert L2Pool2d(2)(-WINDOW).item() == pytest.approx(6.5**0.5)


def test_l2_pooling_of_zeros_has_a_gradient_that_is_a_number() -> None:
    """PyTorch's own LPPool2d gives NaN there, and ReLU makes whole windows of zeros."""
    maps = torch.zeros(1, 1, 4, 4, requires_grad=True)
    L2Pool2d(2)(maps).sum().backward()
    assert maps.grad is not None
    assert torch.count_nonzero(maps.grad) == 0
