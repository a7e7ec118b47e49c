"""A plain convolutional network with batch normalisation: larger and stronger than LeNet-5."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from edgenet.errors import UsageError
from edgenet.models.lenet import linear_head
from edgenet.models.spec import Variant

if TYPE_CHECKING:
    from torch import Tensor


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
        if not self.channels or min(self.channels) < 1:
            raise UsageError(
                f"model option 'channels' takes numbers from 1 up, not {self.channels}"
            )
        if self.widths and min(self.widths) < 1:
            raise UsageError(f"model option 'widths' takes numbers from 1 up, not {self.widths}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"model option 'dropout' takes 0 up to below 1, not {self.dropout}")


class SimpleCNN(nn.Module):
    """Blocks of 3×3 convolution, batch normalisation, ReLU and 2×2 max pooling, then a linear head.

    Args:
        options: Sizes of the layers.
        shape: Input shape (C, H, W).
        classes: Number of logits.

    Raises:
        UsageError: The pictures are too small for so many blocks.
    """

    def __init__(
        self, options: SimpleCNNOptions, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        channels, height, width = shape
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for number, out_channels in enumerate(options.channels, start=1):
            blocks[f"conv{number}"] = nn.Conv2d(channels, out_channels, 3, padding=1)
            blocks[f"norm{number}"] = nn.BatchNorm2d(out_channels)
            blocks[f"activation{number}"] = nn.ReLU()
            blocks[f"pool{number}"] = nn.MaxPool2d(2)
            channels, height, width = out_channels, height // 2, width // 2
        if min(height, width) < 1:
            raise UsageError(
                f"pictures of {shape[1]}×{shape[2]} cannot be halved {len(options.channels)} times",
                "use fewer channels entries, or larger pictures",
            )
        self.features = nn.Sequential(blocks)
        self.classifier = linear_head(
            channels * height * width,
            options.widths,
            classes,
            activation=nn.ReLU,
            dropout=options.dropout,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Turn normalised images [N, C, H, W] into logits [N, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


SIMPLE_CNN = Variant(
    family=SimpleCNN,
    options=SimpleCNNOptions(),
    about="two 3×3 convolutions with batch normalisation and a wide head",
    source="SPEC M3",
)
