"""Small residual networks: the teacher for 28×28 pictures, and one for folders of colour pictures.

A residual network learns what to add to its input, so that depth costs no gradient; global average
pooling makes the head independent of the picture's size.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor, nn

from edgenet.errors import UsageError
from edgenet.models.blocks import at_least_one, probability
from edgenet.models.spec import Variant


@dataclass(frozen=True, kw_only=True)
class ResidualOptions:
    """What may vary within the family.

    Attributes:
        stem: Output channels of the first convolution.
        channels: Output channels, one number a stage; every stage after the first halves the
            picture.
        blocks: Residual blocks a stage.
        pool_stem: Whether 2×2 max pooling follows the first convolution.
        dropout: Probability of dropping a feature before the last layer, in [0, 1).

    Raises:
        UsageError: A value is out of its range.
    """

    stem: int = 32
    channels: tuple[int, ...] = (32, 64, 128)
    blocks: int = 1
    pool_stem: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least_one("stem", (self.stem,))
        at_least_one("channels", self.channels)
        at_least_one("blocks", (self.blocks,))
        probability("dropout", self.dropout)


def residual(options: ResidualOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a stem, stages of residual blocks, global average pooling and one linear layer.

    Args:
        options: Sizes of the layers.
        shape: Input shape (C, H, W).
        classes: Number of logits.

    Raises:
        UsageError: The pictures are too small to be pooled.

    Source:
        He, Zhang, Ren, Sun 2016, Deep residual learning for image recognition, arXiv:1512.03385,
        figure 2 and option B of section 3.3, with a stem for small pictures.
    """
    if options.pool_stem and min(shape[1:]) < 2:
        raise UsageError(
            f"pictures of {shape[1]}×{shape[2]} cannot be pooled",
            "use larger pictures, or -o pool_stem=false",
        )
    features: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(shape[0], options.stem, 3, padding=1, bias=False),
        norm=nn.BatchNorm2d(options.stem),
        activation=nn.ReLU(),
    )
    if options.pool_stem:
        features["pool"] = nn.MaxPool2d(2)
    inputs = options.stem
    for stage, outputs in enumerate(options.channels, start=1):
        for block in range(1, options.blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            features[f"stage{stage}_block{block}"] = ResidualBlock(inputs, outputs, stride)
            inputs = outputs
    head: OrderedDict[str, nn.Module] = OrderedDict(
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()
    )
    if options.dropout:
        head["dropout"] = nn.Dropout(options.dropout)
    head["output"] = nn.Linear(inputs, classes)
    return nn.Sequential(
        OrderedDict(features=nn.Sequential(features), classifier=nn.Sequential(head))
    )


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions whose result is added to the input.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: Of the first convolution. Where the shape changes, a 1×1 convolution with the same
            stride brings the input to it.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
                norm1=nn.BatchNorm2d(outputs),
                activation1=nn.ReLU(),
                conv2=nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
                norm2=nn.BatchNorm2d(outputs),
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                    norm=nn.BatchNorm2d(outputs),
                )
            )
        self.add = Add()
        self.activation = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, ⌈H/stride⌉, ⌈W/stride⌉]."""
        added: Tensor = self.activation(self.add(self.body(images), self.shortcut(images)))
        return added


class Add(nn.Module):
    """The sum of two tensors, as a module so that it has a name and a row in the layer table."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Add two tensors of one shape."""
        return first + second


TEACHER = Variant(
    family=residual,
    options=ResidualOptions(),
    about="a residual net for 28×28 that teaches smaller ones",
    source="He et al. 2016, arXiv:1512.03385, at the size of MNIST",
)

RESNET_8 = Variant(
    family=residual,
    options=ResidualOptions(stem=16, channels=(16, 32, 64)),
    about="a residual net of 8 layers for folders of colour pictures of any size",
    source="He et al. 2016, arXiv:1512.03385, section 4.2 with n = 1",
)
