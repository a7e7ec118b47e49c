"""How a network is trained, as one frozen value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from edgenet.errors import UsageError, unknown_name

LOSSES = ("bce", "cross-entropy", "map", "mse", "nll")
NORMALIZATIONS = ("data", "lenet-1998", "symmetric", "unit")
OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "exponential", "linear", "one-cycle", "plateau", "step")
DTYPES = ("float32", "bfloat16")
_TOO_LARGE = 1 << 64  # a whole number beyond it may not even fit a float
_TABLES = {
    "normalization": NORMALIZATIONS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "dtype": DTYPES,
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to every training picture, drawn anew in every epoch.

    Attributes:
        rotation_degrees: Largest rotation to either side.
        shift: Largest shift, as a share of the side.
        scale: Largest relative change of size; 0.1 draws from 0.9 to 1.1.
        shear: Largest shear, as the tangent of its angle.
        noise: Standard deviation of Gaussian noise on pixels in [0, 1].
        flip: Probability of mirroring left to right; refused for data whose classes it changes.

    Raises:
        UsageError: A value is out of its range.
    """

    rotation_degrees: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    noise: float = 0.0
    flip: float = 0.0

    def __post_init__(self) -> None:
        for name, highest in (
            ("rotation_degrees", 180),
            ("shift", 1),
            ("scale", 0.9),
            ("shear", 2),
        ):
            _within(f"augmentation {name}", getattr(self, name), 0, highest)
        for name in ("noise", "flip"):
            _within(f"augmentation {name}", getattr(self, name), 0, 1)

    @property
    def moves(self) -> bool:
        """Whether pictures are transformed, not only made noisy."""
        return any((self.rotation_degrees, self.shift, self.scale, self.shear, self.flip))


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """What a teacher adds to the loss: (1 − α) · loss + α · T² · KL(teacher ‖ student).

    Attributes:
        temperature: T, by which both networks' logits are divided; higher ones show more of what
            the teacher thinks of the wrong classes.
        alpha: α, the teacher's share.

    Raises:
        UsageError: A value is out of its range.

    Source:
        Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.
    """

    temperature: float = 4.0
    alpha: float = 0.9

    def __post_init__(self) -> None:
        _within("distillation temperature", self.temperature, math.ulp(0.0), 1000)
        _within("distillation alpha", self.alpha, 0, 1)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides a training run beside the network and the data.

    Attributes:
        epochs: Passes over the training split.
        batch: Images a step.
        accumulate: Steps whose gradients are averaged into one update.
        normalization: Mean and deviation that pixels are normalised by: ``data`` takes those of the
            training split; see :mod:`edgenet.training.normalization` for the fixed ones.
        loss: What is minimised; see :mod:`edgenet.training.losses`.
        optimizer: ``adamw``, ``adam`` or ``sgd``.
        lr: Highest learning rate.
        lr_factors: Share of the learning rate for parts of the network, by the beginning of their
            parameters' names, such as ``{"features": 0.1}``; the longest beginning counts.
        freeze: Beginnings of the names of parameters that stay as they are, such as ``features``;
            normalisation layers below them keep their averages, too.
        betas: Decay rates of Adam's two averages.
        epsilon: What keeps Adam's division finite.
        momentum: Of SGD.
        nesterov: Whether SGD looks ahead by its momentum.
        weight_decay: The L2 penalty: decoupled for AdamW, added to the gradient for the others.
        l1: Weight of the L1 penalty: the sum of all weights' magnitudes, biases left out.
        schedule: How the learning rate falls after the warm-up; ``one-cycle`` is a cosine after a
            warm-up of 30 %, with constant momentum (Smith and Topin 2018, arXiv:1708.07120, without
            its momentum cycle).
        warmup: Share of all steps in which the learning rate rises linearly from 0.
        final_lr: Learning rate at the end, for cosine, linear and one-cycle.
        gamma: Factor of one decay, for step, exponential and plateau.
        decay_every: Epochs between two decays for step; for plateau, epochs without a lower
            validation loss before one.
        label_smoothing: Share of the target spread evenly over all classes.
        patience: Epochs without a better validation accuracy before training stops; 0 never
            stops it.
        dtype: ``float32``, or ``bfloat16`` by autocast.
        seed: Of weights, order, augmentation and dropout.
        augmentation: Random changes to the pictures; none by default.
        distillation: The part of a teacher; None trains by the labels alone.

    Raises:
        UsageError: A value is out of its range.
    """

    epochs: int = 15
    batch: int = 64
    accumulate: int = 1
    normalization: str = "data"
    loss: str = "cross-entropy"
    optimizer: str = "adamw"
    lr: float = 1e-3
    lr_factors: Mapping[str, float] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.01
    l1: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.0
    final_lr: float = 0.0
    gamma: float = 0.1
    decay_every: int = 5
    label_smoothing: float = 0.0
    patience: int = 0
    dtype: str = "float32"
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulate", "decay_every"):
            _within(name, getattr(self, name), 1, math.inf)
        for name, table in _TABLES.items():
            if getattr(self, name) not in table:
                raise unknown_name(name, str(getattr(self, name)), table)
        _within("lr", self.lr, math.ulp(0.0), math.inf)
        _within("final_lr", self.final_lr, 0, self.lr)
        for beta in self.betas:
            _within("betas", beta, 0, math.nextafter(1, 0))
        for name in ("momentum", "warmup", "label_smoothing"):
            _within(name, getattr(self, name), 0, math.nextafter(1, 0))
        for name in ("weight_decay", "l1"):
            _within(name, getattr(self, name), 0, math.inf)
        _within("epsilon", self.epsilon, math.ulp(0.0), 1)
        for part, factor in self.lr_factors.items():
            _within(f"lr_factors {part}", factor, math.ulp(0.0), math.inf)
        _within("gamma", self.gamma, math.ulp(0.0), 1)
        _within("patience", self.patience, 0, math.inf)
        _within("seed", self.seed, 0, 2**63 - 1)
        if self.label_smoothing and self.loss != "cross-entropy":
            raise UsageError(
                f"label_smoothing smooths the targets of cross-entropy, not of {self.loss}",
                "leave one of the two out",
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values from which :meth:`from_json` makes the same recipe."""
        plain = {"betas": list(self.betas), "freeze": list(self.freeze)}
        values = {**dataclasses.asdict(self), **plain, "lr_factors": dict(self.lr_factors)}
        if self.distillation is None:
            del values["distillation"]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Make a recipe from plain values, such as a table of a configuration file.

        Raises:
            UsageError: A name is unknown, or a value of the wrong kind or out of its range.
        """
        return cls().replace(values)

    def replace(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe with some values changed.

        Args:
            changes: New values by name; ``augmentation`` and ``distillation`` are themselves
                mappings of their values, or an :class:`Augmentation` and a :class:`Distillation`.

        Raises:
            UsageError: A name is unknown, or a value of the wrong kind or out of its range.
        """
        plain = dict(changes)
        parts: dict[str, Any] = {}
        for name, present in (
            ("augmentation", self.augmentation),
            ("distillation", self.distillation or Distillation()),
        ):
            value = plain.pop(name, None)
            if isinstance(value, type(present)):
                parts[name] = value
            elif isinstance(value, Mapping):
                parts[name] = dataclasses.replace(present, **_checked(type(present), value))
            elif value is not None:
                raise UsageError(f"{name} takes a table of values, not {value!r}")
        return dataclasses.replace(self, **_checked(Recipe, plain), **parts)


