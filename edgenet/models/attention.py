"""Attention blocks by name: they weigh feature maps by what the whole picture shows.

Both keep the shape [N, C, H, W]. Their fully connected layers are 1×1 convolutions of 1×1 maps,
which is the same arithmetic without a change of layout, and have no biases.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

_REDUCTION = 4
"""How many channels share one hidden unit. The sources take 16, for 64 channels and more."""


class SqueezeExcitation(nn.Module):
    """Weighs every channel with a number in (0, 1) that follows from all channels' means.

    Args:
        channels: C.

    Source:
        Hu, Shen, Sun 2018, Squeeze-and-excitation networks, arXiv:1709.01507, section 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.excite = _bottleneck(channels)
        self.gate = nn.Sigmoid()

    def forward(self, maps: Tensor) -> Tensor:
        """Weigh [N, C, H, W] by channel."""
        weighed: Tensor = maps * self.gate(self.excite(self.squeeze(maps)))
        return weighed


class CBAM(nn.Module):
    """Weighs every channel, then every position, with a number in (0, 1).

    Channels are judged by their mean and their maximum through one shared bottleneck; positions by
    the mean and the maximum over the channels through one 7×7 convolution.

    Args:
        channels: C.

    Source:
        Woo, Park, Lee, Kweon 2018, CBAM: Convolutional block attention module, arXiv:1807.06521,
        equations 2 and 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.maximum = nn.AdaptiveMaxPool2d(1)
        self.bottleneck = _bottleneck(channels)
        self.channel_gate = nn.Sigmoid()
        self.over_channels = MeanAndMaximum()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.position_gate = nn.Sigmoid()

    def forward(self, maps: Tensor) -> Tensor:
        """Weigh [N, C, H, W] by channel and by position."""
        judged = self.bottleneck(self.mean(maps)) + self.bottleneck(self.maximum(maps))
        maps = maps * self.channel_gate(judged)
        weighed: Tensor = maps * self.position_gate(self.conv(self.over_channels(maps)))
        return weighed


class MeanAndMaximum(nn.Module):
    """The mean and the maximum over the channels, as two maps."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, 2, H, W]."""
        return torch.cat((maps.mean(1, keepdim=True), maps.amax(1, keepdim=True)), dim=1)


def _bottleneck(channels: int) -> nn.Sequential:
    """Return two layers over the channels, the first with fewer outputs, ReLU between them."""
    hidden = max(1, channels // _REDUCTION)
    return nn.Sequential(
        OrderedDict(
            reduce=nn.Conv2d(channels, hidden, 1, bias=False),
            activation=nn.ReLU(),
            expand=nn.Conv2d(hidden, channels, 1, bias=False),
        )
    )


ATTENTIONS: dict[str, Callable[[int], nn.Module] | None] = {
    "none": None,
    "se": SqueezeExcitation,
    "cbam": CBAM,
}
"""Blocks by name, each from its number of channels; None for no block."""
