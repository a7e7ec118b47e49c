"""Layers that look at more than one row, for processes that each have some rows of a batch."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgenet.training.distributed import Ranks

_Norm = nn.BatchNorm1d | nn.BatchNorm2d


@contextlib.contextmanager
def whole_batch(network: nn.Module, ranks: Ranks) -> Iterator[None]:
    """Let batch normalisation and dropout compute as if this process had the whole batch.

    PyTorch's own ``SyncBatchNorm`` needs a GPU. Other layers that draw, such as stochastic pooling,
    draw for the rows that are here: as likely, but not the same as one process draws.
    """
    changed: list[nn.Module] = []
    try:
        for module in network.modules() if ranks.size > 1 else ():
            for kind, forward in _FORWARD.items():
                if isinstance(module, kind):
                    module.forward = functools.partial(forward, module, ranks)
                    changed.append(module)
        yield
    finally:
        for module in changed:
            del module.forward


class _Total(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, values: Tensor, ranks: Ranks) -> Tensor:
        context.ranks = ranks
        return ranks.total(values.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ranks: Ranks = context.ranks
        return ranks.total(gradient.clone(memory_format=torch.contiguous_format)), None


def _normalised(module: _Norm, ranks: Ranks, rows: Tensor) -> Tensor:
    """Normalise rows [n, C, …] by mean and variance over the rows of all processes.

    Source:
        Ioffe, Szegedy 2015, Batch normalization, arXiv:1502.03167, algorithm 1.
    """
    if not module.training:
        plain: Tensor = type(module).forward(module, rows)
        return plain
    values = rows.to(torch.promote_types(rows.dtype, torch.float32))
    over = [0, *range(2, values.dim())]
    shape = (-1, *[1] * (values.dim() - 2))
    n = ranks.batch * math.prod(values.shape[2:])
    mean = _Total.apply(values.sum(over), ranks) / n
    centred = values - mean.view(shape)
    variance = _Total.apply(centred.square().sum(over), ranks) / n
    _keep_averages(module, mean.detach(), variance.detach() * (n / max(n - 1, 1)))
    scaled = centred * (variance + module.eps).rsqrt().view(shape)
    if module.affine:
        scaled = scaled * module.weight.view(shape) + module.bias.view(shape)
    normalised: Tensor = scaled.to(rows.dtype)
    return normalised


@torch.no_grad()
def _keep_averages(module: _Norm, mean: Tensor, variance: Tensor) -> None:
    if module.num_batches_tracked is None:
        return
    module.num_batches_tracked.add_(1)
    seen = int(module.num_batches_tracked) if module.momentum is None else 0
    momentum = 1 / seen if module.momentum is None else module.momentum
    for average, now in ((module.running_mean, mean), (module.running_var, variance)):
        if average is not None:
            average.lerp_(now.to(average.dtype), momentum)


def _dropped(module: nn.Dropout, ranks: Ranks, rows: Tensor) -> Tensor:
    """Drop what one process would drop: the mask is drawn for the whole batch."""
    if not module.training:
        return rows
    layout = torch.channels_last if _is_channels_last(rows) else torch.contiguous_format
    ones = torch.ones((ranks.batch, *rows.shape[1:]), dtype=rows.dtype, device=rows.device)
    mask = F.dropout(ones.contiguous(memory_format=layout), module.p)
    return rows * mask[ranks.rank :: ranks.size]


def _is_channels_last(rows: Tensor) -> bool:
    return rows.dim() == 4 and rows.is_contiguous(memory_format=torch.channels_last)


_FORWARD: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.BatchNorm1d: _normalised,
    nn.BatchNorm2d: _normalised,
    nn.Dropout: _dropped,
}
