"""Telling runs, checkpoints, bundles, pictures and model names apart."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edgenet.errors import CorruptFile, UsageError
from edgenet.workflows._resolve import Kind, newest_interrupted, pictures_in, resolve
from edgenet.workflows.runs import Run


def make(path: Path, content: str = "") -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def make_run(folder: Path, *, state: str = "finished") -> Path:
    """Make a run with a best checkpoint and one bundle."""
    make(folder / "args.toml", 'data = "mnist"\n')
    make(folder / "status.json", f'{{"state": "{state}"}}')
    make(folder / "weights" / "best.safetensors")
    make(folder / "bundles" / "onnx-fp32" / "manifest.json")
    return folder


def test_every_kind_is_known_by_its_marker(folder: Path) -> None:
    """One function decides, so that every verb means the same by the same name."""
    run = make_run(folder / "runs" / "train" / "lenet5")
    make(folder / "digits" / "a" / "1.PNG")
    kinds = {
        run: Kind.RUN,
        run / "weights" / "best.safetensors": Kind.CHECKPOINT,
        run / "bundles" / "onnx-fp32": Kind.BUNDLE,
        folder / "digits": Kind.PICTURES,
        folder / "digits" / "a" / "1.PNG": Kind.PICTURE,
        Path("lenet5"): Kind.MODEL,
    }
    assert {path: resolve(path).kind for path in kinds} == kinds


def test_a_bundle_with_pictures_or_a_run_marker_in_it_is_still_a_bundle(folder: Path) -> None:
    """The manifest decides: a bundle must not be taken for less than it claims to be."""
    make(folder / "b" / "manifest.json")
    make(folder / "b" / "sample.png")
    make(folder / "b" / "args.toml")
    assert resolve(folder / "b").kind is Kind.BUNDLE


def test_a_path_wins_over_a_model_of_the_same_name(folder: Path) -> None:
    """What lies in the current folder was named on purpose; the model needs no path to exist."""
    make_run(folder / "lenet5")
    assert resolve("lenet5").kind is Kind.RUN


def test_checkpoints_and_bundles_know_the_run_that_they_lie_in(folder: Path) -> None:
    """So that looks at its test set are noted there; others lie in none."""
    run = make_run(folder / "runs" / "train" / "net")
    for part in ("weights/best.safetensors", "bundles/onnx-fp32"):
        found = resolve(run / part).run
        assert found is not None
        assert found.path == run
    make(folder / "elsewhere" / "x.safetensors")
    assert resolve(folder / "elsewhere" / "x.safetensors").run is None


def test_a_run_offers_its_best_checkpoint_and_all_of_its_bundles(folder: Path) -> None:
    """Verbs take a run where they need one of these."""
    run = make_run(folder / "net")
    make(run / "bundles" / "torchscript-fp32" / "manifest.json")
    make(run / "bundles" / "half-written" / "model.onnx")
    resolved = resolve(run)
    assert resolved.checkpoint == run / "weights" / "best.safetensors"
    assert [bundle.name for bundle in resolved.bundles] == ["onnx-fp32", "torchscript-fp32"]


def test_a_run_without_a_checkpoint_says_how_to_get_one(folder: Path) -> None:
    """It was interrupted before its first epoch ended."""
    make(folder / "net" / "args.toml")
    with pytest.raises(UsageError) as caught:
        _ = resolve(folder / "net").checkpoint
    assert "--resume" in str(caught.value.hint)


def make_group(folder: Path) -> Path:
    """Make a group of two seeds whose members are runs."""
    make(folder / "args.toml", "seeds = 2\n")
    members = '[{"seed": 0}, {"seed": 1}]'
    make(folder / "group.json", f'{{"schema": "edgenet.group/1", "members": {members}}}')
    for seed in (0, 1):
        make_run(folder / "members" / f"seed{seed}")
    return folder


def test_a_group_is_no_run_and_its_members_are(folder: Path) -> None:
    """Each member is all that a run is; looks at the test set by all together are the group's."""
    group = make_group(folder / "runs" / "train" / "group")
    assert resolve(group).kind is Kind.GROUP
    found = resolve(group).run
    assert found is not None
    assert found.path == group
    member = resolve(group / "members" / "seed1")
    assert member.kind is Kind.RUN
    assert member.checkpoint == group / "members" / "seed1" / "weights" / "best.safetensors"


@pytest.mark.parametrize(
    ("accept", "hint"),
    [
        ((Kind.RUN, Kind.BUNDLE), "name one of its members: g/members/seed0, g/members/seed1"),
        ((Kind.RUN, Kind.CHECKPOINT), "name one of its members: g/members/seed0, g/members/seed1"),
        (
            (Kind.BUNDLE,),
            "name a bundle of one of its members: "
            + ", ".join(f"g/members/seed{seed}/bundles/onnx-fp32" for seed in (0, 1)),
        ),
        ((Kind.PICTURES,), None),
    ],
)
def test_where_one_network_is_wanted_a_group_names_its_members(
    folder: Path, accept: tuple[Kind, ...], hint: str | None
) -> None:
    """Measured, exported and looked into are networks; a group is several."""
    make_group(Path("g"))
    with pytest.raises(UsageError, match="g is a seed group, not") as caught:
        resolve("g", accept=accept)
    assert caught.value.hint == hint


