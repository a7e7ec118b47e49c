"""The LeNet family: convolutions with pooling, then a small head of linear layers.

LeNet-5 as it is taught, its ReLU variant, and every student of another size are this one class
with other numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from edgenet.errors import UsageError, unknown_name
from edgenet.models.spec import Variant

if TYPE_CHECKING:
    from torch import Tensor

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
POOLINGS: dict[str, type[nn.Module]] = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


@dataclass(frozen=True, kw_only=True)
class LeNetOptions:
    """What may vary within the family.

    Attributes:
        activation: ``relu``, ``sigmoid`` or ``tanh``, after every layer but the last.
        pooling: ``avg`` or ``max``, 2×2 with stride 2 after every convolution.
        kernel: Side of the square kernels, odd. The first convolution pads to keep the size.
        channels: Output channels, one number a convolution.
        widths: Widths of the hidden linear layers; none at all is allowed.
        batch_norm: Normalise every convolution's output before the activation.
        dropout: Probability of dropping a hidden unit of the head, in [0, 1).

    Raises:
        UsageError: A value is out of its range.
    """

    activation: str = "tanh"
    pooling: str = "avg"
    kernel: int = 5
    channels: tuple[int, ...] = (6, 16)
    widths: tuple[int, ...] = (120, 84)
    batch_norm: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        if self.pooling not in POOLINGS:
            raise unknown_name("pooling", self.pooling, POOLINGS)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise UsageError(f"model option 'kernel' takes an odd number, not {self.kernel}")
        if not self.channels or min(self.channels) < 1:
            raise UsageError(
                f"model option 'channels' takes numbers from 1 up, not {self.channels}"
            )
        if self.widths and min(self.widths) < 1:
            raise UsageError(f"model option 'widths' takes numbers from 1 up, not {self.widths}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"model option 'dropout' takes 0 up to below 1, not {self.dropout}")


class LeNet(nn.Module):
    """Convolutional features and a linear head.

    Args:
        options: Sizes and kinds of the layers.
        shape: Input shape (C, H, W).
        classes: Number of logits.

    Raises:
        UsageError: The pictures are too small for so many convolutions.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document
        recognition, section II.B, in its simplified modern form.
    """

    def __init__(self, options: LeNetOptions, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        features: OrderedDict[str, nn.Module] = OrderedDict()
        for number, out_channels in enumerate(options.channels, start=1):
            padding = options.kernel // 2 if number == 1 else 0
            height, width = (
                (side + 2 * padding - options.kernel + 1) // 2 for side in (height, width)
            )
            if min(height, width) < 1:
                raise UsageError(
                    f"pictures of {shape[1]}×{shape[2]} leave nothing after convolution {number}",
                    "use fewer channels entries, a smaller kernel, or larger pictures",
                )
            features[f"conv{number}"] = nn.Conv2d(
                channels, out_channels, options.kernel, padding=padding
            )
            if options.batch_norm:
                features[f"norm{number}"] = nn.BatchNorm2d(out_channels)
            features[f"activation{number}"] = ACTIVATIONS[options.activation]()
            features[f"pool{number}"] = POOLINGS[options.pooling](2)
            channels = out_channels
        self.features = nn.Sequential(features)
        self.classifier = linear_head(
            channels * height * width,
            options.widths,
            classes,
            activation=ACTIVATIONS[options.activation],
            dropout=options.dropout,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Turn normalised images [N, C, H, W] into logits [N, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def linear_head(
    inputs: int,
    widths: tuple[int, ...],
    classes: int,
    *,
    activation: type[nn.Module],
    dropout: float,
) -> nn.Sequential:
    """Build flatten, then linear layers with an activation (and dropout) between them.

    Args:
        inputs: Number of features after flattening.
        widths: Widths of the hidden layers.
        classes: Width of the last layer, which has no activation.
        activation: Class of the activation.
        dropout: Probability of dropping a hidden unit; 0 leaves the layers out.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for number, width in enumerate(widths, start=1):
        layers[f"linear{number}"] = nn.Linear(inputs, width)
        layers[f"activation{number}"] = activation()
        if dropout:
            layers[f"dropout{number}"] = nn.Dropout(dropout)
        inputs = width
    layers["output"] = nn.Linear(inputs, classes)
    return nn.Sequential(layers)


LENET5 = Variant(
    family=LeNet,
    options=LeNetOptions(),
    about="LeNet-5 as it is taught: tanh and average pooling",
    source="LeCun et al. 1998, simplified; SPEC M4",
)

LENET5_RELU = Variant(
    family=LeNet,
    options=LeNetOptions(activation="relu", pooling="max"),
    about="LeNet-5 with ReLU and max pooling: the same size, faster and more accurate",
    source="LeCun et al. 1998, simplified; activation and pooling after Krizhevsky et al. 2012",
)
