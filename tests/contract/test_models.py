"""What every row of the table of models keeps to."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgenet.models import ModelSpec, build, names, variant
from edgenet.models.summary import summarise

SPECS = [
    pytest.param(
        ModelSpec(name=name, in_channels=channels, image_size=size, classes=classes),
        id=f"{name}-{size}",
    )
    for name in names()
    for channels, size, classes in ((1, (28, 28), 10), (3, (40, 36), 4))
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_model_turns_pictures_into_one_logit_a_class(spec: ModelSpec) -> None:
    """Channels, size and number of classes follow the data."""
    pad = 2 * variant(spec.name).pad
    images = torch.rand(3, spec.in_channels, spec.image_size[0] + pad, spec.image_size[1] + pad)
    assert build(spec).eval()(images).shape == (3, spec.classes)


@pytest.mark.parametrize("spec", SPECS)
def test_the_layer_table_agrees_with_the_network_that_runs(spec: ModelSpec) -> None:
    """Shapes from the formula are the shapes of real outputs, and the counts are the real ones."""
    network = build(spec).eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str) -> object:
        return lambda _module, _inputs, output: shapes.update({name: tuple(output.shape[1:])})

    for name, module in network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(keep(name))
    pad = 2 * variant(spec.name).pad
    network(torch.rand(1, spec.in_channels, spec.image_size[0] + pad, spec.image_size[1] + pad))
    summary = summarise(spec)
    assert {layer.name: layer.output for layer in summary.layers} == {
        name: shapes[name] for name in (layer.name for layer in summary.layers)
    }
    assert summary.parameters == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", names())
def test_a_model_says_where_it_comes_from(name: str) -> None:
    """Lists and documentation show these texts."""
    row = variant(name)
    assert row.about
    assert row.source
    assert isinstance(row.build(ModelSpec(name=name)), nn.Module)
