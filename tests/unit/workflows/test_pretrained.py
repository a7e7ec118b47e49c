"""Training that starts from a trained network, on other data than it was trained on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgenet.errors import DataUnavailable, UsageError
from edgenet.progress import Step
from edgenet.training import checkpoint as checkpoints
from edgenet.training.checkpoint import Checkpoint
from edgenet.workflows import TrainArguments, TrainResult, plan_training, resume, train
from edgenet.workflows.runs import Run
from tests.checkpoints import write_checkpoint, write_random_data

QUICK: dict[str, Any] = {"epochs": 1, "batch": 8, "augmentation": {"noise": 0.0}}


@pytest.fixture
def parent(folder: Path) -> Path:
    """Return a checkpoint of a LeNet for ten kinds of grey pictures of 28×28."""
    data = write_random_data(folder / "digits")
    return write_checkpoint(folder / "parent.safetensors", data)


def pictures(place: Path, names: tuple[str, ...], *, side: int, colour: bool, count: int) -> str:
    """Write a folder of random pictures, ``count`` a class; return its path."""
    draw = np.random.default_rng(1)
    shape = (side, side, 3) if colour else (side, side)
    for name in names:
        (place / name).mkdir(parents=True)
        for number in range(count):
            np.save(place / name / f"{number}.npy", draw.integers(0, 256, shape, dtype=np.uint8))
    return str(place)


def finetuned(data: str, parent: Path, **other: Any) -> tuple[TrainResult, Checkpoint]:
    """Train one epoch from ``parent``; return the result and the checkpoint."""
    values = {"data": data, "pretrained": str(parent), "training": QUICK, "threads": 1, **other}
    result = train(TrainArguments(**values))
    return result, checkpoints.load(Run(result.path).best)


def test_colour_pictures_of_three_classes_and_another_size(folder: Path, parent: Path) -> None:
    """What started fresh is named in the result and in the environment; the parent is recorded."""
    data = pictures(folder / "beasts", ("ant", "bee", "cat"), side=64, colour=True, count=8)
    result, checkpoint = finetuned(data, parent)
    assert result.model == "lenet5-relu"
    assert result.started_fresh == ("classifier.linear1", "classifier.output")
    assert result.adapted == {"features.conv1": "repeated and divided by 3 channels"}
    assert checkpoint.spec.in_channels == 3
    assert checkpoint.spec.image_size == (64, 64)
    assert checkpoint.labels == ("ant", "bee", "cat")
    noted = json.loads((result.path / "env.json").read_text("utf-8"))["pretrained"]
    assert noted["fresh"] == ["classifier.linear1", "classifier.output"]
    assert dict(checkpoint.parent) == result.parent
    assert result.parent == {
        "model": "lenet5-relu",
        "data": "digits",
        "weights_sha256": checkpoints.digest(checkpoints.load(parent).weights),
    }
    json.dumps(result.to_json())


def test_large_colour_pictures_and_few_of_them(folder: Path, parent: Path) -> None:
    """256×256, as the source document names them."""
    data = pictures(folder / "large", ("ant", "bee"), side=256, colour=True, count=8)
    result, checkpoint = finetuned(data, parent, image_size=256)
    assert checkpoint.spec.image_size == (256, 256)
    assert "features.conv2" not in result.started_fresh


def test_frozen_parts_stay_as_they_are_bit_for_bit(folder: Path) -> None:
    """The averages of normalisation layers, too; the head learns."""
    digits = write_random_data(folder / "digits")
    parent = write_checkpoint(folder / "parent.safetensors", digits, model="teacher")
    data = pictures(folder / "new", ("ant", "bee"), side=28, colour=False, count=8)
    training = {**QUICK, "freeze": ["features"]}
    result, checkpoint = finetuned(data, parent, training=training)
    assert result.started_fresh == ("classifier.output",)
    before = checkpoints.load(parent).weights
    for name, tensor in before.items():
        kept = name.startswith("features.")
        assert kept == torch.equal(checkpoint.weights[name], tensor), name


def test_the_same_classes_in_another_order_keep_their_rows(folder: Path) -> None:
    """With nothing but the features trained, every row of the last layer is where its class is."""
    first = pictures(folder / "first", ("ant", "bee", "cat"), side=28, colour=False, count=8)
    trained = train(TrainArguments(data=first, training=QUICK, threads=1))
    (folder / "second").mkdir()
    again = Path(pictures(folder / "again", ("bee", "ant", "eel"), side=28, colour=False, count=8))
    result, checkpoint = finetuned(
        str(again), trained.path, training={**QUICK, "lr_factors": {"classifier": 1e-9}}
    )
    assert result.adapted == {"classifier.output": "2 of 3 classes kept; fresh: eel"}
    before = checkpoints.load(Run(trained.path).best)
    name = "classifier.output.weight"
    rows = [before.labels.index(label) for label in ("ant", "bee")]
    places = [checkpoint.labels.index(label) for label in ("ant", "bee")]
    kept, expected = checkpoint.weights[name][places], before.weights[name][rows]
    torch.testing.assert_close(kept, expected, rtol=0, atol=1e-6)


def test_a_model_of_another_family_is_refused(folder: Path, parent: Path) -> None:
    """The checkpoint decides the model unless one is asked for, and then it must fit."""
    arguments = TrainArguments(model="mlp", pretrained=str(parent), data="digits")
    with pytest.raises(UsageError, match="two families"):
        train(arguments)
    assert not Path("runs").exists()


def test_a_dry_run_names_the_checkpoints_model(folder: Path, parent: Path) -> None:
    """And records where the weights come from so that they are found from any other folder."""
    plan = plan_training(TrainArguments(pretrained="parent.safetensors")).arguments
    assert plan["model"] == "lenet5-relu"
    assert plan["pretrained"] == str(parent.resolve())
    assert plan["pretrained_sha256"] == checkpoints.digest(checkpoints.load(parent).weights)
    assert plan_training(TrainArguments()).arguments["model"] == "lenet5-relu"


def test_another_checkpoint_of_that_name_is_noticed(folder: Path, parent: Path) -> None:
    """A recorded run is repeated from the same weights or not at all."""
    config = plan_training(TrainArguments(pretrained=str(parent), data="digits")).arguments
    checkpoint = checkpoints.load(parent)
    weights = {name: tensor + 1 for name, tensor in checkpoint.weights.items()}
    checkpoints.save(dataclasses.replace(checkpoint, weights=weights), parent)
    with pytest.raises(DataUnavailable, match="are not those that the run began with"):
        train(TrainArguments().with_config(config))


def test_a_run_that_started_from_another_is_resumed_and_repeated(
    folder: Path, parent: Path
) -> None:
    """After an interruption, and from its ``args.toml``: the same weights bit for bit."""
    training = {**QUICK, "epochs": 2}
    undisturbed, expected = finetuned("digits", parent, training=training, name="whole")

    class Stopped(BaseException):
        pass

    def stop(step: Step) -> None:
        if step.task == "train" and step.final:
            raise Stopped

    arguments = TrainArguments().with_config(Run(undisturbed.path).arguments())
    with pytest.raises(Stopped):
        train(dataclasses.replace(arguments, name="part"), progress=stop)
    resumed = resume(Path("runs/train/part"))
    weights = checkpoints.load(Run(resumed.path).best).weights
    assert all(torch.equal(tensor, weights[name]) for name, tensor in expected.weights.items())
    assert resumed.parent == undisturbed.parent
