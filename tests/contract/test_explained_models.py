"""Every model of the table can be looked into."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgenet.explain.activations import first_kernels, record
from edgenet.explain.kernel_gradient import check_layer
from edgenet.models import ModelSpec, build, names, variant

SPECS = [
    pytest.param(
        ModelSpec(name=name, in_channels=channels, image_size=size, classes=classes),
        id=f"{name}-{size}",
    )
    for name in names()
    for channels, size, classes in ((1, (28, 28), 10), (3, (40, 36), 4))
]


@pytest.mark.parametrize("spec", SPECS)
def test_layers_kernels_and_gradient_of_every_model_are_seen(spec: ModelSpec) -> None:
    """Maps where there are convolutions, units anyway, and autograd agrees with the formula."""
    torch.manual_seed(0)
    pad = 2 * variant(spec.name).pad
    inputs = torch.rand(2, spec.in_channels, spec.image_size[0] + pad, spec.image_size[1] + pad)
    network = build(spec).eval()
    recording = record(network, inputs)
    convolves = any(isinstance(module, nn.Conv2d) for module in network.modules())
    assert any(layer.has_maps for layer in recording.layers) == convolves
    assert recording.layers[-1].shape == (spec.classes,)
    check = check_layer(network, inputs, torch.tensor([0, 1]))
    kernels = first_kernels(network)
    assert (check is not None) == (kernels is not None) == convolves
    if check is not None and kernels is not None:
        assert check.agrees
        assert kernels[1].shape[1] == spec.in_channels
