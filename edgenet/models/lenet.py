"""The LeNet family: convolutions with pooling, then a small head.

LeNet-5 as it is taught, its ReLU variant, and every student of another size are this one function
with other numbers. The network of the 1998 paper itself is in ``lenet_1998``.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from edgenet.errors import UsageError
from edgenet.models.attention import ATTENTIONS
from edgenet.models.blocks import at_least_one, one_of, probability
from edgenet.models.heads import HEADS, Hidden
from edgenet.models.layers import ACTIVATIONS
from edgenet.models.poolings import POOLINGS
from edgenet.models.spec import Variant

INITS = ("torch", "xavier")
_SAME = "same"
_NOT_NEGATIVE = ("relu", "sigmoid")


@dataclass(frozen=True, kw_only=True)
class LeNetOptions:
    """What may vary within the family.

    Attributes:
        activation: ``relu``, ``sigmoid``, ``tanh`` or ``scaled-tanh``, after every layer but the
            last.
        last_activation: The activation after the last hidden layer, or ``same``.
        pooling: ``avg``, ``max``, ``stochastic`` or ``lp`` (p = 2), 2×2 with stride 2 after every
            convolution. Stochastic pooling takes activations for probabilities, so it goes with
            ``relu`` and ``sigmoid`` only.
        kernel: Side of the square kernels, odd.
        pad_first: Whether the first convolution pads its input to keep the size.
        channels: Output channels, one number a convolution.
        attention: ``none``, ``se`` (squeeze-and-excitation) or ``cbam``, after the last pooling.
        head: ``linear``; ``convolution``, whose first hidden layer is a convolution over the whole
            map; or ``global-average``, 1×1 convolutions up to one map a class and its mean.
        widths: Widths of the head's hidden layers; none at all is allowed but for ``convolution``.
        batch_norm: Normalise the output of every convolution of ``channels`` before the activation.
        dropout: Probability of dropping a hidden unit of the head, in [0, 1).
        init: ``torch`` (PyTorch's own) or ``xavier``: uniform after Glorot and Bengio 2010,
            equation 16, with zero biases.

    Raises:
        UsageError: A value is out of its range, or two values do not go together.
    """

    activation: str = "tanh"
    last_activation: str = _SAME
    pooling: str = "avg"
    kernel: int = 5
    pad_first: bool = True
    channels: tuple[int, ...] = (6, 16)
    attention: str = "none"
    head: str = "linear"
    widths: tuple[int, ...] = (120, 84)
    batch_norm: bool = False
    dropout: float = 0.0
    init: str = "torch"

    def __post_init__(self) -> None:
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("last_activation", self.last_activation, (_SAME, *ACTIVATIONS))
        one_of("pooling", self.pooling, POOLINGS)
        one_of("attention", self.attention, ATTENTIONS)
        one_of("head", self.head, HEADS)
        one_of("init", self.init, INITS)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise UsageError(f"model option 'kernel' takes an odd number, not {self.kernel}")
        at_least_one("channels", self.channels)
        at_least_one("widths", self.widths, may_be_empty=self.head != "convolution")
        probability("dropout", self.dropout)
        if self.pooling == "stochastic" and self.activation not in _NOT_NEGATIVE:
            raise UsageError(
                "model option 'pooling': stochastic takes activations for probabilities, and those "
                f"of {self.activation} may be negative",
                f"choose another pooling, or one of the activations {', '.join(_NOT_NEGATIVE)}",
            )
        if self.last_activation != _SAME and not self.widths:
            raise UsageError(
                "model option 'last_activation' needs a hidden layer, and 'widths' names none"
            )


def lenet(options: LeNetOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build convolutional features and a head.

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
                f"pictures of {shape[1]}×{shape[2]} leave nothing after convolution {number} "
                "of the model options 'channels' and 'kernel'",
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
    attention = ATTENTIONS[options.attention]
    if attention is not None:
        features["attention"] = attention(channels)
    hidden = Hidden(
        widths=options.widths,
        activation=ACTIVATIONS[options.activation],
        last_activation=ACTIVATIONS.get(options.last_activation),
        dropout=options.dropout,
    )
    head = HEADS[options.head]((channels, height, width), hidden, classes)
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

LENET5_CONV = Variant(
    family=lenet,
    options=LeNetOptions(pad_first=False, head="convolution", last_activation="sigmoid"),
    pad=2,
    about="LeNet-5 on 32×32 with C5 as a convolution and a sigmoid after F6",
    source="LeCun et al. 1998, figure 2, simplified; SPEC M9",
)
