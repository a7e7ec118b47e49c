"""LeNet-5 as the paper of 1998 has it: partly connected maps, trained subsampling, RBF output.

``docs/decisions/0005-lenet5-1998.md`` goes through the paper point by point.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgenet.errors import UsageError
from edgenet.models.digit_codes import CODE_LENGTH, codes
from edgenet.models.layers import ScaledTanh
from edgenet.models.spec import Variant

CONNECTIONS: tuple[tuple[int, ...], ...] = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
"""Which maps of S2 each of the 16 maps of C3 sees: Table I of the paper."""

_C1, _C5, _KERNEL = 6, 120, 5


@dataclass(frozen=True, kw_only=True)
class LeNet1998Options:
    """Nothing may vary: the paper has one network. ``lenet5`` takes options."""


def lenet_1998(
    options: LeNet1998Options,  # noqa: ARG001 - part of the interface; there are none
    shape: tuple[int, int, int],
    classes: int,
) -> nn.Module:
    """Build the layers C1 to F6 and the output of radial basis functions.

    C5 covers whatever map the picture's size leaves, as its 5×5 kernel covers the 5×5 map that
    32×32 leaves.

    Args:
        options: None.
        shape: Input shape (C, H, W), padded.
        classes: Number of logits.

    Raises:
        UsageError: The pictures are too small.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document
        recognition, section II.B, figure 2.
    """
    channels, *sides = shape
    for _ in range(2):
        sides = [(side - _KERNEL + 1) // 2 for side in sides]
    if min(sides) < 1:
        raise UsageError(
            f"padded pictures of {shape[1]}×{shape[2]} leave nothing after the second convolution "
            "of model lenet5-1998",
            "use larger pictures: 32×32 with the padding, as in the paper",
        )
    c3 = len(CONNECTIONS)
    features = OrderedDict(
        c1=nn.Conv2d(channels, _C1, _KERNEL),
        squash1=ScaledTanh(),
        s2=TrainableSubsampling2d(_C1),
        squash2=ScaledTanh(),
        c3=TableConv2d(_C1, CONNECTIONS, _KERNEL),
        squash3=ScaledTanh(),
        s4=TrainableSubsampling2d(c3),
        squash4=ScaledTanh(),
        c5=nn.Conv2d(c3, _C5, (sides[0], sides[1])),
        squash5=ScaledTanh(),
    )
    classifier = OrderedDict(
        flatten=nn.Flatten(),
        f6=nn.Linear(_C5, CODE_LENGTH),
        squash6=ScaledTanh(),
        output=RadialBasis(codes(classes)),
    )
    network = nn.Sequential(
        OrderedDict(features=nn.Sequential(features), classifier=nn.Sequential(classifier))
    )
    return network.apply(_initialise)


class TableConv2d(nn.Module):
    """A convolution without padding whose output maps see some of the input maps each.

    Trained are the kernels of the table's connections alone, [connections, kernel, kernel], and a
    bias a map. What runs is a dense convolution with zeros for the connections that are not there.

    Args:
        in_channels: Number of input maps.
        table: For each output map the input maps that it sees.
        kernel: Side of the square kernels.
    """

    places: Tensor

    def __init__(self, in_channels: int, table: Sequence[Sequence[int]], kernel: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, len(table)
        self.kernel_size, self.stride, self.padding = kernel, 1, 0
        self.products = in_channels * kernel * kernel
        self.fan_in = tuple(len(seen) * kernel * kernel for seen in table)
        places = [row * in_channels + column for row, seen in enumerate(table) for column in seen]
        self.weight = nn.Parameter(torch.empty(len(places), kernel, kernel))
        self.bias = nn.Parameter(torch.empty(len(table)))
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def dense(self) -> Tensor:
        """Return the kernels [out_channels, in_channels, kernel, kernel], zero where none is."""
        shape = (self.out_channels, self.in_channels, *self.weight.shape[1:])
        empty = self.weight.new_zeros(self.out_channels * self.in_channels, *shape[2:])
        return empty.index_copy(0, self.places, self.weight).reshape(shape)

    def forward(self, maps: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, H − kernel + 1, W − kernel + 1]."""
        return F.conv2d(maps, self.dense(), self.bias)

    def deployed(self) -> nn.Module:
        """Return the dense convolution."""
        shape = (self.in_channels, self.out_channels, self.kernel_size)
        return _with_numbers(nn.Conv2d(*shape, device="meta"), self.dense(), self.bias)


class TrainableSubsampling2d(nn.Module):
    """Adds up 2×2 windows, multiplies with a gain and adds a bias, both trained, one a map.

    Args:
        channels: Number of maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kernel_size = self.stride = 2
        self.padding = 0
        self.products = 4
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C, ⌊H/2⌋, ⌊W/2⌋]."""
        sums = F.avg_pool2d(maps, 2, divisor_override=1)
        return sums * self.weight[:, None, None] + self.bias[:, None, None]

    def deployed(self) -> nn.Module:
        """Return a convolution of every map by itself, each kernel four times the map's gain."""
        channels = len(self.weight)
        kernels = self.weight[:, None, None, None].expand(channels, 1, 2, 2)
        layer = nn.Conv2d(channels, channels, 2, stride=2, groups=channels, device="meta")
        return _with_numbers(layer, kernels, self.bias)


class RadialBasis(nn.Module):
    """Compares a feature vector with a fixed code a class: minus the squared distance.

    The paper's output is the squared distance itself, and its smallest one wins.

    Args:
        codes: The codes [classes, features], of −1 and 1.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, equation 7.
    """

    codes: Tensor

    def __init__(self, codes: list[list[float]]) -> None:
        super().__init__()
        self.products = len(codes[0])
        self.register_buffer("codes", torch.tensor(codes))

    def forward(self, features: Tensor) -> Tensor:
        """Map [N, features] to logits [N, classes], none above 0."""
        return -(features[:, None] - self.codes).square().sum(dim=2)


def _with_numbers(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """Give a layer without memory copies of these numbers."""
    layer.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
    layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def _initialise(module: nn.Module) -> None:
    """Draw weights and biases of a unit with F inputs uniformly from ±2.4/F.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, appendix A.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        bound = 2.4 / module.weight[0].numel()
        nn.init.uniform_(module.weight, -bound, bound)
        if module.bias is not None:
            nn.init.uniform_(module.bias, -bound, bound)
    elif isinstance(module, TrainableSubsampling2d):
        bound = 2.4 / module.products
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.uniform_(module.bias, -bound, bound)
    elif isinstance(module, TableConv2d):
        bounds = 2.4 / torch.tensor(module.fan_in)
        with torch.no_grad():
            nn.init.uniform_(module.weight, -1, 1)
            nn.init.uniform_(module.bias, -1, 1)
            module.weight.mul_(bounds[module.places // module.in_channels, None, None])
            module.bias.mul_(bounds)


LENET5_1998 = Variant(
    family=lenet_1998,
    options=LeNet1998Options(),
    pad=2,
    about="LeNet-5 as published in 1998: connection table, trained subsampling, RBF output",
    source="LeCun et al. 1998, section II.B; SPEC M10",
)
