"""The models by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgenet.errors import CorruptFile, UsageError
from edgenet.models import ModelSpec, build
from edgenet.models.summary import summarise


def test_lenet5_has_the_three_counts_that_tutorials_quote() -> None:
    """SPEC U2: weights only, the mixed convention, and all trainable numbers."""
    summary = summarise(ModelSpec(name="lenet5"))
    assert (summary.weights_only, summary.mixed, summary.parameters) == (61_470, 61_684, 61_706)
    assert summary.macs == 416_520


def test_receptive_fields_of_lenet5_are_the_textbook_ones() -> None:
    """SPEC U1: 5×5 after C1 and 14×14 after C3; a linear layer sees the whole picture."""
    fields = {
        layer.name: layer.receptive_field for layer in summarise(ModelSpec(name="lenet5")).layers
    }
    assert fields["features.conv1"] == (5, 5)
    assert fields["features.conv2"] == (14, 14)
    assert fields["classifier.linear1"] == (28, 28)


def test_lenet5_is_tanh_with_average_pooling_and_its_variant_relu_with_max() -> None:
    """The two differ in nothing else."""
    kinds = [
        {type(module) for module in build(ModelSpec(name=name)).modules()}
        for name in ("lenet5", "lenet5-relu")
    ]
    assert {nn.Tanh, nn.AvgPool2d} <= kinds[0] - kinds[1]
    assert {nn.ReLU, nn.MaxPool2d} <= kinds[1] - kinds[0]


def test_xavier_initialisation_is_uniform_within_its_bound_and_without_biases() -> None:
    """Glorot and Bengio 2010, equation 16: ±√(6 / (fan_in + fan_out)); SPEC M6."""
    network = build(ModelSpec(name="lenet5-d2l"))
    convolution = network.get_submodule("features.conv2")
    bound = (6 / (6 * 25 + 16 * 25)) ** 0.5
    weight = convolution.get_parameter("weight").detach()
    assert 0.9 * bound < weight.abs().max() <= bound
    assert torch.count_nonzero(convolution.get_parameter("bias")) == 0


def test_an_unknown_model_names_the_nearest_one() -> None:
    """A typo costs one look at the message."""
    with pytest.raises(UsageError, match="lenet6") as caught:
        build(ModelSpec(name="lenet6"))
    assert caught.value.hint == "did you mean 'lenet5'?"


def test_a_spec_survives_json() -> None:
    """Checkpoints and manifests keep specs as JSON."""
    spec = ModelSpec(name="lenet5", options={"channels": [3, 6]}, in_channels=3, classes=4)
    assert ModelSpec.from_json(spec.to_json()) == spec
    with pytest.raises(CorruptFile, match="model description"):
        ModelSpec.from_json({"name": "lenet5", "options": 3})
