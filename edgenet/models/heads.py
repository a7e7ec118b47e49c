"""Heads by name: from the last feature maps to one logit a class, with hidden layers between."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """The layers between the features and the last layer, which itself has no activation.

    Attributes:
        widths: Their widths.
        activation: Class of the activation after each; None leaves it out.
        last_activation: The same for the last of them, where it is another.
        dropout: Probability of dropping a unit; 0 leaves the layers out.
    """

    widths: tuple[int, ...]
    activation: type[nn.Module] | None
    last_activation: type[nn.Module] | None = None
    dropout: float = 0.0

    def after(self, number: int) -> OrderedDict[str, nn.Module]:
        """Return what follows the hidden layer of that number, counted from 1."""
        last = number == len(self.widths)
        activation = self.last_activation if last and self.last_activation else self.activation
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if activation is not None:
            layers[f"activation{number}"] = activation()
        if self.dropout:
            layers[f"dropout{number}"] = nn.Dropout(self.dropout)
        return layers


def linear_head(shape: tuple[int, int, int], hidden: Hidden, classes: int) -> nn.Sequential:
    """Build flatten, then linear layers.

    Args:
        shape: Of the features (C, H, W).
        hidden: The layers before the last.
        classes: Width of the last layer.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    _add_linear(layers, math.prod(shape), hidden, classes)
    return nn.Sequential(layers)


def convolution_head(shape: tuple[int, int, int], hidden: Hidden, classes: int) -> nn.Sequential:
    """Build a convolution whose kernel covers the whole map, then linear layers.

    The convolution is the first hidden layer. It has as many weights as a linear layer there, and
    computes the same.

    Args:
        shape: Of the features (C, H, W).
        hidden: The layers before the last, at least one.
        classes: Width of the last layer.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document
        recognition, section II.B: layer C5.
    """
    channels, height, width = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Conv2d(channels, hidden.widths[0], (height, width))
    layers.update(hidden.after(1))
    layers["flatten"] = nn.Flatten()
    _add_linear(layers, hidden.widths[0], hidden, classes, done=1)
    return nn.Sequential(layers)


def global_average_head(shape: tuple[int, int, int], hidden: Hidden, classes: int) -> nn.Sequential:
    """Build 1×1 convolutions up to one map a class, and take the mean of each map.

    The source has ReLU on the maps of the classes; here nothing stands between them and the mean,
    since a logit may be negative.

    Args:
        shape: Of the features (C, H, W).
        hidden: 1×1 convolutions before the last.
        classes: Number of maps.

    Source:
        Lin, Chen, Yan 2013, Network in network, arXiv:1312.4400, sections 3.1 and 3.2.
    """
    inputs = shape[0]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, width in enumerate(hidden.widths, start=1):
        layers[f"conv{number}"] = nn.Conv2d(inputs, width, 1)
        layers.update(hidden.after(number))
        inputs = width
    layers["output"] = nn.Conv2d(inputs, classes, 1)
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    return nn.Sequential(layers)


def _add_linear(
    layers: OrderedDict[str, nn.Module], inputs: int, hidden: Hidden, classes: int, *, done: int = 0
) -> None:
    """Add linear layers for the hidden layers that are not ``done``, and the last layer."""
    for number, width in enumerate(hidden.widths[done:], start=done + 1):
        layers[f"linear{number}"] = nn.Linear(inputs, width)
        layers.update(hidden.after(number))
        inputs = width
    layers["output"] = nn.Linear(inputs, classes)


HEADS: dict[str, Callable[[tuple[int, int, int], Hidden, int], nn.Sequential]] = {
    "linear": linear_head,
    "convolution": convolution_head,
    "global-average": global_average_head,
}