def _checked(
    kind: type[Recipe | Augmentation | Distillation], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``values`` with the kinds that the fields of ``kind`` have.

    Raises:
        UsageError: A name is unknown or a value of the wrong kind.
    """
    hints = get_type_hints(kind)
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in hints:
            raise unknown_name("training option", name, hints)
        wanted = hints[name]
        number = _is_number(value)
        if wanted is float and number:
            checked[name] = float(value)
        elif wanted is int and number and math.isfinite(value) and value == int(value):
            checked[name] = int(value)
        elif wanted in (bool, str) and isinstance(value, wanted):
            checked[name] = value
        elif name == "betas" and _is_pair_of_numbers(value):
            checked[name] = (float(value[0]), float(value[1]))
        elif name == "freeze" and _are_names(value):
            checked[name] = (value,) if isinstance(value, str) else tuple(value)
        elif name == "lr_factors" and _are_factors(value):
            checked[name] = {part: float(factor) for part, factor in value.items()}
        else:
            raise UsageError(f"training option {name!r} cannot be {value!r}")
    return checked


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < _TOO_LARGE
    return isinstance(value, float)


def _is_pair_of_numbers(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))


def _are_names(value: object) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, list | tuple) and all(isinstance(name, str) and name for name in names)


def _are_factors(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(part, str) and _is_number(factor) for part, factor in value.items()
    )


def _within(name: str, value: float, lowest: float, highest: float) -> None:
    """Refuse a value outside [lowest, highest], or not a number at all.

    Raises:
        UsageError: It is outside.
    """
    if not lowest <= value <= highest or math.isinf(value):
        least = "more than 0" if lowest == math.ulp(0.0) else f"{lowest:g} or more"
        bounds = least if highest == math.inf else f"{least} and at most {highest:g}"
        raise UsageError(f"{name} must be {bounds}, not {value:g}")
