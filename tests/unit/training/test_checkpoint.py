"""Checkpoints: whole, honest about what they are, and refused when damaged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from edgenet.errors import CorruptFile, EdgenetError, UsageError
from edgenet.models import ModelSpec, build
from edgenet.runner.preprocess import Preprocessing
from edgenet.training import checkpoint as module
from edgenet.training.checkpoint import (
    Checkpoint,
    load,
    previous_of,
    save,
    save_keeping_previous,
)
from edgenet.training.loop import fit
from edgenet.training.pictures import Pictures
from edgenet.training.recipe import Recipe

SPEC = ModelSpec(name="lenet5", options={"channels": [2, 3], "widths": [4]})


@pytest.fixture
def checkpoint() -> Checkpoint:
    """Return a small checkpoint without state to resume from."""
    return Checkpoint(
        spec=SPEC,
        labels=tuple("0123456789"),
        preprocessing=Preprocessing(
            mode="L", height=28, width=28, resize="stretch", mean=(0.13,), std=(0.31,)
        ),
        data={"name": "mnist"},
        recipe=Recipe().to_json(),
        metrics={"epoch": 3},
        weights=dict(build(SPEC).state_dict()),
    )


def test_a_checkpoint_comes_back_as_it_was_written(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Weights bit for bit, and everything beside them."""
    save(checkpoint, tmp_path / "a.safetensors")
    read = load(tmp_path / "a.safetensors")
    for name, tensor in checkpoint.weights.items():
        assert torch.equal(tensor, read.weights[name])
    without = [dataclasses.replace(each, weights={}, recipe={}) for each in (read, checkpoint)]
    assert without[0] == without[1]
    assert Recipe.from_json(read.recipe) == Recipe()
    images = torch.rand(2, 1, 28, 28)
    assert read.build()(images).shape == (2, 10)


def test_the_state_of_training_comes_back_as_it_was(
    checkpoint: Checkpoint, bars: Pictures, tmp_path: Path
) -> None:
    """Records, best weights and the optimizer's tensors, so that a run can go on."""
    spec = dataclasses.replace(SPEC, image_size=(12, 12), classes=2, options={"channels": [2]})
    state = fit(build(spec), Recipe(epochs=2), train=bars, validation=bars)
    full = dataclasses.replace(
        checkpoint,
        spec=spec,
        labels=("0", "1"),
        weights=state.weights,
        best_weights=state.best_weights,
        optimizer=state.optimizer,
        records=tuple(state.records),
    )
    save(full, tmp_path / "last.safetensors")
    read = load(tmp_path / "last.safetensors").state()
    assert read.records == state.records
    assert read.optimizer.keys() == state.optimizer.keys()
    for name, tensor in state.optimizer.items():
        assert torch.equal(tensor, read.optimizer[name])


def test_weights_alone_cannot_be_resumed_from(checkpoint: Checkpoint) -> None:
    """The message says so instead of starting anew."""
    with pytest.raises(UsageError, match="cannot be resumed"):
        checkpoint.state()


def test_every_flipped_byte_and_every_cut_is_noticed(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Header, description and tensors alike: no damaged file is ever used."""
    file = tmp_path / "a.safetensors"
    save(checkpoint, file)
    whole = file.read_bytes()
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        file.write_bytes(damaged)
        try:
            read = load(file)
        except CorruptFile:
            continue
        assert all(
            torch.equal(read.weights[name], tensor) for name, tensor in checkpoint.weights.items()
        )
    for length in (0, 1, 8, 200, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(CorruptFile, match=r"a\.safetensors"):
            load(file)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """A picture is no checkpoint, and neither is another program's safetensors file."""
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"GIF89a" * 100)
    with pytest.raises(CorruptFile, match="damaged or not a safetensors file"):
        load(file)
    safetensors.torch.save_file({"w": torch.ones(3)}, file)
    with pytest.raises(CorruptFile, match="not a checkpoint of edgenet"):
        load(file)
    with pytest.raises(UsageError, match="there is no checkpoint"):
        load(tmp_path / "none.safetensors")


def test_weights_of_another_model_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """The name says simple-cnn, the tensors say LeNet: nothing is guessed."""
    other = dataclasses.replace(checkpoint, spec=ModelSpec(name="simple-cnn"))
    save(other, tmp_path / "a.safetensors")
    with pytest.raises(CorruptFile, match="do not fit model 'simple-cnn'"):
        load(tmp_path / "a.safetensors").build()


@pytest.mark.parametrize("name", ["data", "recipe", "metrics", "parent"])
def test_a_description_with_a_number_for_a_table_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, name: str
) -> None:
    """Its digest covers the tensors alone, so the description can be anything."""
    file = tmp_path / "a.safetensors"
    save(checkpoint, file)
    with safetensors.safe_open(file, framework="pt") as read:
        description = json.loads(read.metadata()["edgenet"])
        tensors = {key: read.get_tensor(key) for key in read.keys()}  # noqa: SIM118
    text = json.dumps({**description, name: 3})
    safetensors.torch.save_file(tensors, file, {"edgenet": text})
    with pytest.raises(CorruptFile, match=f"{name} in its description is not a table"):
        load(file)


def test_a_checkpoint_of_an_unknown_loss_is_refused_where_it_matters(
    checkpoint: Checkpoint,
) -> None:
    """Without the loss nobody knows how logits become probabilities."""
    other = dataclasses.replace(checkpoint, recipe={"loss": "hinge"})
    with pytest.raises(CorruptFile, match="unknown loss 'hinge'"):
        _ = other.probability


def test_a_newer_schema_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later edgenet may mean something else by the same names."""
    monkeypatch.setattr(module, "SCHEMA", "edgenet.checkpoint/2")
    save(checkpoint, tmp_path / "a.safetensors")
    monkeypatch.undo()
    with pytest.raises(CorruptFile, match="checkpoint/2"):
        load(tmp_path / "a.safetensors")


def test_the_file_before_is_kept(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Two generations: if the disk spoils the newer one, the older one is there."""
    file = tmp_path / "last.safetensors"
    for epoch in (1, 2, 3):
        save_keeping_previous(dataclasses.replace(checkpoint, metrics={"epoch": epoch}), file)
    assert load(file).metrics["epoch"] == 3
    assert load(previous_of(file)).metrics["epoch"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "last.previous.safetensors",
        "last.safetensors",
    ]


def test_a_failed_write_leaves_the_file_as_it_was(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rename comes last, after everything is on the disk."""
    file = tmp_path / "a.safetensors"
    save(checkpoint, file)
    before = file.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EdgenetError, match="no space left"):
        save(dataclasses.replace(checkpoint, metrics={"epoch": 4}), file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_description_is_plain_json(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Any tool that reads safetensors can see what a checkpoint is."""
    save(checkpoint, tmp_path / "a.safetensors")
    with safetensors.safe_open(tmp_path / "a.safetensors", framework="np") as file:
        description = json.loads(file.metadata()["edgenet"])
    assert description["spec"]["name"] == "lenet5"
    assert description["labels"] == list("0123456789")
