"""What a network consists of and costs: its layer table, parameters, MACs and receptive fields."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from edgenet.models import build, variant
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
        longest_reduction: Most products that are added into one output of any layer, bias included.
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

    Shapes follow ⌊(W − K + 2P)/S⌋ + 1; the receptive field grows by (K − 1) times the product of
    all strides before.

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
    table = _Table(shape=(spec.in_channels, height, width))
    for name, module in network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(table.recorder(name))
    network(torch.zeros(1, spec.in_channels, height, width, device="meta"))
    return Summary(
        spec=spec, layers=tuple(table.layers), longest_reduction=max(table.reductions, default=1)
    )


class _Table:
    """Collects rows while a forward pass runs, layer after layer."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.layers: list[Layer] = []
        self.reductions: list[int] = []
        self._shape: tuple[int, ...] = shape
        self._image = shape[1:]
        self._field, self._stride = (1, 1), (1, 1)

    def recorder(self, name: str) -> Any:
        """Return a forward hook that writes the row of the module called ``name``."""

        def record(
            module: nn.Module, _inputs: tuple[torch.Tensor, ...], _output: torch.Tensor
        ) -> None:
            self._follow(module)
            if isinstance(module, nn.Dropout):
                return
            weights = sum(p.numel() for key, p in module.named_parameters() if key != "bias")
            biases = sum(p.numel() for key, p in module.named_parameters() if key == "bias")
            reduction = _reduction(module)
            if reduction:
                self.reductions.append(reduction + bool(biases))
            window = _window(module)
            self.layers.append(
                Layer(
                    name=name,
                    kind=type(module).__name__,
                    output=self._shape,
                    kernel=window[0] if window else None,
                    weights=weights,
                    biases=biases,
                    macs=reduction * math.prod(self._shape),
                    receptive_field=self._field,
                )
            )

        return record

    def _follow(self, module: nn.Module) -> None:
        """Move shape, stride and receptive field past ``module``."""
        window = _window(module)
        if window:
            kernel, stride, padding = window
            sides = (
                (side - k + 2 * p) // s + 1
                for side, k, s, p in zip(self._shape[1:], kernel, stride, padding, strict=True)
            )
            channels = module.out_channels if isinstance(module, nn.Conv2d) else self._shape[0]
            self._shape = (int(channels), *sides)
            reach = zip(self._field, kernel, self._stride, self._image, strict=True)
            height, width = (min(field + (k - 1) * s, image) for field, k, s, image in reach)
            self._field = (height, width)
            self._stride = (self._stride[0] * stride[0], self._stride[1] * stride[1])
        elif isinstance(module, nn.Flatten):
            self._shape = (math.prod(self._shape),)
        elif isinstance(module, nn.Linear):
            self._shape = (module.out_features,)
            self._field = (self._image[0], self._image[1])


def _reduction(module: nn.Module) -> int:
    """Return how many products are added into one output; 0 for layers that do not reduce so."""
    if isinstance(module, nn.Conv2d):
        return math.prod(module.kernel_size) * module.in_channels // module.groups
    return module.in_features if isinstance(module, nn.Linear) else 0


def _window(module: nn.Module) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None:
    """Return kernel, stride and padding of a sliding window, each as (height, width)."""
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel, stride, padding = module.kernel_size, module.stride, module.padding
        return _pair(kernel), _pair(stride), _pair(padding)
    return None


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))
