"""What the families share: the linear head, halving by pooling, and checks of options."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from edgenet.errors import UsageError


def linear_head(
    inputs: int,
    widths: tuple[int, ...],
    classes: int,
    *,
    activation: type[nn.Module] | None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build flatten, then linear layers with an activation (and dropout) between them.

    Args:
        inputs: Number of features after flattening.
        widths: Widths of the hidden layers.
        classes: Width of the last layer, which has no activation.
        activation: Class of the activation; None leaves the layers out.
        dropout: Probability of dropping a hidden unit; 0 leaves the layers out.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for number, width in enumerate(widths, start=1):
        layers[f"linear{number}"] = nn.Linear(inputs, width)
        if activation is not None:
            layers[f"activation{number}"] = activation()
        if dropout:
            layers[f"dropout{number}"] = nn.Dropout(dropout)
        inputs = width
    layers["output"] = nn.Linear(inputs, classes)
    return nn.Sequential(layers)


def halved(shape: tuple[int, int, int], times: int) -> tuple[int, int]:
    """Return height and width of a picture (C, H, W) after so many 2×2 poolings.

    Raises:
        UsageError: Nothing would be left.
    """
    height, width = (side >> times for side in shape[1:])
    if min(height, width) < 1:
        raise UsageError(
            f"pictures of {shape[1]}×{shape[2]} cannot be halved {times} times",
            "use fewer channels entries, or larger pictures",
        )
    return height, width


def at_least_one(name: str, values: tuple[int, ...], *, may_be_empty: bool = False) -> None:
    """Refuse an option with a number below 1, or without any number.

    Raises:
        UsageError: It is so; the message names the option.
    """
    if not (values or may_be_empty) or any(value < 1 for value in values):
        raise UsageError(f"model option {name!r} takes numbers from 1 up, not {values}")


def probability(name: str, value: float) -> None:
    """Refuse an option outside [0, 1).

    Raises:
        UsageError: It is outside; the message names the option.
    """
    if not 0 <= value < 1:
        raise UsageError(f"model option {name!r} takes 0 up to below 1, not {value}")
