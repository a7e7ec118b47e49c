"""What a network takes over from a trained one whose classes, channels or picture size differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edgenet.errors import UsageError
from edgenet.models import ModelSpec, build, variant
from edgenet.training.freeze import is_frozen
from edgenet.training.recipe import Recipe

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """How a network came to its first weights.

    Attributes:
        fresh: Layers that start with random weights, since the trained ones do not fit.
        adapted: Layers whose weights were carried over in another form, with what was done to them.
    """

    fresh: tuple[str, ...] = ()
    adapted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Carried:
    """A layer's tensors as they were carried over: none at all where they do not fit."""

    tensors: Tensors
    how: str = ""
    whole: bool = True


_NOTHING = _Carried(tensors={}, whole=False)


def transfer(
    network: nn.Module,
    spec: ModelSpec,
    labels: Sequence[str],
    recipe: Recipe,
    parent: Checkpoint,
) -> Transfer:
    """Give ``network`` the weights of a trained one, as far as they fit.

    A layer is taken over as a whole or not at all, with two exceptions. Labels come along: the last
    layer keeps the rows of the classes that both know, wherever they stand in the order. And the
    first layer takes other channels: from grey to colour its weights are repeated and divided by
    the number of channels, from colour to grey they are added up, so that it answers to a grey
    picture as before.

    Args:
        network: Just built, with fresh weights.
        spec: Of ``network``.
        labels: Names of its classes.
        recipe: Says what is frozen.
        parent: The trained network.

    Raises:
        UsageError: The two are not of one family or differ in more than classes, channels and
            picture size, or the recipe freezes a layer that starts fresh.
    """
    _check_kin(spec, parent)
    own, trained = network.state_dict(), parent.weights
    first = next(name for name, tensor in own.items() if tensor.dim() > 1).rpartition(".")[0]
    last = list(own)[-1].rpartition(".")[0]
    fresh: list[str] = []
    untrained: list[str] = []
    adapted: dict[str, str] = {}
    for layer, names in _layers(own).items():
        before = {name: trained[name] for name in names}
        after = {name: own[name] for name in names}
        if layer == last:
            carried = _by_label(before, after, parent.labels, labels)
        elif layer == first and parent.spec.in_channels != spec.in_channels:
            carried = _by_channel(before, after, parent.spec, spec)
        else:
            fits = all(before[name].shape == after[name].shape for name in names)
            carried = _Carried(tensors=before) if fits else _NOTHING
        own.update(carried.tensors)
        if not carried.tensors:
            fresh.append(layer)
        elif carried.how:
            adapted[layer] = carried.how
        if not carried.whole:
            untrained.append(layer)
    _check_frozen(network, untrained, recipe)
    network.load_state_dict(own)
    return Transfer(fresh=tuple(fresh), adapted=adapted)


def _check_kin(spec: ModelSpec, parent: Checkpoint) -> None:
    """Refuse weights that mean something else in a network of ``spec``.

    Raises:
        UsageError: They are of another family, or of other options that change their shapes.
    """
    hint = "leave --model and --model-option out: both then come from the checkpoint"
    if variant(spec.name).family is not variant(parent.spec.name).family:
        raise UsageError(
            f"{spec.name} cannot start from the weights of {parent.spec.name}: they are of two "
            "families",
            hint,
        )
    on_its_data = replace(
        spec,
        in_channels=parent.spec.in_channels,
        image_size=parent.spec.image_size,
        classes=parent.spec.classes,
    )
    with torch.random.fork_rng(devices=[]):
        wanted = build(on_its_data).state_dict()
    for name in (*wanted, *parent.weights):
        shapes = [list(t[name].shape) if name in t else None for t in (parent.weights, wanted)]
        if shapes[0] != shapes[1]:
            has, wants = (f"the shape {shape}" if shape else "nothing" for shape in shapes)
            raise UsageError(
                f"{spec.name} cannot start from these weights of {parent.spec.name}: {name} has "
                f"{has} in the checkpoint and {wants} in a network of these options",
                hint,
            )


def _layers(tensors: Tensors) -> dict[str, list[str]]:
    """Return the names of the tensors of every module that has any."""
    layers: dict[str, list[str]] = {}
    for name in tensors:
        layers.setdefault(name.rpartition(".")[0], []).append(name)
    return layers


def _by_label(
    before: Tensors, after: Tensors, known: Sequence[str], labels: Sequence[str]
) -> _Carried:
    """Return the last layer's tensors with the rows of the known classes."""
    places = {label: place for place, label in enumerate(known)}
    shared = [(new, places[label]) for new, label in enumerate(labels) if label in places]
    if not shared or any(before[name].shape[1:] != after[name].shape[1:] for name in after):
        return _NOTHING
    rows, sources = (list(side) for side in zip(*shared, strict=True))
    tensors = {name: tensor.clone() for name, tensor in after.items()}
    for name, tensor in tensors.items():
        tensor[rows] = before[name][sources]
    missing = [label for label in labels if label not in places]
    if missing:
        how = f"{len(shared)} of {len(labels)} classes kept; fresh: {', '.join(missing)}"
    else:
        how = "" if tuple(known) == tuple(labels) else "rows put in the order of the classes"
    return _Carried(tensors=tensors, how=how, whole=not missing)


def _by_channel(before: Tensors, after: Tensors, old: ModelSpec, new: ModelSpec) -> _Carried:
    """Return the first layer's tensors for another number of channels.

    A linear layer on flattened pictures has its inputs in the order [C, H, W] as a convolution has.
    """
    tensors = dict(before)
    for name, tensor in before.items():
        if tensor.dim() == 1:
            continue
        maps = tensor.reshape(len(tensor), old.in_channels, -1)
        if old.in_channels == 1:
            maps = maps.expand(-1, new.in_channels, -1) / new.in_channels
        elif new.in_channels == 1:
            maps = maps.sum(1, keepdim=True)
        if maps.numel() != after[name].numel():
            return _NOTHING
        tensors[name] = maps.reshape(after[name].shape)
    done = "repeated and divided by" if old.in_channels == 1 else "added up over"
    how = f"{done} {max(old.in_channels, new.in_channels)} channels"
    return _Carried(tensors=tensors, how=how)


def _check_frozen(network: nn.Module, untrained: Sequence[str], recipe: Recipe) -> None:
    """Refuse to leave random weights as they are.

    Raises:
        UsageError: A layer among ``untrained`` is frozen.
    """
    for name, _ in network.named_parameters():
        layer = name.rpartition(".")[0]
        if layer in untrained and is_frozen(name, recipe):
            raise UsageError(
                f"freeze: {layer} starts fresh, since the checkpoint's weights do not fit these "
                "data, and frozen it would stay random",
                "freeze what is taken over alone, or bring the pictures to the checkpoint's size "
                "with --imgsz",
            )
