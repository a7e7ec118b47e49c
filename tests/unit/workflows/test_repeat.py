"""A run's ``args.toml`` repeats it bit for bit, whatever it was asked to do."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.progress import Step
from edgenet.training import checkpoint as checkpoints
from edgenet.training.recipe import Augmentation, Recipe
from edgenet.workflows import TrainArguments, resume, train
from edgenet.workflows.runs import Run, read_toml

EVERYTHING: dict[str, Any] = {
    "epochs": 2,
    "batch": 6,
    "accumulate": 2,
    "normalization": "symmetric",
    "loss": "bce",
    "optimizer": "adam",
    "lr": 2e-3,
    "lr_factors": {"classifier": 0.5, "classifier.output": 0.25},
    "freeze": ["features.conv1"],
    "betas": [0.8, 0.99],
    "epsilon": 1e-7,
    "momentum": 0.5,
    "nesterov": False,
    "weight_decay": 1e-4,
    "l1": 1e-5,
    "schedule": "one-cycle",
    "warmup": 0.25,
    "final_lr": 1e-4,
    "gamma": 0.5,
    "decay_every": 2,
    "label_smoothing": 0.0,
    "patience": 7,
    "dtype": "bfloat16",
    "seed": 2**40 + 1,
    "augmentation": {
        "rotation_degrees": 5.0,
        "shift": 0.05,
        "scale": 0.1,
        "shear": 0.1,
        "noise": 0.01,
        "flip": 0.5,
    },
}
"""Another value than the default of every field; ``label_smoothing`` goes with cross-entropy alone,
which is the default's loss."""

SMOOTHED: dict[str, Any] = {"epochs": 2, "batch": 16, "label_smoothing": 0.1}

RECIPES = {
    "default": {"epochs": 2, "batch": 16},
    "smoothed": SMOOTHED,
    "plain-sgd": {"epochs": 2, "batch": 16, "optimizer": "sgd", "schedule": "plateau"},
    "everything": EVERYTHING,
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two classes of coloured pictures, which may be mirrored."""
    folder = tmp_path_factory.mktemp("data") / "bars"
    generator = np.random.default_rng(0)
    for number in range(60):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 90, (16, 16, 3), dtype=np.uint8)
        place = int(generator.integers(2, 14))
        pixels[(slice(None), place) if kind == "standing" else (place, slice(None))] = 220
        (folder / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / kind / f"{number}.npy", pixels)
    return folder


def arguments_for(pictures: Path, project: Path, training: dict[str, Any]) -> TrainArguments:
    """Return how to train a network with dropout, by a recipe."""
    return TrainArguments(
        model="lenet5-relu",
        model_options={"channels": [2], "widths": [4], "kernel": 3, "dropout": 0.2},
        data=str(pictures),
        training=training,
        threads=1,
        project=project,
        name="run",
    )


def digests(run: Run) -> list[str]:
    """Return what the weights of both checkpoints of a run are, bit for bit."""
    return [checkpoints.digest(checkpoints.load(file).weights) for file in (run.best, run.last)]


class Stopped(BaseException):
    """Ends training from within, as a signal does."""


def stop_after_the_first_epoch(step: Step) -> None:
    """End training when one epoch is done."""
    if step.task == "train" and step.final and step.done == 1:
        raise Stopped


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_arguments_of_a_run_repeat_it_bit_for_bit(
    pictures: Path, tmp_path: Path, recipe: str
) -> None:
    """From its file alone, undisturbed and through an interruption."""
    first = train(arguments_for(pictures, tmp_path / "first", RECIPES[recipe]))
    config = read_toml(first.path / "args.toml")
    again = TrainArguments(project=tmp_path / "again", name="run").with_config(config)
    second = train(again)
    assert read_toml(second.path / "args.toml") == config
    assert digests(Run(second.path)) == digests(Run(first.path))
    with pytest.raises(Stopped):
        train(replace(again, project=tmp_path / "third"), progress=stop_after_the_first_epoch)
    third = resume(tmp_path / "third" / "train" / "run")
    assert digests(Run(third.path)) == digests(Run(first.path))


def test_another_seed_gives_other_weights(pictures: Path, tmp_path: Path) -> None:
    """Or equal digests would say nothing."""
    runs = [
        Run(train(arguments_for(pictures, tmp_path, {**RECIPES["default"], "seed": seed})).path)
        for seed in (0, 1)
    ]
    assert digests(runs[0]) != digests(runs[1])


def test_the_recipe_with_everything_leaves_no_field_at_its_default() -> None:
    """A field that is added to the recipe is repeated, too, or this test says so.

    Smoothing goes with one loss only, and a teacher's part with a teacher: see ``SMOOTHED``, and
    the tests of distillation.
    """
    usual, asked = Recipe(), Recipe().replace(EVERYTHING)
    same = {
        field.name
        for field in dataclasses.fields(Recipe)
        if getattr(usual, field.name) == getattr(asked, field.name)
    }
    assert same == {"label_smoothing", "distillation"}
    assert Recipe().replace(SMOOTHED).label_smoothing
    for field in dataclasses.fields(Augmentation):
        assert getattr(asked.augmentation, field.name) != getattr(usual.augmentation, field.name)


def test_a_configuration_keeps_every_value_of_every_recipe(tmp_path: Path) -> None:
    """Through the file and back: mappings, pairs, names and the last digit of numbers."""
    for training in RECIPES.values():
        arguments = TrainArguments(training=training, image_size=20)
        Run(tmp_path).write_arguments(arguments.to_config())
        read = TrainArguments().with_config(Run(tmp_path).arguments())
        assert read.resolved_recipe() == arguments.resolved_recipe()
        assert read.to_config() == arguments.to_config()
