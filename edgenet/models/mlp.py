"""Fully connected networks: the baseline that convolutions are measured against."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from edgenet.models.blocks import at_least_one, one_of, probability
from edgenet.models.heads import Hidden, linear_head
from edgenet.models.layers import ACTIVATIONS
from edgenet.models.spec import Variant


@dataclass(frozen=True, kw_only=True)
class MLPOptions:
    """What may vary within the family.

    Attributes:
        activation: ``relu``, ``sigmoid``, ``tanh`` or ``scaled-tanh``, after every layer but
            the last.
        widths: Widths of the hidden layers, at least one.
        dropout: Probability of dropping a hidden unit, in [0, 1).

    Raises:
        UsageError: A value is out of its range.
    """

    activation: str = "relu"
    widths: tuple[int, ...] = (256, 128)
    dropout: float = 0.5

    def __post_init__(self) -> None:
        one_of("activation", self.activation, ACTIVATIONS)
        at_least_one("widths", self.widths)
        probability("dropout", self.dropout)


def mlp(options: MLPOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a network that takes flattened pixels through linear layers.

    Args:
        options: Widths and kinds of the layers.
        shape: Input shape (C, H, W).
        classes: Number of logits.
    """
    hidden = Hidden(
        widths=options.widths,
        activation=ACTIVATIONS[options.activation],
        dropout=options.dropout,
    )
    head = linear_head(shape, hidden, classes)
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
