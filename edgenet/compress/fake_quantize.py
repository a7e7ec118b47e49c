"""Computing in float32 what a Q/DQ file computes, so that training can feel the rounding.

A fake-quantized network has the layers, and the places of rounding, that
:func:`edgenet.compress.qdq.insert_qdq` writes: the input and the weight of every convolution and
linear layer, and nothing else. Scales are learned. PyTorch's own fake quantization multiplies with
1/scale where QuantizeLinear divides, which differs at ties; so it is not used.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from edgenet.compress.qdq import LayerSteps, Steps
from edgenet.errors import NotPossible
from edgenet.export.graph import deployed_form

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

WeightBits = Literal[4, 8]
Layer = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_SMALLEST_SCALE = torch.finfo(torch.float32).tiny
_SHARES = 64
"""How many clipping ranges are tried for a channel's weights, from a third of the largest up."""


class _Rounding(torch.autograd.Function):
    """scale · clamp(round(values / scale), lowest, highest), with a straight-through gradient."""

    @staticmethod
    def forward(context: Any, values: Tensor, scale: Tensor, lowest: int, highest: int) -> Tensor:
        context.save_for_backward(values, scale)
        context.bounds = (lowest, highest)
        return (values / scale).round_().clamp_(lowest, highest).mul_(scale)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        values, scale = context.saved_tensors
        lowest, highest = context.bounds
        steps = values / scale
        rounded = steps.round().clamp_(lowest, highest)
        within = (steps >= lowest) & (steps <= highest)
        of_values = gradient * within
        error = rounded.sub_(steps.mul_(within)).mul_(gradient)
        return of_values, error.sum_to_size(scale.shape), None, None


def rounded_to_steps(values: Tensor, scale: Tensor, lowest: int, highest: int) -> Tensor:
    """Round to the nearest of the steps lowest·scale to highest·scale, ties to the even one.

    The gradient passes where a value lies between the two ends, and is 0 beyond. That of the scale
    is the rounding error in steps; beyond the ends it is the end.

    Args:
        values: float32, any shape.
        scale: float32, above 0, of a shape that is broadcast to that of ``values``.
        lowest: The lowest step.
        highest: The highest step.

    Returns:
        float32 of the shape of ``values``; bit for bit what QuantizeLinear, and DequantizeLinear
        behind it, make of them where the integers' type ends at these steps.

    Source:
        Bengio, Léonard, Courville 2013, arXiv:1308.3432, section 1, for the gradient; Esser et al.
        2020, Learned step size quantization, arXiv:1902.08153, equation 3, for that of the scale.
    """
    rounded: Tensor = _Rounding.apply(values, scale, lowest, highest)
    return rounded


