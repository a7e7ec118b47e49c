"""Frozen parts, and learning rates of their own."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from edgenet.errors import UsageError
from edgenet.training.freeze import freeze, train_mode
from edgenet.training.optim import make_optimizer, set_rate
from edgenet.training.recipe import Recipe


def network() -> nn.Module:
    """Return features with a normalisation, and a head whose name begins like them."""
    features = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2)))
    return nn.Sequential(OrderedDict(features=features, features2=nn.Linear(2, 2)))


def test_a_frozen_part_gets_no_gradient_no_update_and_no_new_averages() -> None:
    """A name freezes what is below it, and not a neighbour whose name only begins the same."""
    recipe, net = Recipe(freeze=("features",)), network()
    freeze(net, recipe)
    train_mode(net, recipe)
    wanted = {name for name, p in net.named_parameters() if p.requires_grad}
    assert wanted == {"features2.weight", "features2.bias"}
    updated = [p for group in make_optimizer(net, recipe).param_groups for p in group["params"]]
    assert len(updated) == 2
    assert not net.get_submodule("features.norm").training
    assert net.get_submodule("features2").training


def test_every_part_learns_at_its_own_share_of_the_rate_and_the_longest_name_counts() -> None:
    """What no name covers learns at the whole rate."""
    recipe = Recipe(lr_factors={"features": 0.1, "features.norm": 0.5})
    optimizer = make_optimizer(network(), recipe)
    set_rate(optimizer, 2.0)
    rates = {len(group["params"][0].shape): group["lr"] for group in optimizer.param_groups}
    assert rates == {4: 0.2, 1: 1.0, 2: 2.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"freeze": ["feature"]}, "freeze: the network has no 'feature'"),
        ({"lr_factors": {"head": 0.1}}, "lr_factors: the network has no 'head'"),
        ({"freeze": ["features", "features2"]}, "leaves nothing to train"),
    ],
)
def test_a_part_that_is_not_there_is_refused(changes: dict[str, Any], message: str) -> None:
    """A misspelt part must not train all of the network in silence."""
    with pytest.raises(UsageError, match=message):
        freeze(network(), Recipe().replace(changes))


def test_freezing_nothing_leaves_every_gradient() -> None:
    """The common case changes nothing, also after another recipe had frozen a part."""
    net = network()
    freeze(net, Recipe(freeze=("features",)))
    freeze(net, Recipe())
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert torch.is_grad_enabled()
