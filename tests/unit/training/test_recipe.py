"""Recipes: what they accept, refuse and remember."""

from __future__ import annotations

from typing import Any

import pytest

from edgenet.errors import UsageError
from edgenet.training.recipe import Augmentation, Recipe
from edgenet.training.recipes import TABLE, named


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"batch": 0}, "batch must be 1 or more"),
        ({"lr": 0.0}, "lr must be"),
        ({"lr": float("nan")}, "lr must be more than 0, not nan"),
        ({"lr": float("inf")}, "lr must be more than 0, not inf"),
        ({"final_lr": 1.0}, "final_lr must be 0 or more and at most 0.001"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"seed": -1}, "seed must be 0"),
        ({"optimizer": "adamx"}, "unknown optimizer"),
        ({"schedule": "cosin"}, "unknown schedule"),
        ({"dtype": "float16"}, "unknown dtype"),
        ({"betas": [0.9, 1.0]}, "betas"),
        ({"betas": 3}, "'betas' cannot be 3"),
        ({"betas": ["a", 0.9]}, "'betas' cannot be"),
        ({"epochs": float("inf")}, "'epochs' cannot be inf"),
        ({"epochs": "5"}, "'epochs' cannot be '5'"),
        ({"epochs": 1.5}, "'epochs' cannot be 1.5"),
        ({"nesterov": 1}, "'nesterov' cannot be 1"),
        ({"epoch": 5}, "unknown training option 'epoch'"),
        ({"loss": "hinge"}, "unknown loss"),
        ({"loss": "mse", "label_smoothing": 0.1}, "not of mse"),
        ({"normalization": "minmax"}, "unknown normalization"),
        ({"epsilon": 0}, "epsilon must be more than 0"),
        ({"l1": -1}, "l1 must be 0 or more"),
        ({"freeze": 3}, "'freeze' cannot be 3"),
        ({"freeze": [""]}, "'freeze' cannot be"),
        ({"lr_factors": {"features": 0}}, "lr_factors features must be more than 0"),
        ({"lr_factors": ["features"]}, "'lr_factors' cannot be"),
        ({"augmentation": {"flip": 1.5}}, "augmentation flip must be 0 or more and at most 1"),
        ({"augmentation": {"rotation": 5}}, "unknown training option 'rotation'"),
        ({"augmentation": {"shift": 2}}, "augmentation shift must be 0 or more and at most 1"),
        ({"augmentation": 5}, "augmentation takes a table"),
        ({"epochs": 10**400}, "'epochs' cannot be 1000"),
        ({"lr": 10**400}, "'lr' cannot be 1000"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    """The message names the option and its range."""
    with pytest.raises(UsageError, match=message):
        Recipe().replace(changes)


@pytest.mark.parametrize("name", TABLE)
def test_a_named_recipe_survives_plain_values(name: str) -> None:
    """``args.toml`` and checkpoints keep recipes as plain values."""
    recipe = named(name, model="lenet5", data="mnist")
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_the_protocols_are_those_of_the_documents() -> None:
    """SPEC T7 to T10, number by number."""
    said = {
        "comparison": {
            "epochs": 10,
            "batch": 64,
            "optimizer": "adamw",
            "lr": 1e-3,
            "schedule": "constant",
        },
        "d2l": {
            "epochs": 10,
            "batch": 128,
            "optimizer": "sgd",
            "lr": 0.1,
            "momentum": 0.0,
            "weight_decay": 0.0,
        },
        "regularised": {
            "optimizer": "adam",
            "lr": 1e-3,
            "betas": (0.9, 0.999),
            "epsilon": 1e-7,
            "schedule": "cosine",
            "final_lr": 1e-5,
            "weight_decay": 1e-4,
            "patience": 5,
            "loss": "nll",
            "augmentation": Augmentation(rotation_degrees=15, scale=0.1),
        },
        "symmetric": {
            "batch": 32,
            "optimizer": "adam",
            "lr": 1e-3,
            "loss": "cross-entropy",
            "normalization": "symmetric",
        },
    }
    for name, values in said.items():
        recipe = named(name, model="mlp", data="mnist")
        assert {key: getattr(recipe, key) for key in values} == values
        if "augmentation" not in values:
            assert recipe.augmentation == Augmentation()


def test_only_data_that_may_be_mirrored_are_mirrored_by_default() -> None:
    """A mirrored shoe is a shoe; a mirrored 3 is no digit."""
    assert named("default", model="lenet5", data="mnist").augmentation.flip == 0
    assert named("default", model="lenet5", data="fashion-mnist").augmentation.flip == 0.5


def test_an_unknown_recipe_names_the_nearest_one() -> None:
    """A typo costs one look at the message."""
    with pytest.raises(UsageError) as caught:
        named("defualt", model="lenet5", data="mnist")
    assert caught.value.hint == "did you mean 'default'?"


def test_changing_one_augmentation_keeps_the_others() -> None:
    """A table of a configuration file changes what it names and nothing else."""
    recipe = Recipe(augmentation=Augmentation(shift=0.1)).replace({"augmentation": {"noise": 0.2}})
    assert recipe.augmentation == Augmentation(shift=0.1, noise=0.2)
