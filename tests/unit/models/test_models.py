"""The models by name: exact sizes, options and refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from edgenet.errors import CorruptFile, UsageError
from edgenet.models import ModelSpec, build
from edgenet.models.summary import summarise


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mlp", 235_146),
        ("mlp-small", 203_530),
        ("simple-cnn", 421_834),
        ("lenet5", 61_706),
        ("lenet5-relu", 61_706),
        ("lenet5-32", 61_706),
        ("lenet5-d2l", 61_706),
        ("lenet-caffe", 431_080),
        ("cnn3", 249_162),
    ],
)
def test_parameter_counts_are_those_of_the_documents(name: str, parameters: int) -> None:
    """SPEC M1 to M8: the count is the model's identity card."""
    assert sum(p.numel() for p in build(ModelSpec(name=name)).parameters()) == parameters


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


def test_a_student_is_the_same_family_with_other_numbers() -> None:
    """Options change sizes and kinds of layers."""
    options: dict[str, Any] = {
        "channels": [4, 8],
        "widths": [20, 16],
        "batch_norm": True,
        "dropout": 0.25,
    }
    student = build(ModelSpec(name="lenet5-relu", options={**options, "kernel": 3}))
    assert student(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    kinds = [type(module) for module in student.modules()]
    assert kinds.count(nn.BatchNorm2d) == 2
    assert kinds.count(nn.Dropout) == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"activation": "rleu"}, "relu"),
        ({"pooling": "median"}, "pooling"),
        ({"kernel": 4}, "kernel"),
        ({"kernel": "5"}, "kernel"),
        ({"channels": []}, "channels"),
        ({"channels": [6, 0]}, "channels"),
        ({"channels": [6.5]}, "channels"),
        ({"widths": [-1]}, "widths"),
        ({"dropout": 1.0}, "dropout"),
        ({"init": "xaver"}, "xavier"),
        ({"batch_norm": 1}, "batch_norm"),
        ({"chanels": [6]}, "channels"),
        ({"channels": [6, 16, 32, 64]}, "pictures of 28×28"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    """The message, or its hint, names what to change."""
    with pytest.raises(UsageError) as caught:
        build(ModelSpec(name="lenet5", options=options))
    assert named in f"{caught.value.message} {caught.value.hint}"


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
