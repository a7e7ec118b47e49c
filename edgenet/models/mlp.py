"""Fully connected networks: the baseline that convolutions are measured against."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from edgenet.errors import unknown_name
from edgenet.models.blocks import at_least_one, linear_head, probability
from edgenet.models.lenet import ACTIVATIONS
from edgenet.models.spec import Variant


@dataclass(frozen=True, kw_only=True)
class MLPOptions:
    """What may vary within the family.

    Attributes:
        activation: ``relu``, ``sigmoid`` or ``tanh``, after every layer but the last.
        widths: Widths of the hidden layers, at least one.
        dropout: Probability of dropping a hidden unit, in [0, 1).

    Raises:
        UsageError: A value is out of its range.
    """

    activation: str = "relu"
    widths: tuple[int, ...] = (256, 128)
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        at_least_one("widths", self.widths)
        probability("dropout", self.dropout)


def mlp(options: MLPOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a network that takes flattened pixels through linear layers.

    Args:
        options: Widths and kinds of the layers.
        shape: Input shape (C, H, W).
        classes: Number of logits.
    """
    head = linear_head(
        math.prod(shape),
        options.widths,
        classes,
        activation=ACTIVATIONS[options.activation],
        dropout=options.dropout,
    )
    return nn.Sequential(OrderedDict(classifier=head))


MLP = Variant(
    family=mlp,
    options=MLPOptions(),
    about="fully connected 784-256-128-10 with dropout",
    source="SPEC M1",
)

MLP_SMALL = Variant(
    family=mlp,
    options=MLPOptions(widths=(256,)),
    about="fully connected 784-256-10 with dropout",
    source="SPEC M2",
)
