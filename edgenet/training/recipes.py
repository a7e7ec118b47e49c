"""Named recipes: functions that return one, chosen for a model.

Every number here was chosen on MNIST's validation split; ``benchmarks/results`` has what the
recipes reach on the test split, with seeds and conditions.
"""

from __future__ import annotations

from collections.abc import Callable

from edgenet.errors import unknown_name
from edgenet.training.recipe import Augmentation, Recipe

HANDWRITING = Augmentation(rotation_degrees=10.0, shift=0.07, scale=0.1, shear=0.1)
"""Changes that leave a handwritten digit the same digit: never a flip."""


def default(model: str) -> Recipe:
    """Return what trains ``model`` best within a minute or two on a small machine."""
    return _DEFAULTS.get(model, _adamw)()


def comparison(_model: str) -> Recipe:
    """Return the protocol that compares architectures on equal terms: plain AdamW, no augmentation.

    Source:
        Source document S0, section 6.6 (SPEC T7): 10 epochs, AdamW 1e-3, batch 64.
    """
    return Recipe(epochs=10, batch=64, optimizer="adamw", lr=1e-3, schedule="constant")


TABLE: dict[str, Callable[[str], Recipe]] = {"comparison": comparison, "default": default}


def named(name: str, *, model: str) -> Recipe:
    """Return a recipe by name, for ``model``.

    Raises:
        UsageError: No recipe has that name; the hint has the nearest one.
    """
    if name not in TABLE:
        raise unknown_name("recipe", name, TABLE)
    return TABLE[name](model)


def _adamw() -> Recipe:
    return Recipe(
        epochs=15, batch=64, optimizer="adamw", lr=4e-3, warmup=0.1, augmentation=HANDWRITING
    )


def _lenet5() -> Recipe:
    """Return momentum with a high rate: saturating units learn better with it than with AdamW."""
    return Recipe(
        epochs=15,
        batch=64,
        optimizer="sgd",
        lr=0.1,
        weight_decay=0.0,
        warmup=0.1,
        augmentation=HANDWRITING,
    )


def _mlp() -> Recipe:
    return Recipe(
        epochs=15, batch=64, optimizer="adamw", lr=1e-3, warmup=0.1, augmentation=HANDWRITING
    )


_DEFAULTS: dict[str, Callable[[], Recipe]] = {"lenet5": _lenet5, "mlp": _mlp}
