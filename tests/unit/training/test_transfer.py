"""What a network takes over from one of other classes, channels, sizes and options."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgenet import models
from edgenet.errors import UsageError
from edgenet.models import ModelSpec, build
from edgenet.runner.preprocess import Preprocessing
from edgenet.training import checkpoint as checkpoints
from edgenet.training.checkpoint import Checkpoint
from edgenet.training.recipe import Recipe
from edgenet.training.transfer import Transfer, transfer
from tests.checkpoints import seeded

LABELS = ("ant", "bee", "cat", "dog")


def trained(spec: ModelSpec, labels: tuple[str, ...] = LABELS) -> Checkpoint:
    """Return a checkpoint of ``spec``, with weights and averages that no fresh network has."""
    height, width = spec.image_size
    grey = spec.in_channels == 1
    return Checkpoint(
        spec=spec,
        labels=labels,
        preprocessing=Preprocessing(
            mode="L" if grey else "RGB",
            height=height,
            width=width,
            resize="stretch",
            mean=(0.5,) * spec.in_channels,
            std=(0.5,) * spec.in_channels,
            pad=0,
            polarity=None,
        ),
        data={"name": "beasts"},
        recipe={},
        weights=seeded(lambda: build(spec)).state_dict(),
    )


def started(
    parent: Checkpoint, labels: tuple[str, ...] = LABELS, recipe: Recipe | None = None, **other: Any
) -> tuple[nn.Module, Transfer]:
    """Return a network like the parent's, differing in ``other``, and how it started."""
    spec = dataclasses.replace(parent.spec, classes=len(labels), **other)
    with torch.random.fork_rng():
        torch.manual_seed(9)
        network = build(spec)
    how = transfer(network, spec, labels, recipe or Recipe(), parent)
    return network.eval(), how


def spec(name: str = "lenet5-relu", **other: Any) -> ModelSpec:
    """Return a small network of 4 classes."""
    sizes: dict[str, Any] = {"channels": [2, 3], "widths": [5]}
    options = sizes if name == "lenet5-relu" else {}
    return ModelSpec(**{"name": name, "options": options, "classes": 4, **other})


@pytest.mark.parametrize("name", models.names())
def test_every_model_takes_all_weights_over_where_nothing_differs(name: str) -> None:
    """Its averages, too: the two answer alike, bit for bit."""
    parent = trained(ModelSpec(name=name), tuple("0123456789"))
    network, how = started(parent, tuple("0123456789"))
    assert how == Transfer()
    pad = 2 * models.variant(name).pad
    pictures = torch.rand(3, 1, 28 + pad, 28 + pad, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(pictures), parent.build()(pictures))


def test_labels_come_along_in_whatever_order() -> None:
    """The folder of the new pictures sorts them otherwise: every class keeps its own row."""
    parent = trained(spec())
    order = ("dog", "ant", "cat", "bee")
    network, how = started(parent, order)
    assert how.fresh == ()
    assert how.adapted == {"classifier.output": "rows put in the order of the classes"}
    pictures = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    places = [LABELS.index(label) for label in order]
    assert torch.equal(network(pictures), parent.build()(pictures)[:, places])


def test_classes_that_both_know_keep_their_rows_and_new_ones_start_fresh() -> None:
    """The rest of the network is taken over whole."""
    parent = trained(spec())
    network, how = started(parent, ("cow", "cat", "ant"))
    assert how.adapted == {"classifier.output": "2 of 3 classes kept; fresh: cow"}
    weights = network.state_dict()
    for name in ("classifier.output.weight", "classifier.output.bias"):
        assert torch.equal(weights[name][1:], parent.weights[name][[2, 0]])
        assert not torch.equal(weights[name][0], parent.weights[name][0])
    untouched = "classifier.linear1.weight"
    assert torch.equal(weights[untouched], parent.weights[untouched])


def test_other_classes_give_a_fresh_last_layer_even_where_their_number_is_the_same() -> None:
    """A row for an ant means nothing for an axe."""
    parent = trained(spec())
    network, how = started(parent, ("axe", "bow", "cup", "die"))
    assert how == Transfer(fresh=("classifier.output",))
    name = "classifier.output.weight"
    assert not torch.equal(network.state_dict()[name], parent.weights[name])


