"""The gradient of a kernel by hand, against autograd and against S4's formula."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from edgenet.explain.kernel_gradient import check_layer, demonstrate


def test_the_sum_of_patches_is_what_autograd_says_to_the_last_bit() -> None:
    """Whole numbers: 1·1 + 2·2 + 3·4 + 4·5 is 37, and so on (SPEC U5)."""
    shown = demonstrate()
    assert shown.gradient.tolist() == [[37, 47], [67, 77]]
    assert shown.outputs.tolist() == [[7, 9], [13, 15]]
    assert np.array_equal(shown.terms.sum(axis=0), shown.gradient)
    assert shown.autograd.tolist() == shown.gradient.tolist()
    assert shown.bias_gradient == shown.autograd_bias == 10
    assert shown.agrees


def test_the_demonstration_is_plain_json() -> None:
    """With every term."""
    values = json.loads(json.dumps(demonstrate().to_json()))
    assert values["terms"][3] == [[20, 24], [32, 36]]
    assert values["agrees"] is True


@pytest.mark.parametrize(
    ("channels", "stride", "padding", "dilation"),
    [(1, 1, 0, 1), (3, 1, 2, 1), (2, 2, 1, 1), (1, 1, 0, 2)],
)
def test_the_formula_holds_for_channels_strides_and_paddings(
    channels: int, stride: int, padding: int, dilation: int
) -> None:
    """On the first convolution of any network, within the rounding of the two orders of adding."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(channels, 4, 3, stride, padding, dilation),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ).eval()
    check = check_layer(network, torch.rand(5, channels, 12, 11), torch.tensor([0, 1, 2, 3, 0]))
    assert check is not None
    assert check.layer == "0"
    assert check.agrees
    assert check.largest_difference < 1e-12


def test_a_network_without_a_convolution_has_nothing_to_check() -> None:
    """None, not a check that passes."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert check_layer(network, torch.rand(1, 1, 2, 2), torch.tensor([0])) is None


def test_a_convolution_that_pads_with_other_values_than_zeros_is_not_compared() -> None:
    """The patches of the formula are padded with zeros, so the two would differ for no defect."""
    layer = nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")
    network = nn.Sequential(layer, nn.Flatten(), nn.Linear(32, 2)).eval()
    assert check_layer(network, torch.rand(1, 1, 4, 4), torch.tensor([1])) is None
