"""Pooling before ReLU is the same function with the same gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgenet.models import ModelSpec, build
from edgenet.training.reorder import pooling_before_relu


@pytest.mark.parametrize("model", ["lenet5-relu", "simple-cnn"])
def test_logits_and_gradients_are_the_same_bit_for_bit(model: str) -> None:
    """Small whole-number inputs make many ties, where an order could matter."""
    network = build(ModelSpec(name=model, options={"dropout": 0.0})).train()
    other = copy.deepcopy(network)
    images = torch.randint(-1, 2, (8, 1, 28, 28)).float()
    labels = torch.arange(8)
    expected = network(images)
    F.cross_entropy(expected, labels).backward()
    with pooling_before_relu(other):
        logits = other(images)
        F.cross_entropy(logits, labels).backward()
    assert torch.equal(logits, expected)
    expected_gradients = dict(network.named_parameters())
    for name, parameter in other.named_parameters():
        gradient, wanted = parameter.grad, expected_gradients[name].grad
        assert gradient is not None
        assert wanted is not None
        assert torch.equal(gradient, wanted), name


def test_order_and_names_are_restored_even_after_an_error() -> None:
    """What is saved and exported is the network as its documentation draws it."""
    network = build(ModelSpec(name="lenet5-relu"))
    before = [key for key, _ in network.named_modules()]

    def failing() -> None:
        with pooling_before_relu(network):
            kinds = [type(module) for module in network.modules()]
            assert kinds.index(nn.MaxPool2d) < kinds.index(nn.ReLU)
            assert set(dict(network.named_modules())) == set(before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert [key for key, _ in network.named_modules()] == before


def test_other_activations_and_poolings_stay_where_they_are() -> None:
    """Only the pair that is the same in either order is moved."""
    network = build(ModelSpec(name="lenet5"))
    before = [key for key, _ in network.named_modules()]
    with pooling_before_relu(network):
        assert [key for key, _ in network.named_modules()] == before
