"""The gradient of a convolution's kernel: its inputs, summed with the upstream gradient's weights.

With P = W ⋆ X + b, every output P_k reads one patch of X, and ∂L/∂W = Σ_k δ_k · patch_k for
δ_k = ∂L/∂P_k; ∂L/∂b = Σ_k δ_k. The same holds for any size, stride, padding and number of channels.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

# Nine inputs, four weights and four upstream gradients, all whole, so that every sum is exact.
_INPUTS = np.arange(1.0, 10.0).reshape(3, 3)
_KERNEL = np.array([[1.0, 0.0], [-1.0, 2.0]])
_UPSTREAM = np.array([[1.0, 2.0], [3.0, 4.0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelGradient:
    """The demonstration on a 3×3 input and a 2×2 kernel, all float64.

    Attributes:
        inputs: X, [3, 3].
        kernel: W, [2, 2].
        outputs: P = W ⋆ X, [2, 2].
        upstream: δ = ∂L/∂P, [2, 2].
        patches: The inputs that each output reads, [4, 2, 2], row by row.
        gradient: ∂L/∂W = Σ δ_k · patch_k, [2, 2].
        bias_gradient: ∂L/∂b = Σ δ_k.
        autograd: ∂L/∂W as torch computes it, [2, 2].
        autograd_bias: ∂L/∂b as torch computes it.
    """

    inputs: NDArray[np.float64]
    kernel: NDArray[np.float64]
    outputs: NDArray[np.float64]
    upstream: NDArray[np.float64]
    patches: NDArray[np.float64]
    gradient: NDArray[np.float64]
    bias_gradient: float
    autograd: NDArray[np.float64]
    autograd_bias: float

    @property
    def terms(self) -> NDArray[np.float64]:
        """δ_k · patch_k, [4, 2, 2]: they add up to the gradient."""
        return self.upstream.reshape(-1, 1, 1) * self.patches

    @property
    def agrees(self) -> bool:
        """Whether autograd has the same numbers, to the last bit."""
        return (
            bool(np.array_equal(self.gradient, self.autograd))
            and self.bias_gradient == self.autograd_bias
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, with the terms and the verdict."""
        arrays = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }
        return {**arrays, "terms": self.terms.tolist(), "agrees": self.agrees}


def demonstrate() -> KernelGradient:
    """Compute the kernel's gradient by the sum of patches, and by autograd."""
    rows, columns = _KERNEL.shape
    places = [(i, j) for i in range(_UPSTREAM.shape[0]) for j in range(_UPSTREAM.shape[1])]
    patches = np.stack([_INPUTS[i : i + rows, j : j + columns] for i, j in places])
    inputs, kernel, upstream = (
        torch.from_numpy(array)[None, None] for array in (_INPUTS, _KERNEL, _UPSTREAM)
    )
    kernel.requires_grad_()
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    outputs = F.conv2d(inputs, kernel, bias)
    by_autograd, bias_by_autograd = torch.autograd.grad(outputs, (kernel, bias), upstream)
    return KernelGradient(
        inputs=_INPUTS,
        kernel=_KERNEL,
        outputs=(patches * _KERNEL).sum(axis=(1, 2)).reshape(_UPSTREAM.shape),
        upstream=_UPSTREAM,
        patches=patches,
        gradient=np.tensordot(_UPSTREAM.ravel(), patches, axes=1),
        bias_gradient=float(_UPSTREAM.sum()),
        autograd=by_autograd[0, 0].numpy(),
        autograd_bias=float(bias_by_autograd),
    )


@dataclass(frozen=True, kw_only=True)
class LayerCheck:
    """The same sum for a trained network's first convolution, against autograd.

    Attributes:
        layer: Dotted name of the module.
        terms: Patches that are added into each number of the gradient.
        largest_difference: From autograd, as a share of the gradient's largest number.
        agrees: Whether no number differs by more than the two orders of adding can, 2·γₙ·Σ|terms|.
    """

    layer: str
    terms: int
    largest_difference: float
    agrees: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return dict(vars(self))


def check_layer(network: nn.Module, inputs: Tensor, labels: Tensor) -> LayerCheck | None:
    """Compare both ways on the gradient of the cross-entropy, in float64.

    Args:
        network: In evaluation mode; it is not changed.
        inputs: float32 [N, C, H, W], preprocessed.
        labels: int64 [N].

    Returns:
        None for a network without a convolution, or whose first one is grouped, names its padding
        in words, or pads with other values than zeros.

    Source:
        Higham 2002, Accuracy and stability of numerical algorithms, section 3.1 (γₙ).
    """
    double = copy.deepcopy(network).double()
    found = next(((n, m) for n, m in double.named_modules() if isinstance(m, nn.Conv2d)), None)
    if found is None:
        return None
    name, layer = found
    padding = layer.padding
    if isinstance(padding, str) or layer.groups > 1 or layer.padding_mode != "zeros":
        return None
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, given, out: seen.extend((given[0], out)))
    loss = F.cross_entropy(double(inputs.double()), labels)
    handle.remove()
    by_autograd, upstream = torch.autograd.grad(loss, (layer.weight, seen[1]))
    patches = F.unfold(seen[0].detach(), layer.kernel_size, layer.dilation, padding, layer.stride)
    gradient = _sum_of_patches(upstream, patches).view_as(by_autograd)
    magnitude = _sum_of_patches(upstream.abs(), patches.abs()).view_as(by_autograd)
    terms = upstream.shape[0] * upstream.shape[2:].numel()
    rounding = terms * torch.finfo(torch.float64).eps / 2
    difference = (gradient - by_autograd).abs()
    largest = float(by_autograd.abs().max())
    return LayerCheck(
        layer=name,
        terms=terms,
        largest_difference=float(difference.max()) / largest if largest else 0.0,
        agrees=bool((difference <= 2 * rounding / (1 - rounding) * magnitude).all()),
    )


def _sum_of_patches(upstream: Tensor, patches: Tensor) -> Tensor:
    """Return Σ δ·patch, [out, C·k·k], of [N, out, H, W] and patches [N, C·k·k, H·W]."""
    return torch.einsum("nol,npl->op", upstream.flatten(2), patches)
