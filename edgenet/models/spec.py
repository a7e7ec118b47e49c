"""What a network is before it is built: a name, its options and the shapes around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgenet.errors import CorruptFile, UsageError, unknown_name

if TYPE_CHECKING:
    from torch import nn

OptionValue = bool | int | float | str | list[int]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A network of the table of models, ready to be built.

    Attributes:
        name: A name of the table, such as ``lenet5``.
        options: What differs from the named model's own options.
        in_channels: 1 for grey pictures, 3 for colour.
        image_size: Height and width of the pictures in pixels, before any zero padding.
        classes: Number of logits.

    Raises:
        UsageError: A shape is not positive.
    """

    name: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    in_channels: int = 1
    image_size: tuple[int, int] = (28, 28)
    classes: int = 10

    def __post_init__(self) -> None:
        if min(self.in_channels, *self.image_size) < 1:
            raise UsageError(f"pictures of {self.in_channels}×{self.image_size} have no pixels")
        if self.classes < 2:
            raise UsageError(f"a classifier needs 2 classes or more, not {self.classes}")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values from which :meth:`from_json` makes the same spec."""
        values = dataclasses.asdict(self)
        return {**values, "image_size": list(self.image_size)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModelSpec:
        """Read a spec from a file's metadata.

        Raises:
            CorruptFile: A field is missing or has the wrong kind of value.
        """
        try:
            height, width = values["image_size"]
            return cls(
                name=str(values["name"]),
                options=dict(values["options"]),
                in_channels=int(values["in_channels"]),
                image_size=(int(height), int(width)),
                classes=int(values["classes"]),
            )
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise CorruptFile(f"the model description is not valid: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of the table of models: a family with the options that make it this model.

    Attributes:
        family: Builds the network from options, input shape (C, H, W; already padded) and classes.
        options: A frozen dataclass: the family's options with this model's values.
        pad: Zero pixels that belong around the raw picture before normalisation.
        about: One line for lists.
        source: Where the model is described.
    """

    family: Callable[[Any, tuple[int, int, int], int], nn.Module]
    options: Any
    pad: int = 0
    about: str
    source: str

    def build(self, spec: ModelSpec) -> nn.Module:
        """Build the network of ``spec`` with fresh weights.

        Raises:
            UsageError: An option is unknown or its value not acceptable.
        """
        height, width = spec.image_size
        shape = (spec.in_channels, height + 2 * self.pad, width + 2 * self.pad)
        return self.family(self.with_options(spec.options), shape, spec.classes)

    def with_options(self, overrides: Mapping[str, OptionValue]) -> Any:
        """Return this model's options with some of them replaced.

        Raises:
            UsageError: An option is unknown or its value not acceptable.
        """
        fields = {
            field.name: getattr(self.options, field.name)
            for field in dataclasses.fields(self.options)
        }
        for name, value in overrides.items():
            if not fields:
                raise UsageError(f"this model has no options, so none is called {name!r}")
            if name not in fields:
                raise unknown_name("model option", name, fields)
            fields[name] = _like(name, fields[name], value)
        return type(self.options)(**fields)


def _like(name: str, present: object, value: OptionValue) -> object:
    """Convert ``value`` to the kind that the option has now; lists become tuples.

    Raises:
        UsageError: ``value`` is of another kind.
    """
    if isinstance(present, tuple):
        items = value if isinstance(value, list | tuple) else [value]
        if all(isinstance(item, int) and not isinstance(item, bool) for item in items):
            return tuple(items)
        raise UsageError(f"model option {name!r} takes whole numbers, not {value!r}")
    if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(present):
        kind = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
        raise UsageError(f"model option {name!r} takes {kind[type(present)]}, not {value!r}")
    return value
