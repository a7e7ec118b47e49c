"""What a network consists of and costs: its layer table, parameters, MACs and receptive fields."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from edgenet.models import build, variant
from edgenet.models.layers import Multiplying, Sliding
from edgenet.models.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One row of the layer table.

    Attributes:
        name: Dotted name of the module.
        kind: Its class, such as ``Conv2d``.
        output: Shape of one output, without the batch: [C, H, W] or [features].
        kernel: Side lengths of the kernel; none for layers without.
        weights: Trainable numbers that multiply.
        biases: Trainable numbers that are added, those of a normalisation included.
        macs: Multiply–accumulates for one image.
        receptive_field: Pixels of the input, height and width, that one output depends on.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    kernel: tuple[int, int] | None
    weights: int
    biases: int
    macs: int
    receptive_field: tuple[int, int]

    @property
    def parameters(self) -> int:
        """All trainable numbers of the layer."""
        return self.weights + self.biases


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The layer table of a network with its totals.

    Attributes:
        spec: What was summarised.
        layers: One row for every layer that computes something, in order.
        longest_reduction: Most values that are added into one output of any layer, bias included.
    """

    spec: ModelSpec
    layers: tuple[Layer, ...]
    longest_reduction: int

    @property
    def parameters(self) -> int:
        """All trainable numbers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def weights_only(self) -> int:
        """Trainable numbers without any bias: the first convention of counting."""
        return sum(layer.weights for layer in self.layers)

    @property
    def mixed(self) -> int:
        """Weights of all layers and biases of linear layers only: a convention met in tutorials."""
        linear = sum(layer.biases for layer in self.layers if layer.kind == "Linear")
        return self.weights_only + linear

    @property
    def macs(self) -> int:
        """Multiply–accumulates for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def float32_bytes(self) -> int:
        """Bytes of all parameters as float32."""
        return 4 * self.parameters

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: spec, layers, totals and the three counts of parameters."""
        return {
            "spec": self.spec.to_json(),
            "layers": [{**asdict(layer), "parameters": layer.parameters} for layer in self.layers],
            "parameters": self.parameters,
            "parameters_by_convention": {
                "weights only": self.weights_only,
                "weights, and biases of linear layers": self.mixed,
                "all": self.parameters,
            },
            "macs": self.macs,
            "float32_bytes": self.float32_bytes,
            "longest_reduction": self.longest_reduction,
        }


def summarise(spec: ModelSpec) -> Summary:
    """Build the network of ``spec`` without memory for its weights and write its layer table.

    Windows follow ⌊(W − K + 2P)/S⌋ + 1; the receptive field grows by (K − 1) times the product of
    all strides before. Where branches meet, the larger field counts. A layer that is called twice
    has one row with the MACs of both calls.

    Raises:
        UsageError: The spec cannot be built.

    Source:
        Dumoulin, Visin 2016, arXiv:1603.07285, relationship 6; Araujo, Norris, Sim 2019,
        Computing receptive fields of convolutional neural networks, equation 2.
    """
    with torch.device("meta"):
        network = build(spec).eval()
    pad = variant(spec.name).pad
    height, width = (side + 2 * pad for side in spec.image_size)
    image = torch.zeros(1, spec.in_channels, height, width, device="meta")
    table = _Table(image)
    for name, module in network.named_modules():
        if not list(module.children()) or list(module.parameters(recurse=False)):
            module.register_forward_hook(table.recorder(name))
    network(image)
    return Summary(
        spec=spec,
        layers=tuple(table.layers.values()),
        longest_reduction=max(table.reductions, default=1),
    )


@dataclass(frozen=True)
class _Reach:
    """What one value of a tensor sees of the picture, each as (height, width).

    Attributes:
        field: Its receptive field in pixels.
        stride: Pixels of the picture between two neighbouring values.
    """

    field: tuple[int, int]
    stride: tuple[int, int]

    def joined(self, other: _Reach) -> _Reach:
        """Return the larger of both, side by side."""
        fields = zip(self.field, other.field, strict=True)
        strides = zip(self.stride, other.stride, strict=True)
        return _Reach(_pair([max(both) for both in fields]), _pair([max(both) for both in strides]))

    def grown(self, window: _Window, image: tuple[int, int]) -> _Reach:
        """Return what a window over such values sees: no more than the picture."""
        sides = zip(self.field, window.kernel, self.stride, image, strict=True)
        fields = [min(field + (kernel - 1) * s, side) for field, kernel, s, side in sides]
        strides = [s * step for s, step in zip(self.stride, window.stride, strict=True)]
        return _Reach(_pair(fields), _pair(strides))


@dataclass(frozen=True)
class _Window:
    """A window that slides over a map, each as (height, width)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def over(self, sides: tuple[int, ...]) -> tuple[int, ...]:
        """Return height and width of the output for a map of these sides."""
        lengths = zip(sides, self.kernel, self.stride, self.padding, strict=True)
        return tuple((side - k + 2 * p) // s + 1 for side, k, s, p in lengths)


class _Table:
    """Collects rows while a forward pass runs, layer after layer."""

    def __init__(self, image: Tensor) -> None:
        self.layers: dict[str, Layer] = {}
        self.reductions: list[int] = []
        self._image = _pair(image.shape[2:])
        self._farthest = _Reach((1, 1), (1, 1))
        # By identity. The tensors are kept, so that none takes the place of one that is gone.
        self._reaches = {id(image): (image, self._farthest)}
        self._counted: set[int] = set()

    def recorder(self, name: str) -> Any:
        """Return a forward hook that writes the row of the module called ``name``."""

        def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            window = _window(module)
            self._follow(module, inputs, output, window)
            if isinstance(module, _WITHOUT_ROW):
                return
            terms = _terms(module, inputs[0], window)
            shape = tuple(output.shape[1:])
            if window:
                shape = (shape[0], *window.over(tuple(inputs[0].shape[2:])))
            multiplies = _multiplies(module)
            macs = terms * math.prod(shape) if multiplies else 0
            if name in self.layers:
                row = self.layers[name]
                self.layers[name] = replace(row, macs=row.macs + macs)
                return
            weights, biases = self._own_parameters(module)
            # A layer without bias gets one when normalisation is folded into it.
            self.reductions.append(terms + multiplies)
            self.layers[name] = Layer(
                name=name,
                kind=type(module).__name__,
                output=shape,
                kernel=window.kernel if window else None,
                weights=weights,
                biases=biases,
                macs=macs,
                receptive_field=self._reach(output).field,
            )

        return record

    def _follow(
        self,
        module: nn.Module,
        inputs: tuple[Tensor, ...],
        output: Tensor,
        window: _Window | None,
    ) -> None:
        """Note what the output of ``module`` sees, unless a module within it has noted it."""
        if list(module.children()) and id(output) in self._reaches:
            return
        reach = self._reach(inputs[0])
        for other in inputs[1:]:
            reach = reach.joined(self._reach(other))
        if window:
            reach = reach.grown(window, self._image)
        elif isinstance(module, _WHOLE):
            reach = _Reach(self._image, reach.stride)
        self._farthest = self._farthest.joined(reach)
        self._reaches[id(output)] = (output, reach)

    def _reach(self, tensor: Tensor) -> _Reach:
        """Return what a tensor sees; one that no layer made, sees as far as any before it."""
        _, reach = self._reaches.get(id(tensor), (tensor, self._farthest))
        return reach

    def _own_parameters(self, module: nn.Module) -> tuple[int, int]:
        """Return how many weights and biases of ``module`` itself no row has counted yet."""
        counts = {True: 0, False: 0}
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in self._counted:
                self._counted.add(id(parameter))
                counts[name == "bias"] += parameter.numel()
        return counts[False], counts[True]


_WITHOUT_ROW = (nn.Dropout, nn.Identity)
_WHOLE = (nn.Linear, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, Sliding)


def _multiplies(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Linear | Multiplying)


def _terms(module: nn.Module, source: Tensor, window: _Window | None) -> int:
    """Return how many values of its input a layer adds into one output; 0 if it adds none."""
    if isinstance(module, Multiplying):
        return module.products
    if isinstance(module, nn.Conv2d):
        return math.prod(module.kernel_size) * module.in_channels // module.groups
    if isinstance(module, nn.Linear):
        return module.in_features
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return math.prod(source.shape[2:])
    return math.prod(window.kernel) if window and not isinstance(module, nn.MaxPool2d) else 0


def _window(module: nn.Module) -> _Window | None:
    """Return the sliding window of a layer that has one."""
    if isinstance(module, _SLIDING):
        kernel, stride, padding = module.kernel_size, module.stride, module.padding
        return _Window(_pair(kernel), _pair(stride), _pair(padding))
    return None


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))