class FakeQuantize(nn.Module):
    """Rounding to steps whose size is learned, as its logarithm: it stays above 0.

    An update by Adam then changes a scale by a share of itself, however large it is.

    Args:
        scale: The scale to begin with, float32, above 0, broadcast to what is rounded.
        lowest: The lowest step.
        highest: The highest step.

    Source:
        Jain et al. 2020, Trained quantization thresholds, arXiv:1903.08066, section 3.2, for the
        logarithm.
    """

    def __init__(self, scale: Tensor, *, lowest: int, highest: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(scale.detach().log())
        self.lowest, self.highest = lowest, highest

    @property
    def scale(self) -> Tensor:
        """The scale, float32."""
        return self.log_scale.exp().clamp_min(_SMALLEST_SCALE)

    def forward(self, values: Tensor) -> Tensor:
        """Round float32 of any shape."""
        return rounded_to_steps(values, self.scale, self.lowest, self.highest)


class FakeQuantizedLayer(nn.Module):
    """A convolution or linear layer whose input and weight are rounded first.

    What is exactly 0 in the weight stays 0: a connection that a table or pruning took away.

    Args:
        layer: Is kept and trained.
        bits: Of the weight.
        magnitude: Largest |x| of its input.
    """

    kept: Tensor

    def __init__(self, layer: Layer, *, bits: WeightBits, magnitude: float) -> None:
        super().__init__()
        weight = layer.weight
        self.layer = layer
        entrance = torch.tensor(Steps.symmetric(magnitude).scale)
        highest = 2 ** (bits - 1) - 1
        self.of_input = FakeQuantize(entrance, lowest=-128, highest=127)
        self.of_weight = FakeQuantize(
            best_weight_scale(weight, highest), lowest=-highest, highest=highest
        )
        self.register_buffer("kept", weight.detach() != 0, persistent=False)

    @property
    def rounded_weight(self) -> Tensor:
        """The weight as the file has it, behind its DequantizeLinear."""
        weight: Tensor = self.of_weight(self.layer.weight)
        return weight * self.kept + 0.0  # no −0, which integers do not have

    def forward(self, values: Tensor) -> Tensor:
        """Compute the layer on rounded numbers."""
        arguments = (self.of_input(values),)
        result: Tensor = torch.func.functional_call(
            self.layer, {"weight": self.rounded_weight}, arguments
        )
        return result


def best_weight_scale(weight: Tensor, highest: int) -> Tensor:
    """Return the scale of every output channel that rounds its weights with the least square error.

    With few bits it pays to clip the largest weights, so that the others get finer steps.

    Args:
        weight: float32 [C_out, ...].
        highest: The highest step; the lowest is its negative.

    Returns:
        float32 [C_out, 1, ...], above 0.
    """
    flat = weight.detach().reshape(len(weight), -1)
    largest = flat.abs().amax(1, keepdim=True)
    best = torch.full_like(largest, torch.inf)
    scale = torch.ones_like(largest)
    for share in torch.linspace(1, 1 / 3, _SHARES).tolist():
        tried = (largest * share / highest).clamp_min(_SMALLEST_SCALE)
        rounded = rounded_to_steps(flat, tried, -highest, highest)
        error = (rounded - flat).square().sum(1, keepdim=True)
        better = error < best
        best, scale = torch.where(better, error, best), torch.where(better, tried, scale)
    scale = torch.where(largest > 0, scale, torch.ones_like(scale))
    return scale.reshape(-1, *[1] * (weight.dim() - 1))


def fake_quantized(network: nn.Module, inputs: Iterable[Tensor], *, bits: WeightBits) -> nn.Module:
    """Return the deployed form of a network, batch normalisation folded, with its layers rounding.

    Dropout drops nothing any more: rounding is noise enough.

    Args:
        network: Takes normalised float32 [N, C, H, W]; left as it is.
        inputs: Calibration pictures as the network takes them, in batches. The largest magnitude of
            a layer's input on them is the range that training starts from.
        bits: Of the weights; activations have 8.

    Raises:
        NotPossible: Batch normalisation remains that cannot be folded, there is no layer to
            quantize, or a value is not finite.
    """
    network = deployed_form(network)
    for name, module in network.named_modules():
        if isinstance(module, _DROPOUTS):
            module.p = 0.0
        if isinstance(module, _NORMALISATIONS):
            raise NotPossible(
                f"the batch normalisation {name!r} cannot be folded into the layer before it",
                "quantize after training, without --qat: it leaves normalisation in FP32",
            )
    magnitudes = _magnitudes(network, inputs)
    wrapped: dict[nn.Module, FakeQuantizedLayer] = {}
    for name, layer in _layers(network):
        if layer not in wrapped:
            magnitude = magnitudes[layer]
            wrapped[layer] = FakeQuantizedLayer(layer, bits=bits, magnitude=magnitude)
        network.set_submodule(name, wrapped[layer])
    return network


def rounded_form(network: nn.Module) -> nn.Module:
    """Return a copy of a fake-quantized network with plain layers and rounded weights.

    Its weights are, bit for bit, those that a file's DequantizeLinear nodes give. Inputs are not
    rounded: that is written into the file.
    """
    network = copy.deepcopy(network).eval()
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if isinstance(module, FakeQuantizedLayer):
            with torch.no_grad():
                module.layer.weight = nn.Parameter(module.rounded_weight.contiguous())
            network.set_submodule(name, module.layer)
    return network


def learned_steps(network: nn.Module) -> dict[str, LayerSteps]:
    """Return the steps of every layer of a fake-quantized network, by the layer's name."""
    return {
        name: LayerSteps(
            input=Steps(scale=module.of_input.scale.item()),
            weight=_array(module.of_weight.scale.flatten()),
        )
        for name, module in network.named_modules()
        if isinstance(module, FakeQuantizedLayer)
    }


def _layers(network: nn.Module) -> Iterator[tuple[str, Layer]]:
    """Yield the layers that can be quantized, under every name that they have."""
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if type(module) in _LAYERS:
            yield name, module


def _magnitudes(network: nn.Module, inputs: Iterable[Tensor]) -> dict[nn.Module, float]:
    """Return the largest |x| of every layer's input.

    Raises:
        NotPossible: There is no layer, or a value is not finite.
    """
    seen: dict[nn.Module, float] = {}

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        largest = arguments[0].abs().max().item()
        seen[module] = max(seen.get(module, 0.0), largest)

    layers = {layer for _, layer in _layers(network)}
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    if not hooks:
        raise NotPossible("the network has no convolution or linear layer to quantize")
    with torch.no_grad():
        for batch in inputs:
            network(batch)
    for hook in hooks:
        hook.remove()
    for name, layer in _layers(network):
        if not torch.tensor(seen.get(layer, torch.nan)).isfinite():
            raise NotPossible(
                f"the input of layer {name!r} is not a finite number on the calibration pictures",
                "the network itself overflows, or never uses the layer",
            )
    return seen


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy().copy()
    return array
