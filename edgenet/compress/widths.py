"""Which options of a model say how many channels it has, found by changing them.

A slimmed network is a network of the table of models with smaller numbers in its options. So what
may be removed is what an option decides: an option is multiplied, and the tensors that change their
shape show what belongs to it. No family of models has to say anything for that.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from edgenet.errors import NotPossible, UsageError
from edgenet.models import ModelSpec, OptionValue, build, variant

Place = tuple[str, int | None]
"""Name of an option and, where it is a list, a position in it."""

_FACTORS = (2, 3)
"""Two, since a width that is doubled may happen to equal another one, which changes the layers."""


@dataclass(frozen=True, kw_only=True)
class Width:
    """A number of a model's options that says how many channels there are.

    Attributes:
        places: Where it stands; two places where the channels of both are added.
        size: The number.
        changes: The dimensions that follow it: names of tensors, and 0 or 1.
    """

    places: tuple[Place, ...]
    size: int
    changes: frozenset[tuple[str, int]]

    @property
    def name(self) -> str:
        """The options as they are written, such as ``channels[0]``."""
        return " = ".join(
            name if position is None else f"{name}[{position}]" for name, position in self.places
        )


def shapes(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's tensors by name, without memory for them.

    Raises:
        UsageError: The spec cannot be built.
    """
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build(spec).state_dict().items()}


def find_widths(spec: ModelSpec) -> tuple[Width, ...]:
    """Return the options that decide widths of the network, in the order of its layers.

    Raises:
        UsageError: The spec cannot be built.
        NotPossible: No option does.
    """
    present, sizes = shapes(spec), _sizes(spec)
    found: list[Width] = []
    left: list[Place] = []
    for place in sizes:
        width = _width(spec, (place,), sizes[place], present)
        if width:
            found.append(width)
        else:
            left.append(place)
    for first, second in itertools.combinations(left, 2):
        taken = any(place in width.places for width in found for place in (first, second))
        if sizes[first] == sizes[second] and not taken:
            width = _width(spec, (first, second), sizes[first], present)
            found += [width] if width else []
    if not found:
        raise NotPossible(
            f"{spec.name} cannot be slimmed: none of its options says how wide a layer is",
            "see what each model takes: edgenet models",
        )
    order = list(present)
    return tuple(
        sorted(found, key=lambda width: min(order.index(tensor) for tensor, _ in width.changes))
    )


def with_sizes(spec: ModelSpec, sizes: Mapping[Place, int]) -> ModelSpec:
    """Return the spec with other widths."""
    options: dict[str, OptionValue] = dict(spec.options)
    present = variant(spec.name).with_options(spec.options)
    for (name, position), size in sizes.items():
        if position is None:
            options[name] = size
            continue
        before = options.get(name, list(getattr(present, name)))
        numbers = list(before) if isinstance(before, list | tuple) else [int(before)]
        numbers[position] = size
        options[name] = numbers
    return replace(spec, options=options)


def resized(spec: ModelSpec, widths: Sequence[Width], sizes: Sequence[int]) -> ModelSpec:
    """Return the spec with a size for each of the widths."""
    return with_sizes(
        spec,
        {place: size for width, size in zip(widths, sizes, strict=True) for place in width.places},
    )


def _sizes(spec: ModelSpec) -> dict[Place, int]:
    """Return every whole number among a model's options."""
    options = variant(spec.name).with_options(spec.options)
    sizes: dict[Place, int] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if isinstance(value, tuple):
            sizes |= {(field.name, position): number for position, number in enumerate(value)}
        elif isinstance(value, int) and not isinstance(value, bool):
            sizes[field.name, None] = value
    return sizes


def _width(
    spec: ModelSpec, places: tuple[Place, ...], size: int, present: Mapping[str, tuple[int, ...]]
) -> Width | None:
    """Return the width at ``places``, or None where the number means something else there."""
    for factor in _FACTORS:
        try:
            grown = shapes(with_sizes(spec, dict.fromkeys(places, factor * size)))
        except UsageError:
            continue
        if grown.keys() != present.keys():
            continue
        changes = frozenset(
            (name, dim)
            for name, shape in present.items()
            for dim, (before, after) in enumerate(zip(shape, grown[name], strict=True))
            if before != after
        )
        if {dim for _, dim in changes} == {0, 1}:
            return Width(places=places, size=size, changes=changes)
    return None
