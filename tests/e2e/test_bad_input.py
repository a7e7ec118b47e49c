"""What goes wrong is said in one message with its exit code, and nothing is lost or left behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Command, edgenet, said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--model", "lenet6"], ["unknown model 'lenet6'", "did you mean 'lenet5'"]),
        (["train", "--epochs", "0"], ["epochs must be 1 or more, not 0"]),
        (["train", "--epoch", "3"], ["--epoch", "did you mean --epochs"]),
        (["train", "--batch", "60000"], ["60000 is larger than", "55000"]),
        (["train", "--lr", "-1"], ["lr must be"]),
        (["train", "--freeze", "feature"], ["the network has no 'feature'", "features"]),
        (["train", "--seeds", "1"], ["seeds must be 2 or more"]),
        (["train", "--from", "nowhere"], ["there is no 'nowhere'"]),
        (["train", "-s", "augmentation.flip=0.5"], ["does not show its class"]),
        (["train", "--optimizer", "adamx"], ["unknown optimizer 'adamx'", "adam"]),
        (["train", "--data", "mnits"], ["unknown data set 'mnits'", "did you mean 'mnist'"]),
        (["train", "--data", "no/such/folder"], ["there is no folder no/such/folder"]),
        (["train", "--device", "gpu"], ["unknown device 'gpu'"]),
        (["train", "-o", "kernal=3"], ["unknown model option 'kernal'", "did you mean 'kernel'"]),
        (["train", "--config", "none.toml"], ["none.toml"]),
        (
            ["export", "lenet5", "--format", "onxx"],
            ["unknown format 'onxx'", "did you mean 'onnx'"],
        ),
        (["export", "lenet5", "--int8", "--half"], ["--int8 and --half exclude each other"]),
        (["export", "lenet5"], ["a model name", "edgenet train --model lenet5"]),
        (["bench", "nowhere"], ["there is no 'nowhere'"]),
        (["bench", "nowhere", "--threads", "0"], ["threads must be 1"]),
        (["trian"], ["unknown command 'trian'", "did you mean 'train'"]),
    ],
)
def test_a_request_that_cannot_be_is_a_usage_error(
    tmp_path: Path, here: Command, arguments: list[str], words: list[str]
) -> None:
    """Exit code 2, what is wrong in the message, the nearest match in the hint, no folder made."""
    said(here(tmp_path, *arguments), 2, *words)
    assert list(tmp_path.iterdir()) == []


def test_with_json_an_error_is_one_object_on_stdout(tmp_path: Path) -> None:
    """A script reads the same error that a person reads."""
    result = edgenet(tmp_path, "train", "--model", "lenet6", "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["error"] == {
        "code": "usage",
        "message": "unknown model 'lenet6'",
        "hint": "did you mean 'lenet5'?",
    }


def test_a_device_that_is_not_here_is_refused(tmp_path: Path) -> None:
    """Never another device in its place."""
    said(edgenet(tmp_path, "train", "--device", "cuda:7"), 5, "cuda:7", "is not here")


def test_an_empty_folder_of_pictures_is_refused(tmp_path: Path) -> None:
    """With what a folder should have in it."""
    (tmp_path / "empty").mkdir()
    result = edgenet(tmp_path, "train", "--data", "empty")
    said(result, 1, "empty holds no class folders", "hint: lay it out")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_broken_picture_is_named_and_training_goes_on(tiny: list[str], tmp_path: Path) -> None:
    """The JSON result lists it with its reason."""
    result = edgenet(tmp_path, "train", *tiny, "--json")
    said(result, 0)
    [(picture, reason)] = json.loads(result.stdout)["skipped"]
    assert picture.endswith("broken.png")
    assert reason


@pytest.mark.parametrize(
    "damage",
    [
        "truncated",
        pytest.param("garbled", marks=pytest.mark.slow),
        pytest.param("emptied", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_checkpoint_is_refused_and_named(run: Path, damage: str) -> None:
    """Exit code 6, from every verb that reads it."""
    file = run / "weights" / "best.safetensors"
    content = file.read_bytes()
    middle = len(content) // 2
    garbled = content[:middle] + bytes(64) + content[middle + 64 :]
    file.write_bytes({"truncated": content[:middle], "garbled": garbled, "emptied": b""}[damage])
    for verb in (["eval"], ["export", "--exist-ok"], ["inspect"]):
        said(edgenet(run.parent, *verb, "run"), 6, "best.safetensors")


def test_weights_of_another_model_are_refused(run: Path) -> None:
    """The description says one network, the tensors are another's."""
    from dataclasses import replace

    from edgenet.models import ModelSpec
    from edgenet.training.checkpoint import load, save

    file = run / "weights" / "best.safetensors"
    good = load(file)
    spec = ModelSpec(name="mlp", classes=good.spec.classes)
    save(replace(good, spec=spec), file)
    said(edgenet(run.parent, "eval", "run"), 6, "do not fit model 'mlp'")


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "manifest.json"])
def test_one_changed_byte_of_a_bundle_is_noticed(run: Path, name: str) -> None:
    """Exit code 6 with the file's name, before anything of it is run."""
    bundle = run / "bundles" / "onnx-fp32"
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    for verb in ("verify", "bench", "eval"):
        said(edgenet(run.parent, verb, "run/bundles/onnx-fp32"), 6, name)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a small file system at ``folder`` where that is allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        allowed = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_training_with_a_message(tmp_path: Path, pictures: Path) -> None:
    """Exit code 1, and no half-written file beside what was there."""
    place = tmp_path / "small"
    with mounted(place, "size=100k"):
        arguments = ["train", "--data", str(pictures), "--threads", "1", "--epochs", "1"]
        said(edgenet(place, *arguments, "--batch", "20"), 1, "no space left on the disk", "hint:")
        left = [file.name for file in place.rglob("*") if file.is_file()]
        assert not [name for name in left if "safetensors" in name]


def test_a_full_disk_ends_an_export_and_leaves_no_bundle(run: Path, tmp_path: Path) -> None:
    """A bundle appears whole or not at all."""
    place = tmp_path / "small"
    with mounted(place, "size=20k"):
        shutil.copy(run / "weights" / "best.safetensors", place)
        said(edgenet(place, "export", "best.safetensors"), 1, "no space left on the disk")
        assert [path.name for path in place.rglob("*") if path.is_file()] == ["best.safetensors"]


def test_a_read_only_folder_is_said_to_be_one(tmp_path: Path, tiny: list[str]) -> None:
    """Exit code 1 with the folder's name and what to do."""
    arguments = ["train", *tiny]
    if os.geteuid() == 0:
        place = tmp_path / "readonly"
        with mounted(place, "size=1m,ro"):
            said(
                edgenet(tmp_path, *arguments, "--project", "readonly/runs"), 1, "readonly", "hint:"
            )
    else:
        tmp_path.chmod(0o555)
        said(edgenet(tmp_path, *arguments), 1, "runs", "hint:")
        tmp_path.chmod(0o755)
