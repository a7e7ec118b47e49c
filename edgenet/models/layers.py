"""Activations by name, and what a layer of the project's own can say of itself.

Whoever counts, exports or verifies a network asks a layer by these protocols, so that a new layer,
of this package or another, needs no line elsewhere.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Deployable(Protocol):
    """A layer that is trained in one form and runs in another, made of PyTorch's own layers."""

    def deployed(self) -> nn.Module:
        """Return the form that runs: a new module that computes the same, detached from this."""


@runtime_checkable
class Sliding(Protocol):
    """A layer of a square window that slides over maps [N, C, H, W], as PyTorch's own do.

    Attributes:
        kernel_size: Side of the window.
        stride: From one window to the next.
        padding: Rows and columns that are added on every side.
    """

    kernel_size: int
    stride: int
    padding: int


@runtime_checkable
class Multiplying(Protocol):
    """A layer whose outputs are sums of products, other than PyTorch's own.

    Attributes:
        products: How many products are added into one output.
    """

    products: int


class ScaledTanh(nn.Module):
    """1.7159·tanh(2x/3): about 1 at 1 and −1 at −1, where its curvature is largest.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document
        recognition, appendix A; LeCun, Bottou, Orr, Müller 1998, Efficient BackProp, section 4.4.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape to (−1.7159, 1.7159)."""
        return 1.7159 * torch.tanh(values * (2 / 3))


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "scaled-tanh": ScaledTanh,
}
