"""The command lines that end before any work is done, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import edgenet
from edgenet.cli import deployment, measurement, training, understanding, using
from edgenet.cli.app import main
from edgenet.training.recipe import Augmentation
from edgenet.training.recipes import CLOTHES, HANDWRITING

GROUPS = (training, deployment, measurement, understanding, using)
VERBS = [verb for group in GROUPS for verb in group.VERBS]


@pytest.fixture
def planned(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Return what ``train --dry-run`` with some options would record."""

    def plan(*arguments: str) -> Any:
        assert main(["train", "--dry-run", "--json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)["arguments"]

    return plan


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """One number, in one place."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"edgenet {edgenet.__version__}\n"


def test_without_a_verb_the_help_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """With what the exit codes mean."""
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(f" {verb} " in text for verb in VERBS)
    assert "Exit codes" in text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_takes_json_and_quiet(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them has a result."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert "--quiet" in text


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["trian"], "unknown command 'trian'", "did you mean 'train'?"),
        (["xyzzy"], "unknown command 'xyzzy'", "known: bench"),
        (
            ["train", "--epoch", "3"],
            "edgenet train has no option --epoch",
            "did you mean --epochs?",
        ),
        (["bench", "x", "--proceses", "3"], "no option --proceses", "did you mean --processes?"),
        (["train", "--epochs", "three"], "--epochs", "edgenet train --help"),
        (["train", "--epochs"], "--epochs", "--help"),
        (["eval"], "SOURCE", "edgenet eval --help"),
        (["train", "--optimizer", "adamv"], "unknown optimizer 'adamv'", "did you mean 'adam"),
        (["train", "--schedule", "cosin"], "unknown schedule 'cosin'", "did you mean 'cosine'?"),
        (["train", "--recipe", "defalt"], "unknown recipe 'defalt'", "did you mean 'default'?"),
        (["train", "--epochs", "0"], "epochs must be 1 or more", ""),
        (["train", "--batch", "-1"], "batch must be 1 or more", ""),
        (["train", "--lr", "nan"], "lr must be", ""),
        (["train", "runs/x"], "what is 'runs/x' for?", "--resume runs/x"),
        (["train", "--resume", "x", "--epochs", "3"], "cannot take --epochs", "--config"),
        (["train", "--resume", "x", "--dry-run"], "cannot take --dry-run", ""),
        (["train", "--resume", "x", "--exist-ok"], "cannot take --exist-ok", ""),
        (["train", "--resume", "x", "--from", "y", "--imgsz", "3"], "take --from, --imgsz", ""),
        (["train", "--augment", "--set", "augmentation=3"], "augmentation takes a table", ""),
        (["train", "--threads", "100000"], "threads must be 0 (choose) to 1024", ""),
        (["eval", "x", "--threads", "100000"], "threads must be at most 1024", ""),
        (["predict", "x", "y", "--threads", "100000"], "threads must be at most 1024", ""),
        (["verify", "x", "--threads", "100000"], "threads must be 1 to 1024", ""),
        (["train", "--name", "a/b"], "cannot be the name of a run", "without slashes"),
        (["train", "--lr", "inf"], "lr must be", ""),
        (["train", "--dry-run", "--model", "lenett"], "unknown model", "did you mean 'lenet5'?"),
        (["train", "--dry-run", "-o", "droput=1"], "unknown model option", "'dropout'"),
        (["train", "--dry-run", "--data", "mnits"], "unknown data set", "did you mean 'mnist'?"),
        (["train", "--dry-run", "--device", "gpu"], "unknown device 'gpu'", "cuda"),
        (["train", "--resume"], "no run in runs/train was interrupted", "edgenet runs"),
        (["train", "--config", "none.toml"], "cannot read none.toml", ""),
        (["export", "lenet5"], "a model name, not a run folder or a checkpoint", "edgenet train"),
        (["export", "x", "--format", "onxn"], "unknown format 'onxn'", "did you mean 'onnx'?"),
        (["export", "x", "--int8", "--half"], "--int8 and --half exclude each other", ""),
        (["eval", "x", "--split", "tset"], "unknown split 'tset'", "did you mean 'test'?"),
        (["predict", "x", "y", "--polarity", "inverted"], "unknown polarity", "'invert'"),
        (["inspect", "lenet-5"], "neither a path nor a model", "did you mean 'lenet5'?"),
        (["inspect", "mlp", "-o", "droput=0.5"], "unknown model option", "did you mean 'dropout'?"),
        (["bench", "x", "--batch", "1,y"], "--batch takes whole numbers", ""),
        (["runs"], "there is no folder runs", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_ends_with_exit_code_2_and_the_nearest_thing_there_is(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
    hint: str,
) -> None:
    """On stderr for people; as one object on stdout for programs."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert hint in captured.err
    assert main([*arguments, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "usage"
    assert message in error["message"]
    assert hint in (error["hint"] or "")
    assert list(folder.iterdir()) == []


def test_flags_reach_the_recipe_and_the_run(planned: Callable[..., Any]) -> None:
    """Each flag changes one value, and no other."""
    plain = planned("--data", "fashion-mnist")
    changed = planned(
        *("--model", "lenet5", "-o", "dropout=0.2", "--data", "fashion-mnist", "--epochs", "3"),
        *("--batch", "32", "--lr", "0.01", "--optimizer", "sgd", "--schedule", "step"),
        *("--seed", "7", "--split-seed", "8", "--device", "cpu", "--threads", "2"),
        *("--dtype", "bfloat16", "--patience", "4", "--label-smoothing", "0.1"),
        *("--weight-decay", "0.5", "--accumulate", "2", "--imgsz", "32", "--seeds", "3"),
        *("--freeze", "features.conv1", "--freeze", "features.conv2"),
        *("--lr-factor", "features=0.1", "--lr-factor", "classifier.output=2"),
    )
    top = {"model": "lenet5", "data": "fashion-mnist", "split_seed": 8, "device": "cpu"}
    top |= {"threads": 2, "image_size": 32, "seeds": 3, "model_options": {"dropout": 0.2}}
    training = {"epochs": 3, "batch": 32, "lr": 0.01, "optimizer": "sgd", "schedule": "step"}
    training |= {"seed": 7, "dtype": "bfloat16", "patience": 4, "label_smoothing": 0.1}
    training |= {"weight_decay": 0.5, "accumulate": 2}
    training |= {"freeze": ["features.conv1", "features.conv2"]}
    training |= {"lr_factors": {"features": 0.1, "classifier.output": 2.0}}
    assert {key: changed[key] for key in top} == top
    assert {key: changed["training"][key] for key in training} == training
    assert changed["training"]["augmentation"] == plain["training"]["augmentation"]


def test_augmentation_is_switched_on_and_off(planned: Callable[..., Any]) -> None:
    """Off is none at all; on is the handwriting's, whatever the recipe says."""
    off = planned("--no-augment")["training"]["augmentation"]
    assert set(off.values()) == {0.0}
    on = planned("--recipe", "comparison", "--augment")["training"]["augmentation"]
    assert on["rotation_degrees"] == HANDWRITING.rotation_degrees


def test_any_value_of_a_recipe_can_be_set(folder: Path, planned: Callable[..., Any]) -> None:
    """Those of the augmentation that are not named stay, whether the recipe or a file has them."""
    changed = planned("--set", "gamma=0.5", "-s", "augmentation.noise=0.1")["training"]
    assert changed["gamma"] == 0.5
    assert changed["augmentation"] == {**asdict(HANDWRITING), "noise": 0.1}
    (folder / "args.toml").write_text("[training.augmentation]\nshift = 0.5\n")
    changed = planned("--config", "args.toml", "-s", "augmentation.noise=0.1")["training"]
    assert (changed["augmentation"]["shift"], changed["augmentation"]["noise"]) == (0.5, 0.1)
    fashion = planned("--data", "fashion-mnist", "-s", "augmentation.noise=0.1")["training"]
    assert fashion["augmentation"] == {**asdict(CLOTHES), "noise": 0.1}
    off = planned("--no-augment", "-s", "augmentation.noise=0.1")["training"]["augmentation"]
    assert off == {**asdict(Augmentation()), "noise": 0.1}


def test_options_override_a_configuration_file(folder: Path, planned: Callable[..., Any]) -> None:
    """What stands in the file and was not given stays, in every table of it."""
    file = folder / "args.toml"
    file.write_text(
        'model = "lenet5"\nsplit_seed = 5\n[model_options]\nkernel = 3\ndropout = 0.1\n'
        "[training]\nepochs = 9\nbatch = 16\n"
    )
    both = planned("--config", str(file), "--epochs", "2", "-o", "dropout=0.3")
    assert (both["model"], both["split_seed"]) == ("lenet5", 5)
    assert both["model_options"] == {"kernel": 3, "dropout": 0.3}
    assert (both["training"]["epochs"], both["training"]["batch"]) == (2, 16)


def test_a_recipe_beside_the_table_of_another_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table says every value: the name would be recorded and mean nothing."""
    (folder / "args.toml").write_text("[training]\nepochs = 9\n")
    assert main(["train", "--config", "args.toml", "--recipe", "comparison"]) == 2
    assert "--recipe comparison has no effect" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what it prints is a configuration file."""
    assert main(["train", "--dry-run"]) == 0
    (folder / "args.toml").write_text(capsys.readouterr().out)
    assert main(["train", "--dry-run", "--config", "args.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arguments"]["model"] == "lenet5-relu"
    assert [file.name for file in folder.iterdir()] == ["args.toml"]


def test_a_defect_is_one_message_with_a_traceback_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json stdout still gets exactly one object."""

    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("nothing works")

    monkeypatch.setattr("edgenet.workflows._inspect.list_models", broken)
    assert main(["models", "--json"]) == 1
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert (error["code"], error["message"]) == ("internal", "ZeroDivisionError: nothing works")
    assert "Traceback" in captured.err


def test_an_interrupt_is_said_and_has_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under every version of typer, and as JSON where that was asked for."""

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgenet.workflows._inspect.list_models", interrupted)
    assert main(["models"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert main(["models", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "interrupted"
