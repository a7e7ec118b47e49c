"""Every option of the LeNet family: what is accepted is built, what is refused is named."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgenet.errors import UsageError
from edgenet.models import ModelSpec, build
from edgenet.models.attention import ATTENTIONS
from edgenet.models.heads import HEADS
from edgenet.models.layers import ACTIVATIONS
from edgenet.models.lenet import INITS, LeNetOptions
from edgenet.models.poolings import POOLINGS
from edgenet.models.summary import summarise

VALID: dict[str, st.SearchStrategy[Any]] = {
    "activation": st.sampled_from(list(ACTIVATIONS)),
    "last_activation": st.sampled_from(["same", *ACTIVATIONS]),
    "pooling": st.sampled_from(list(POOLINGS)),
    "kernel": st.sampled_from([1, 3, 5]),
    "pad_first": st.booleans(),
    "channels": st.lists(st.integers(1, 9), min_size=1, max_size=3),
    "attention": st.sampled_from(list(ATTENTIONS)),
    "head": st.sampled_from(list(HEADS)),
    "widths": st.lists(st.integers(1, 12), max_size=3),
    "batch_norm": st.booleans(),
    "dropout": st.floats(0, 0.99),
    "init": st.sampled_from(INITS),
}
WORDS = st.text("abcdefgh-", max_size=8)
INVALID: dict[str, st.SearchStrategy[Any]] = {
    "activation": WORDS,
    "last_activation": WORDS,
    "pooling": WORDS,
    "kernel": st.one_of(st.integers(-3, 0), st.sampled_from([2, 4, 60, 5.0, "5", True])),
    "pad_first": st.sampled_from([0, 1, "true"]),
    "channels": st.sampled_from([[], [0], [6, -1], [6.5], ["6"], "6", [True]]),
    "attention": WORDS,
    "head": WORDS,
    "widths": st.sampled_from([[0], [84, -1], [8.0], "84"]),
    "batch_norm": st.sampled_from([0, 1, "yes"]),
    "dropout": st.sampled_from([-0.1, 1.0, 1, 7.5, float("nan"), "half", True]),
    "init": WORDS,
}
SHAPES = st.tuples(st.sampled_from([1, 3]), st.integers(4, 48), st.integers(4, 48))


def test_the_strategies_cover_every_option() -> None:
    """An option that is added later is to be drawn, too."""
    assert list(VALID) == [field.name for field in dataclasses.fields(LeNetOptions)]
    assert set(INVALID) == set(VALID)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(options=st.fixed_dictionaries(VALID), shape=SHAPES, classes=st.integers(2, 12))
def test_what_is_accepted_is_built_and_what_is_refused_is_refused_rightly(
    options: dict[str, Any], shape: tuple[int, int, int], classes: int
) -> None:
    """The layer table is that of the network: real shapes and counts; all of it can be trained."""
    channels, height, width = shape
    spec = ModelSpec(
        name="lenet5",
        options=options,
        in_channels=channels,
        image_size=(height, width),
        classes=classes,
    )
    reason = refusal({**dataclasses.asdict(LeNetOptions()), **options}, height, width)
    if reason is not None:
        with pytest.raises(UsageError, match=reason):
            build(spec)
        return
    network = build(spec).eval()
    shapes = output_shapes(network, torch.randn(2, *shape))
    assert shapes[""] == (2, classes)
    summary = summarise(spec)
    for layer in summary.layers:
        assert shapes[layer.name] == (2, *layer.output)
        assert layer.parameters == sum(
            parameter.numel() for parameter in network.get_submodule(layer.name).parameters()
        )
    assert summary.parameters == sum(parameter.numel() for parameter in network.parameters())

    network.train()(torch.randn(2, *shape)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_value_that_cannot_be_is_refused_with_the_name_of_its_option(data: st.DataObject) -> None:
    """Of an option drawn at random."""
    name = data.draw(st.sampled_from(list(INVALID)))
    value = data.draw(INVALID[name])
    with pytest.raises(UsageError, match=f"model option '{name}'"):
        build(ModelSpec(name="lenet5", options={name: value}))


def refusal(options: dict[str, Any], height: int, width: int) -> str | None:
    """Return the option that the message must name, or None if all is well."""
    if options["head"] == "convolution" and not options["widths"]:
        return "'widths'"
    if options["pooling"] == "stochastic" and options["activation"] not in ("relu", "sigmoid"):
        return "'pooling'"
    if options["last_activation"] != "same" and not options["widths"]:
        return "'last_activation'"
    kernel = options["kernel"]
    for number in range(len(options["channels"])):
        grown = kernel - 1 if number == 0 and options["pad_first"] else 0
        height, width = (height + grown - kernel + 1) // 2, (width + grown - kernel + 1) // 2
        if min(height, width) < 1:
            return "'channels'"
    return None


def output_shapes(network: nn.Module, images: Tensor) -> dict[str, tuple[int, ...]]:
    """Return the shape of what every module really gives, by its name."""
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, output: shapes.update({name: tuple(output.shape)})

    handles = [module.register_forward_hook(keep(name)) for name, module in network.named_modules()]
    network(images)
    for handle in handles:
        handle.remove()
    return shapes


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
        ({"last_activation": "gelu"}, "last_activation"),
        ({"last_activation": "relu", "widths": []}, "last_activation"),
        ({"head": "average"}, "head"),
        ({"head": "convolution", "widths": []}, "widths"),
        ({"attention": "self"}, "attention"),
        ({"pooling": "stochastic"}, "pooling"),
        ({"pooling": "stochastic", "activation": "scaled-tanh"}, "pooling"),
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
