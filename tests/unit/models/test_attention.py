"""Attention blocks against their equations, written out."""

from __future__ import annotations

import torch

from edgenet.models.attention import CBAM, SqueezeExcitation

MAPS = torch.randn(2, 8, 5, 6, generator=torch.Generator().manual_seed(0))


def test_squeeze_and_excitation_weighs_channels_by_all_their_means() -> None:
    """Hu et al., equations 2 to 4, with the matrices of the layers."""
    block = SqueezeExcitation(8)
    first = block.excite.get_submodule("reduce").get_parameter("weight").flatten(1)
    second = block.excite.get_submodule("expand").get_parameter("weight").flatten(1)
    assert first.shape == (2, 8)
    gate = torch.sigmoid(torch.relu(MAPS.mean((2, 3)) @ first.T) @ second.T)
    torch.testing.assert_close(block(MAPS), MAPS * gate[:, :, None, None])


def test_cbam_weighs_channels_and_then_positions() -> None:
    """Woo et al., equations 2 and 3: one bottleneck for both statistics, one 7×7 kernel."""
    block = CBAM(8)
    judged = block.bottleneck(MAPS.mean((2, 3), keepdim=True))
    judged = judged + block.bottleneck(MAPS.amax((2, 3), keepdim=True))
    refined = MAPS * torch.sigmoid(judged)
    statistics = torch.stack((refined.mean(1), refined.amax(1)), dim=1)
    positions = torch.nn.functional.conv2d(statistics, block.conv.weight, padding=3)
    torch.testing.assert_close(block(MAPS), refined * torch.sigmoid(positions))


def test_a_block_of_few_channels_keeps_one_hidden_unit() -> None:
    """A quarter of 2 channels would be none."""
    assert SqueezeExcitation(2)(MAPS[:, :2]).shape == (2, 2, 5, 6)