def test_a_group_without_bundles_says_how_to_get_one(folder: Path) -> None:
    """Members are exported one by one."""
    group = make_group(Path("g"))
    for seed in (0, 1):
        shutil.rmtree(group / "members" / f"seed{seed}" / "bundles")
    with pytest.raises(UsageError) as caught:
        resolve("g", accept=(Kind.BUNDLE,))
    assert str(caught.value.hint).endswith("edgenet export g/members/seed0")


def test_what_the_caller_cannot_use_is_refused_by_both_names(folder: Path) -> None:
    """The message says what it is and what it should be, the hint how to get there."""
    with pytest.raises(UsageError, match="a model name, not a run folder or a bundle") as caught:
        resolve("lenet5", accept=(Kind.RUN, Kind.BUNDLE))
    assert caught.value.hint == "train it first: edgenet train --model lenet5"
    run = make_run(folder / "net")
    with pytest.raises(UsageError, match="a run folder, not a bundle") as caught:
        resolve(run, accept=(Kind.BUNDLE,))
    assert str(run / "bundles" / "onnx-fp32") in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lenet-5", "did you mean 'lenet5'?"),
        ("runs/train/lenet", "did you mean runs/train/lenet5?"),
        ("run/train/lenet5", "did you mean runs?"),
        ("my-run", "did you mean runs/train/my-run?"),
    ],
)
def test_a_typo_gets_the_nearest_match(folder: Path, text: str, hint: str) -> None:
    """Models, paths at any depth, and the name of a run without its folders."""
    make_run(folder / "runs" / "train" / "lenet5")
    make_run(folder / "runs" / "train" / "my-run")
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert caught.value.hint == hint


@pytest.mark.parametrize("text", ["", "no/such/place", "zzzzzz", "~nobody-of-that-name/x"])
def test_a_name_that_is_like_nothing_is_a_usage_error(folder: Path, text: str) -> None:
    """Whatever was typed, it ends in a message."""
    with pytest.raises(UsageError):
        resolve(text)


def test_a_folder_of_runs_is_no_run_and_names_the_first_in_it(folder: Path) -> None:
    """It is the commonest slip."""
    make_run(folder / "runs" / "train" / "net")
    with pytest.raises(UsageError) as caught:
        resolve(folder / "runs" / "train")
    assert caught.value.hint == f"did you mean {folder / 'runs' / 'train' / 'net'}?"


def test_an_empty_folder_is_nothing(folder: Path) -> None:
    """No guess is made."""
    with pytest.raises(UsageError, match="no run, no bundle and has no pictures"):
        resolve(folder)


def test_weights_without_their_arguments_are_a_damaged_run(folder: Path) -> None:
    """The checkpoint itself can still be used, and the hint says so."""
    make(folder / "net" / "weights" / "best.safetensors")
    with pytest.raises(CorruptFile) as caught:
        resolve(folder / "net")
    assert str(folder / "net" / "weights" / "best.safetensors") in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bundle/model.onnx", "name the bundle's folder"),
        ("bundle/manifest.json", "name the bundle's folder"),
        ("loose.onnx", "edgenet import"),
        ("loose.pth", ".safetensors"),
        ("notes.txt", ".png"),
    ],
)
def test_files_of_other_kinds_say_what_to_name_instead(folder: Path, name: str, hint: str) -> None:
    """A model file alone has no labels and no preprocessing: it cannot be used as it is."""
    make(folder / "bundle" / "manifest.json")
    make(folder / name)
    with pytest.raises(UsageError) as caught:
        resolve(folder / name)
    assert hint in str(caught.value.hint)


def test_pictures_are_found_in_all_folders_in_order_and_hidden_ones_are_not(folder: Path) -> None:
    """The order does not depend on the file system; thumbnails of a desktop are left alone."""
    for name in ("b/2.jpg", "a/1.png", "0.npy", ".thumbs/3.png", "a/.4.png", "a/notes.txt"):
        make(folder / name)
    found = [str(path.relative_to(folder)) for path in pictures_in(folder)]
    assert found == ["0.npy", "a/1.png", "b/2.jpg"]


def test_the_newest_interrupted_run_is_the_one_to_resume(folder: Path) -> None:
    """Finished runs are left out, however new."""
    project = folder / "runs"
    for age, (name, state) in enumerate(
        [("done", "finished"), ("new", "running"), ("old", "failed")]
    ):
        run = make_run(project / "train" / name, state=state)
        os.utime(run / "args.toml", (1e9 - age, 1e9 - age))
    assert newest_interrupted(project) == project / "train" / "new"


def test_a_run_that_is_being_worked_on_is_not_the_one_to_resume(folder: Path) -> None:
    """However new: the interrupted one beside it is."""
    project = folder / "runs"
    for name in ("stopped", "busy"):
        make_run(project / "train" / name, state="running")
    os.utime(project / "train" / "stopped" / "args.toml", (1e9, 1e9))
    with Run(project / "train" / "busy").working():
        assert newest_interrupted(project) == project / "train" / "stopped"


def test_nothing_to_resume_is_a_usage_error(folder: Path) -> None:
    """``--resume`` alone needs an interrupted run."""
    make_run(folder / "runs" / "train" / "done")
    with pytest.raises(UsageError, match="interrupted"):
        newest_interrupted(folder / "runs")
