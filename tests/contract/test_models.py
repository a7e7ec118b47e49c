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
    for channels, size, classes in ((1, (28, 28), 10), (3, (40, 36), 4), (3, (64, 64), 3))
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
        module.register_forward_hook(keep(name))
    pad = 2 * variant(spec.name).pad
    network(torch.rand(1, spec.in_channels, spec.image_size[0] + pad, spec.image_size[1] + pad))
    summary = summarise(spec)
    assert {layer.name: layer.output for layer in summary.layers} == {
        name: shapes[name] for name in (layer.name for layer in summary.layers)
    }
    assert summary.parameters == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("spec", SPECS)
def test_every_parameter_of_a_model_is_trained(spec: ModelSpec) -> None:
    """One step: each has a gradient that is a number, and is another tensor afterwards."""
    torch.manual_seed(0)
    pad = 2 * variant(spec.name).pad
    images = torch.randn(4, spec.in_channels, spec.image_size[0] + pad, spec.image_size[1] + pad)
    network = build(spec).train()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    nn.functional.cross_entropy(network(images), torch.arange(4) % spec.classes).backward()
    torch.optim.SGD(network.parameters(), lr=1.0).step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert not torch.equal(parameter, before[name]), name


@pytest.mark.parametrize("name", names())
def test_a_model_takes_large_colour_pictures(name: str) -> None:
    """SPEC T13: 256×256 in three channels. Nothing is computed, so that no size is too large."""
    spec = ModelSpec(name=name, in_channels=3, image_size=(256, 256), classes=5)
    summary = summarise(spec)
    assert summary.layers[-1].output == (5,)
    with torch.device("meta"):
        network = build(spec)
    assert summary.parameters == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", names())
def test_a_model_says_where_it_comes_from(name: str) -> None:
    """Lists and documentation show these texts."""
    row = variant(name)
    assert row.about
    assert row.source
    assert isinstance(row.build(ModelSpec(name=name)), nn.Module)
