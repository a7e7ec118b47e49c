"""Pooling by name: PyTorch's maximum and average, and two that it lacks or computes unsafely.

All take [N, C, H, W] to [N, C, ⌊H/kernel⌋, ⌊W/kernel⌋]; rows and columns that fill no window are
left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SMALLEST_NORMAL = torch.finfo(torch.float32).tiny


class StochasticPool2d(nn.Module):
    """Takes one activation of every window, with a probability in proportion to its size.

    Training draws from torch's global generator, and the gradient goes to what was drawn.
    Evaluation takes the mean of the window, weighted with the same probabilities: Σa²/Σa. A window
    of zeros gives 0.

    Args:
        kernel_size: Side of the square windows, which is also their stride.

    Source:
        Zeiler, Fergus 2013, Stochastic pooling for regularization of deep convolutional neural
        networks, arXiv:1301.3557, equations 4 to 6. Activations must not be negative.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = self.stride = kernel_size
        self.padding = 0

    def forward(self, maps: Tensor) -> Tensor:
        """Pool non-negative activations [N, C, H, W]."""
        if self.training:
            return self._drawn(maps)
        total = F.avg_pool2d(maps, self.kernel_size)
        return F.avg_pool2d(maps.square(), self.kernel_size) / total.clamp_min(_SMALLEST_NORMAL)

    def _drawn(self, maps: Tensor) -> Tensor:
        """Draw by a race: of waiting times with rates aᵢ, the i-th is over first with aᵢ/Σa."""
        side = self.kernel_size
        height, width = (length // side * side for length in maps.shape[2:])
        rows = maps[..., :height, :width].unflatten(3, (-1, side)).unflatten(2, (-1, side))
        windows = rows.transpose(3, 4).flatten(4)
        winner = (windows.detach() / torch.empty_like(windows).exponential_()).argmax(
            -1, keepdim=True
        )
        drawn: Tensor = windows.gather(-1, winner).squeeze(-1)
        return drawn


class L2Pool2d(nn.Module):
    """The root of the mean of the squares of every window: Lp pooling with p = 2.

    Between average (p = 1 of non-negative values) and maximum (p = ∞). The windows do not overlap
    and weigh all their values alike, where the source has Gaussian weights. PyTorch's own
    ``LPPool2d`` has an infinite slope at a window of zeros, which makes gradients NaN; here the
    slope of a window whose root is below 1e-6 is 0, and its value 1e-6.

    Args:
        kernel_size: Side of the square windows, which is also their stride.

    Source:
        Sermanet, Chintala, LeCun 2012, Convolutional neural networks applied to house numbers
        digit classification, arXiv:1204.3968, section 2.2.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = self.stride = kernel_size
        self.padding = 0

    def forward(self, maps: Tensor) -> Tensor:
        """Pool activations of any sign [N, C, H, W]; the result has none."""
        return F.avg_pool2d(maps.square(), self.kernel_size).clamp_min(1e-12).sqrt()


POOLINGS: dict[str, type[nn.Module]] = {
    "avg": nn.AvgPool2d,
    "max": nn.MaxPool2d,
    "stochastic": StochasticPool2d,
    "lp": L2Pool2d,
}
