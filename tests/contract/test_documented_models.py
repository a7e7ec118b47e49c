"""SPEC M1 to M10: the layers of the source documents, one by one, and their parameter counts."""

from __future__ import annotations

import pytest
from torch import nn

from edgenet.models import ModelSpec, build, variant
from edgenet.models.lenet_1998 import RadialBasis, TableConv2d

_TAUGHT = (
    "conv5 {pad}1→6, {f}, avg2, conv5 6→16, {f}, avg2, flatten, 400→120, {f}, 120→84, {f}, 84→10"
)

DOCUMENTED = {
    "mlp": (
        235_146,
        "flatten, 784→256, ReLU, drop0.5, 256→128, ReLU, drop0.5, 128→10",
    ),
    "mlp-small": (
        203_530,
        "flatten, 784→256, ReLU, drop0.5, 256→10",
    ),
    "simple-cnn": (
        421_834,
        (
            "conv3 p1 1→32, BatchNorm2d, ReLU, max2, conv3 p1 32→64, BatchNorm2d, ReLU, max2, "
            "flatten, 3136→128, ReLU, drop0.5, 128→10"
        ),
    ),
    "lenet5": (61_706, _TAUGHT.format(pad="p2 ", f="Tanh")),
    "lenet5-32": (61_706, _TAUGHT.format(pad="", f="Tanh")),
    "lenet5-d2l": (61_706, _TAUGHT.format(pad="p2 ", f="Sigmoid")),
    "lenet-caffe": (
        431_080,
        "conv5 1→20, ReLU, max2, conv5 20→50, ReLU, max2, flatten, 800→500, ReLU, drop0.5, 500→10",
    ),
    "cnn3": (
        249_162,
        (
            "conv3 p1 1→32, max2, ReLU, conv3 p1 32→64, max2, ReLU, conv3 p1 64→128, max2, ReLU, "
            "flatten, 1152→128, 128→64, 64→10"
        ),
    ),
    "lenet5-conv": (
        61_706,
        (
            "conv5 1→6, Tanh, avg2, conv5 6→16, Tanh, avg2, conv5 16→120, Tanh, flatten, "
            "120→84, Sigmoid, 84→10"
        ),
    ),
    "lenet5-1998": (
        60_000,
        (
            "conv5 1→6, ScaledTanh, TrainableSubsampling2d, ScaledTanh, 60 of conv5 6→16, "
            "ScaledTanh, TrainableSubsampling2d, ScaledTanh, conv5 16→120, ScaledTanh, "
            "flatten, 120→84, ScaledTanh, 84→10 distances"
        ),
    ),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_model_has_the_layers_of_its_document(name: str) -> None:
    """For MNIST's shape; padding to 32×32 is the model's own, outside its layers."""
    count, layers = DOCUMENTED[name]
    network = build(ModelSpec(name=name))
    assert ", ".join(_described(m) for m in network.modules() if not list(m.children())) == layers
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_the_models_on_32_by_32_pad_their_pictures() -> None:
    """SPEC M5, M9, M10: a 28×28 picture with two zero pixels on every side."""
    assert [name for name in DOCUMENTED if variant(name).pad] == [
        "lenet5-32",
        "lenet5-conv",
        "lenet5-1998",
    ]
    assert {variant(name).pad for name in DOCUMENTED} == {0, 2}


def _described(layer: nn.Module) -> str:
    """Return a layer in the notation of the SPEC."""
    match layer:
        case nn.Conv2d():
            padding = f"p{layer.padding[0]} " if layer.padding[0] else ""
            return f"conv{layer.kernel_size[0]} {padding}{layer.in_channels}→{layer.out_channels}"
        case TableConv2d():
            kernels, maps = len(layer.weight), f"{layer.in_channels}→{layer.out_channels}"
            return f"{kernels} of conv{layer.kernel_size} {maps}"
        case nn.Linear():
            return f"{layer.in_features}→{layer.out_features}"
        case RadialBasis():
            classes, features = layer.codes.shape
            return f"{features}→{classes} distances"
        case nn.MaxPool2d() | nn.AvgPool2d():
            return f"{'max' if isinstance(layer, nn.MaxPool2d) else 'avg'}{layer.kernel_size}"
        case nn.Dropout():
            return f"drop{layer.p}"
        case nn.Flatten():
            return "flatten"
    return type(layer).__name__