@pytest.mark.parametrize("name", ["lenet5-relu", "mlp", "resnet8", "lenet5-1998"])
def test_a_network_of_grey_pictures_answers_to_them_in_colour_as_before(name: str) -> None:
    """Its first weights are repeated and divided by 3; a sum of three thirds rounds a little.

    A relative ε a product, over at most 784 · 3 products, of logits of order 10.
    """
    classes = {"classes": 10} if name == "lenet5-1998" else {}
    labels = tuple("0123456789") if classes else LABELS
    parent = trained(spec(name, **classes), labels)
    network, how = started(parent, labels, in_channels=3)
    assert how.fresh == ()
    assert list(how.adapted.values()) == ["repeated and divided by 3 channels"]
    side = 28 + 2 * models.variant(name).pad
    grey = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(0))
    expected = parent.build()(grey).detach()
    bound = 784 * 3 * torch.finfo(torch.float32).eps * float(expected.abs().max())
    answer = network(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(answer, expected, rtol=0, atol=bound)


def test_a_network_of_colour_pictures_answers_to_grey_ones_as_before() -> None:
    """Its first weights are added up over the channels."""
    parent = trained(spec(in_channels=3))
    network, how = started(parent, in_channels=1)
    assert how.adapted == {"features.conv1": "added up over 3 channels"}
    grey = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    expected = parent.build()(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(network(grey), expected, rtol=1e-5, atol=1e-5)


def test_a_layer_that_depends_on_the_size_of_pictures_starts_fresh() -> None:
    """The first linear layer of a LeNet sees other features; those before and after are kept."""
    parent = trained(spec())
    network, how = started(parent, image_size=(64, 64))
    assert how == Transfer(fresh=("classifier.linear1",))
    weights = network.state_dict()
    for name in ("features.conv2.weight", "classifier.output.weight"):
        assert torch.equal(weights[name], parent.weights[name])


def test_a_network_with_global_pooling_takes_pictures_of_any_size() -> None:
    """Nothing in it depends on the size."""
    _, how = started(trained(spec("resnet8")), image_size=(64, 48))
    assert how == Transfer()


def test_options_without_weights_may_differ() -> None:
    """Another activation, and dropout where there was none."""
    parent = trained(spec())
    options = {**parent.spec.options, "dropout": 0.5, "activation": "tanh"}
    _, how = started(parent, options=options)
    assert how == Transfer()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"name": "mlp", "options": {}}, "of two families"),
        ({"options": {"channels": [2, 4], "widths": [5]}}, "features.conv2.weight has the shape"),
        ({"options": {"channels": [2, 3], "widths": [5], "batch_norm": True}}, "nothing in the"),
        ({"options": {"channels": [2, 3], "widths": []}}, "classifier.output.weight has the shape"),
    ],
)
def test_weights_that_mean_something_else_are_refused(other: dict[str, Any], words: str) -> None:
    """Half of a network that was asked for would be random, and nothing would say so."""
    with pytest.raises(UsageError, match=words) as caught:
        started(trained(spec()), **other)
    assert "--model" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("freeze", "labels", "other", "layer"),
    [
        ("classifier", ("axe", "bow"), {}, "classifier.output"),
        ("classifier.output", ("ant", "bow"), {}, "classifier.output"),
        ("classifier.linear1", LABELS, {"image_size": (32, 32)}, "classifier.linear1"),
    ],
)
def test_what_starts_fresh_cannot_be_frozen(
    freeze: str, labels: tuple[str, ...], other: dict[str, Any], layer: str
) -> None:
    """It would stay random; what is kept or adapted may be frozen."""
    recipe = Recipe(freeze=(freeze,))
    with pytest.raises(UsageError, match=f"{layer} starts fresh"):
        started(trained(spec()), labels, recipe, **other)
    started(trained(spec()), labels, Recipe(freeze=("features",)), in_channels=3, **other)


def test_the_digest_is_that_of_the_weights_alone(tmp_path: Path) -> None:
    """The best and the last checkpoint of a run that hold the same weights are one parent."""
    checkpoint = dataclasses.replace(trained(spec()), parent={"model": "mlp", "data": "x"})
    checkpoints.save(checkpoint, tmp_path / "best.safetensors")
    optimizer: dict[str, Tensor] = {"0.step": torch.ones(())}
    last = dataclasses.replace(checkpoint, optimizer=optimizer)
    checkpoints.save(last, tmp_path / "last.safetensors")
    read = [checkpoints.load(tmp_path / f"{name}.safetensors") for name in ("best", "last")]
    assert len({checkpoints.digest(one.weights) for one in read}) == 1
    assert read[0].parent == checkpoint.parent
