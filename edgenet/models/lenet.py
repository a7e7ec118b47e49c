"""The LeNet family: convolutions with pooling, then a small head of linear layers.

LeNet-5 as it is taught, its ReLU variant, and every student of another size are this one function
with other numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from edgenet.errors import UsageError, unknown_name
from edgenet.models.blocks import at_least_one, linear_head, probability
from edgenet.models.spec import Variant

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
INITS = ("torch", "xavier")
POOLINGS: dict[str, type[nn.Module]] = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


@dataclass(frozen=True, kw_only=True)
class LeNetOptions:
    """What may vary within the family.

    Attributes:
        activation: ``relu``, ``sigmoid`` or ``tanh``, after every layer but the last.
        pooling: ``avg`` or ``max``, 2×2 with stride 2 after every convolution.
        kernel: Side of the square kernels, odd.
        pad_first: Whether the first convolution pads its input to keep the size.
        channels: Output channels, one number a convolution.
        widths: Widths of the hidden linear layers; none at all is allowed.
        batch_norm: Normalise every convolution's output before the activation.
        dropout: Probability of dropping a hidden unit of the head, in [0, 1).
        init: ``torch`` (PyTorch's own) or ``xavier``: uniform after Glorot and Bengio 2010,
            equation 16, with zero biases.

    Raises:
        UsageError: A value is out of its range.
    """

    activation: str = "tanh"
    pooling: str = "avg"
    kernel: int = 5
    pad_first: bool = True
    channels: tuple[int, ...] = (6, 16)
    widths: tuple[int, ...] = (120, 84)
    batch_norm: bool = False
    dropout: float = 0.0
    init: str = "torch"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        if self.init not in INITS:
            raise unknown_name("init", self.init, INITS)
        if self.pooling not in POOLINGS:
            raise unknown_name("pooling", self.pooling, POOLINGS)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise UsageError(f"model option 'kernel' takes an odd number, not {self.kernel}")
        at_least_one("channels", self.channels)
        at_least_one("widths", self.widths, may_be_empty=True)
        probability("dropout", self.dropout)


def lenet(options: LeNetOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build convolutional features and a linear head.

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
    channels, height, width = shape
    features: OrderedDict[str, nn.Module] = OrderedDict()
    for number, out_channels in enumerate(options.channels, start=1):
        padding = options.kernel // 2 if number == 1 and options.pad_first else 0
        height, width = ((side + 2 * padding - options.kernel + 1) // 2 for side in (height, width))
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
    head = linear_head(
        channels * height * width,
        options.widths,
        classes,
        activation=ACTIVATIONS[options.activation],
        dropout=options.dropout,
    )
    network = nn.Sequential(OrderedDict(features=nn.Sequential(features), classifier=head))
    return network.apply(_init_xavier) if options.init == "xavier" else network


def _init_xavier(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


LENET5 = Variant(
    family=lenet,
    options=LeNetOptions(),
    about="LeNet-5 as it is taught: tanh and average pooling",
    source="LeCun et al. 1998, simplified; SPEC M4",
)

LENET5_RELU = Variant(
    family=lenet,
    options=LeNetOptions(activation="relu", pooling="max"),
    about="LeNet-5 with ReLU and max pooling: the same size, faster and more accurate",
    source="LeCun et al. 1998, simplified; activation and pooling after Krizhevsky et al. 2012",
)

LENET5_32 = Variant(
    family=lenet,
    options=LeNetOptions(pad_first=False),
    pad=2,
    about="LeNet-5 on 32×32: 28×28 pictures are zero-padded before the first convolution",
    source="LeCun et al. 1998, figure 2, simplified; SPEC M5",
)

LENET5_D2L = Variant(
    family=lenet,
    options=LeNetOptions(activation="sigmoid", init="xavier"),
    about="LeNet-5 with sigmoid everywhere and Xavier initialisation",
    source="Zhang et al., Dive into Deep Learning, section 7.6; SPEC M6",
)

LENET_CAFFE = Variant(
    family=lenet,
    options=LeNetOptions(
        activation="relu",
        pooling="max",
        pad_first=False,
        channels=(20, 50),
        widths=(500,),
        dropout=0.5,
    ),
    about="the wide LeNet of Caffe's MNIST example, with dropout",
    source="Caffe's examples/mnist/lenet.prototxt; SPEC M7",
)
