"""What hooks see of a network: every layer, branches and attention included."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgenet.explain.activations import MOST_MAPS, first_kernels, record
from edgenet.models import ModelSpec, build

INPUTS = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))


class Weighed(nn.Module):
    """Maps times what a module within makes of them: its output is no module's."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sigmoid()

    def forward(self, maps: Tensor) -> Tensor:
        """Weigh [N, C, H, W]."""
        weighed: Tensor = maps * self.gate(maps)
        return weighed


def test_the_layers_of_lenet5_come_in_their_order_with_their_values() -> None:
    """Each is what the network's own modules give, one after the other."""
    network = build(ModelSpec(name="lenet5")).eval()
    layers = {layer.name: layer for layer in record(network, INPUTS).layers}
    spatial = [name for name, layer in layers.items() if layer.has_maps]
    assert spatial == [
        f"features.{kind}{number}" for number in (1, 2) for kind in ("conv", "activation", "pool")
    ]
    maps = INPUTS
    with torch.inference_mode():
        for name, module in network.get_submodule("features").named_children():
            maps = module(maps)
            layer = layers[f"features.{name}"]
            assert layer.shape == tuple(maps.shape[1:])
            assert np.array_equal(layer.values, maps.numpy())
    assert layers["classifier.output"].values.shape == (2, 10)
    assert "classifier.flatten" not in layers


def test_hooks_are_gone_afterwards() -> None:
    """Looking leaves the network as it was."""
    network = build(ModelSpec(name="lenet5")).eval()
    record(network, INPUTS)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_block_that_computes_itself_is_a_layer_and_one_that_passes_on_is_none() -> None:
    """An attention block multiplies in its own forward; a sequence only calls its modules."""
    network = nn.Sequential(
        OrderedDict(body=nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 3))), weighed=Weighed())
    )
    names = [layer.name for layer in record(network, INPUTS).layers]
    assert names == ["body.conv", "weighed.gate", "weighed"]


def test_a_module_that_is_used_twice_is_seen_twice() -> None:
    """Neither hides the other."""
    shared = nn.ReLU()
    network = nn.Sequential(OrderedDict(a=shared, conv=nn.Conv2d(1, 1, 3), b=shared))
    names = [layer.name for layer in record(network, INPUTS).layers]
    assert names == ["a", "conv", "a#2"]


@pytest.mark.parametrize("attention", ["se", "cbam"])
def test_attention_is_seen(attention: str) -> None:
    """Its gates, and what comes out."""
    network = build(ModelSpec(name="lenet5", options={"attention": attention})).eval()
    kinds = [layer.kind for layer in record(network, INPUTS).layers]
    assert "Sigmoid" in kinds
    assert {"SqueezeExcitation", "CBAM"} & set(kinds)


def test_large_maps_are_averaged_and_many_are_cut() -> None:
    """What is kept fits a figure, whatever the network."""
    network = nn.Conv2d(1, MOST_MAPS + 4, 1)
    (layer,) = record(network, torch.zeros(1, 1, 200, 130)).layers
    assert layer.shape == (MOST_MAPS + 4, 200, 130)
    assert layer.values.shape == (1, MOST_MAPS, 50, 33)


def test_the_first_pooling_layer_is_kept_before_and_after() -> None:
    """Whatever its class: what makes maps smaller one by one, and is no convolution."""
    network = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 3, 3, stride=2), pool=nn.MaxPool2d(2)))
    pooling = record(network, INPUTS).pooling
    assert pooling is not None
    assert (pooling.name, pooling.kind) == ("pool", "MaxPool2d")
    assert (pooling.before.shape, pooling.after.shape) == ((3, 13, 13), (3, 6, 6))


def test_a_network_without_convolutions_has_no_maps_kernels_or_poolings() -> None:
    """Its units remain."""
    network = build(ModelSpec(name="mlp")).eval()
    recording = record(network, INPUTS)
    assert recording.layers
    assert not any(layer.has_maps for layer in recording.layers)
    assert recording.pooling is None
    assert first_kernels(network) is None


def test_the_first_kernels_are_those_that_see_the_picture() -> None:
    """By name, for three channels here."""
    network = build(ModelSpec(name="resnet8", in_channels=3, image_size=(32, 32)))
    found = first_kernels(network)
    assert found is not None
    name, kernels = found
    assert name == "features.conv"
    assert kernels.shape == (16, 3, 3, 3)
