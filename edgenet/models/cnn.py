"""Plain convolutional networks with 3×3 kernels: larger and stronger than LeNet-5."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from edgenet.models.blocks import at_least_one, halved, probability
from edgenet.models.heads import Hidden, linear_head
from edgenet.models.spec import Variant


@dataclass(frozen=True, kw_only=True)
class SimpleCNNOptions:
    """What may vary within the family.

    Attributes:
        channels: Output channels, one number a block.
        widths: Widths of the hidden linear layers.
        dropout: Probability of dropping a hidden unit of the head, in [0, 1).

    Raises:
        UsageError: A value is out of its range.
    """

    channels: tuple[int, ...] = (32, 64)
    widths: tuple[int, ...] = (128,)
    dropout: float = 0.5

    def __post_init__(self) -> None:
        at_least_one("channels", self.channels)
        at_least_one("widths", self.widths, may_be_empty=True)
        probability("dropout", self.dropout)


def simple_cnn(options: SimpleCNNOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build blocks of 3×3 convolution, normalisation, ReLU and max pooling, then a linear head.

    Args:
        options: Sizes of the layers.
        shape: Input shape (C, H, W).
        classes: Number of logits.

    Raises:
        UsageError: The pictures are too small for so many blocks.
    """
    height, width = halved(shape, len(options.channels))
    channels = shape[0]
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for number, out_channels in enumerate(options.channels, start=1):
        blocks[f"conv{number}"] = nn.Conv2d(channels, out_channels, 3, padding=1)
        blocks[f"norm{number}"] = nn.BatchNorm2d(out_channels)
        blocks[f"activation{number}"] = nn.ReLU()
        blocks[f"pool{number}"] = nn.MaxPool2d(2)
        channels = out_channels
    hidden = Hidden(widths=options.widths, activation=nn.ReLU, dropout=options.dropout)
    head = linear_head((channels, height, width), hidden, classes)
    return nn.Sequential(OrderedDict(features=nn.Sequential(blocks), classifier=head))


SIMPLE_CNN = Variant(
    family=simple_cnn,
    options=SimpleCNNOptions(),
    about="two 3×3 convolutions with batch normalisation and a wide head",
    source="SPEC M3",
)


@dataclass(frozen=True, kw_only=True)
class CNN3Options:
    """What may vary within the family.

    Attributes:
        channels: Output channels, one number a block of convolution, pooling and ReLU.
        widths: Widths of the hidden linear layers, which have no activation between them.

    Raises:
        UsageError: A value is out of its range.
    """

    channels: tuple[int, ...] = (32, 64, 128)
    widths: tuple[int, ...] = (128, 64)

    def __post_init__(self) -> None:
        at_least_one("channels", self.channels)
        at_least_one("widths", self.widths, may_be_empty=True)


def cnn3(options: CNN3Options, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build blocks of 3×3 convolution, max pooling and ReLU, then bare linear layers.

    Without an activation the linear layers are one linear map, written in three; they are kept as
    the source has them.

    Args:
        options: Sizes of the layers.
        shape: Input shape (C, H, W).
        classes: Number of logits.

    Raises:
        UsageError: The pictures are too small for so many blocks.
    """
    height, width = halved(shape, len(options.channels))
    inputs = shape[0]
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for number, outputs in enumerate(options.channels, start=1):
        blocks[f"conv{number}"] = nn.Conv2d(inputs, outputs, 3, padding=1)
        blocks[f"pool{number}"] = nn.MaxPool2d(2)
        blocks[f"activation{number}"] = nn.ReLU()
        inputs = outputs
    hidden = Hidden(widths=options.widths, activation=None)
    head = linear_head((inputs, height, width), hidden, classes)
    return nn.Sequential(OrderedDict(features=nn.Sequential(blocks), classifier=head))


CNN_3 = Variant(
    family=cnn3,
    options=CNN3Options(),
    about="three 3×3 convolutions, pooled before ReLU, and a linear head without activations",
    source="SPEC M8",
)
