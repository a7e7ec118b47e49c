"""What every layer of a network makes of some pictures, seen by hooks on its modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MOST_MAPS = 16
"""Maps of a layer that are kept to be drawn."""

MOST_UNITS = 256
"""Units of a layer without maps that are kept to be drawn."""

_LONGEST_SIDE = 64
_NOT_SHOWN = (nn.Dropout, nn.Flatten, nn.Identity, nn.modules.batchnorm._BatchNorm)


@dataclass(frozen=True, kw_only=True, eq=False)
class Activation:
    """What one layer makes of the pictures.

    Attributes:
        name: Dotted name of the module, with ``#2`` after it for its second use, and so on.
        kind: Its class, such as ``Conv2d``.
        shape: Of one whole output, without the batch: [C, H, W] or [features].
        values: float32: of maps the first :data:`MOST_MAPS`, [N, maps, h, w], averaged to at most
            64 pixels a side; of maps of one pixel, and of features, the first :data:`MOST_UNITS`,
            [N, units].
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    values: NDArray[np.float32]

    @property
    def has_maps(self) -> bool:
        """Whether there are pictures to draw rather than single numbers."""
        return self.values.ndim == 4


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolingLayer:
    """A layer that makes maps smaller, one by one, with what it did to the first picture.

    Attributes:
        name: Dotted name of the module.
        kind: Its class.
        before: float32 [C, H, W].
        after: float32 [C, h, w], with h < H or w < W.
    """

    name: str
    kind: str
    before: NDArray[np.float32]
    after: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """One pass of some pictures through a network.

    Attributes:
        layers: In the order of their use; normalisation, dropout and reshaping are left out.
        pooling: The first layer that pools, or None.
    """

    layers: tuple[Activation, ...]
    pooling: PoolingLayer | None


@torch.inference_mode()
def record(network: nn.Module, inputs: Tensor) -> Recording:
    """Send pictures through a network in evaluation mode and keep what its layers give.

    A layer is a module that makes something of its own: one without modules in it, or one whose
    output is not that of the last module in it, as an attention block's is not.

    Args:
        network: In evaluation mode.
        inputs: float32 [N, C, H, W], preprocessed.
    """
    layers: list[Activation] = []
    pooling: list[PoolingLayer] = []
    uses: dict[str, int] = {}
    latest: Tensor | None = None

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def keep(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            nonlocal latest
            passed_on, latest = output is latest, output
            if passed_on or isinstance(module, _NOT_SHOWN):
                return
            uses[name] = uses.get(name, 0) + 1
            called = name if uses[name] == 1 else f"{name}#{uses[name]}"
            kind = type(module).__name__
            shape = tuple(output.shape[1:])
            layers.append(Activation(name=called, kind=kind, shape=shape, values=_kept(output)))
            if not pooling and _pools(module, given[0], output):
                before, after = (tensor[0].float().numpy().copy() for tensor in (given[0], output))
                pooling.append(PoolingLayer(name=called, kind=kind, before=before, after=after))

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in network.named_modules()]
    try:
        network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return Recording(layers=tuple(layers), pooling=pooling[0] if pooling else None)


def _kept(output: Tensor) -> NDArray[np.float32]:
    """Return the part of a layer's output that can be drawn; see :class:`Activation`."""
    if output.ndim != 4 or output.shape[2:].numel() == 1:
        units: NDArray[np.float32] = output.flatten(1)[:, :MOST_UNITS].float().numpy().copy()
        return units
    maps = output[:, :MOST_MAPS].float()
    factor = -(-max(maps.shape[2:]) // _LONGEST_SIDE)
    if factor > 1:
        maps = nn.functional.avg_pool2d(maps, factor, ceil_mode=True)
    drawn: NDArray[np.float32] = maps.numpy().copy()
    return drawn


def _pools(module: nn.Module, before: Tensor, after: Tensor) -> bool:
    """Tell whether a layer turns every map into a smaller map, by other means than convolution."""
    return (
        not isinstance(module, nn.Conv2d)
        and before.ndim == after.ndim == 4
        and before.shape[1] == after.shape[1]
        and 1 < after.shape[2:].numel() < before.shape[2:].numel()
    )


def first_kernels(network: nn.Module) -> tuple[str, NDArray[np.float32]] | None:
    """Return the name and the kernels [out, in, k, k] of the first convolution, or None.

    The first in the order of the modules; that is the one that sees the pictures.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            kernels: NDArray[np.float32] = module.weight.detach().float().cpu().numpy().copy()
            return name, kernels
    return None
