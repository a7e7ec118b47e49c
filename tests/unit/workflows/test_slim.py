"""``slim``: what is left of a network beside its control, what is recorded, and how it goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgenet.cli import slimming_views
from edgenet.cli.console import Output
from edgenet.errors import DataUnavailable, NotPossible, UsageError
from edgenet.progress import Step
from edgenet.training import checkpoint as checkpoints
from edgenet.workflows import (
    EvaluateArguments,
    SlimArguments,
    SlimResult,
    TrainArguments,
    evaluate,
    plan_slimming,
    resume_slimming,
    slim,
    train,
)
from edgenet.workflows.looks import count_test_looks
from edgenet.workflows.runs import Run

SMALL: dict[str, Any] = {"epochs": 1, "batch": 16, "lr": 1e-3, "seed": 3}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures of two classes, and a network trained on them."""
    folder = tmp_path_factory.mktemp("slim")
    generator = np.random.default_rng(0)
    for number in range(60):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 120, (28, 28), dtype=np.uint8)
        pixels[(slice(None), 14) if kind == "standing" else (14, slice(None))] = 220
        (folder / "bars" / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / "bars" / kind / f"{number}.npy", pixels)
    for model, options in (
        ("lenet5-relu", {"channels": [4, 6], "widths": [8]}),
        ("lenet5-1998", {}),
    ):
        train(
            TrainArguments(
                model=model,
                model_options=options,
                data=str(folder / "bars"),
                training=SMALL,
                threads=1,
                project=folder / "runs",
            )
        )
    return folder


def arguments_for(folder: Path, project: Path) -> SlimArguments:
    """Return what to slim: to half of it, two epochs, with control."""
    return SlimArguments(
        source=str(folder / "runs" / "train" / "lenet5-relu"),
        keep=0.5,
        pictures=20,
        training={"epochs": 2},
        threads=1,
        project=project,
        name="half",
    )


@pytest.fixture(scope="module")
def done(place: Path) -> SlimResult:
    """Return what came of it; no test changes its folder."""
    return slim(arguments_for(place, place / "runs"))


def test_the_slimmed_network_is_an_ordinary_run(done: SlimResult, place: Path) -> None:
    """Of the same model with smaller options, and half the parameters at most."""
    checkpoint = checkpoints.load(Run(done.path).best)
    assert checkpoint.spec.name == "lenet5-relu"
    assert checkpoint.spec.options == done.slim.options
    assert done.slim.parameters <= done.parent.parameters // 2
    assert done.slim.float32_bytes == 4 * done.slim.parameters
    assert done.slim.macs < done.parent.macs
    again = evaluate(EvaluateArguments(source=done.path, split="validation", figures=False))
    assert again.report.correct == done.slim.validation_correct


def test_the_control_differs_in_its_first_weights_alone(done: SlimResult) -> None:
    """Same widths, recipe, data and seed: what the two differ by is what the parent gave."""
    members = {name: Run(done.path / "members" / name).arguments() for name in ("slim", "control")}
    assert members["slim"]["training"] == members["control"]["training"]
    assert members["slim"]["training"]["seed"] == 3
    assert members["slim"]["data"] == members["control"]["data"]
    assert members["slim"]["pretrained"].endswith("weights/pruned.safetensors")
    assert "pretrained" not in members["control"]
    assert done.control is not None
    assert done.control.options == done.slim.options
    assert {*done.against_control} == {*done.comparisons} == {"validation", "test"}


def test_pairs_and_accuracies_count_the_same(done: SlimResult) -> None:
    """The comparison's two sides are the networks of the table."""
    pairs = done.comparisons["validation"]
    assert pairs.parent_correct == done.parent.validation_correct
    assert pairs.child_correct == done.slim.validation_correct
    assert pairs.n == done.parent.validation_n


def test_the_pruned_network_is_kept_with_what_was_done(done: SlimResult) -> None:
    """Its weights are the parent's, and its description says which."""
    pruned = checkpoints.load(done.path / "weights" / "pruned.safetensors")
    said = pruned.metrics["slimming"]
    assert said["widths"] == [[w.name, w.before, w.after] for w in done.widths]
    assert said["criterion"] == "taylor"
    assert done.pictures == said["pictures"] == 20
    parent = checkpoints.load(Path(done.parent.path))
    rows = torch.tensor(said["kept"]["features.conv1"])
    name = "features.conv1.weight"
    assert torch.equal(pruned.weights[name], parent.weights[name][rows])


def test_the_look_at_the_parents_test_split_is_logged_in_its_run(
    done: SlimResult, place: Path
) -> None:
    """One at its training, one here."""
    assert count_test_looks(place / "runs" / "train" / "lenet5-relu") == 2


def test_the_result_is_written_and_shown(
    done: SlimResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON without the place it lies in, and as tables."""
    written = json.loads((done.path / "slim.json").read_text("utf-8"))
    whole = json.loads(json.dumps(done.to_json(), allow_nan=False))
    assert written == {key: value for key, value in whole.items() if key != "path"}
    slimming_views.slimming(Output(), done)
    shown = capsys.readouterr().out
    assert "channels[0] 4 →" in shown
    assert "same widths, first weights" in shown
    assert Run(done.path).status()["state"] == "finished"


@pytest.mark.parametrize("last", ["train slim 1", "train control 1"])
def test_an_interrupted_slimming_goes_on_to_the_same_weights(
    last: str, done: SlimResult, place: Path, tmp_path: Path
) -> None:
    """Wherever it was cut off."""

    def cut_off(step: Step) -> None:
        if step.final and f"{step.task} {step.done:g}" == last:
            raise KeyboardInterrupt

    arguments = arguments_for(place, tmp_path / "runs")
    with pytest.raises(KeyboardInterrupt):
        slim(arguments, progress=cut_off)
    folder = tmp_path / "runs" / "slim" / "half"
    assert Run(folder).status()["state"] == "interrupted"
    resumed = resume_slimming(folder)
    for name in ("slim", "control"):
        one, other = (
            checkpoints.load(Run(path / "members" / name).best).weights
            for path in (done.path, folder)
        )
        assert checkpoints.digest(one) == checkpoints.digest(other)
    assert resumed.comparisons == done.comparisons
    with pytest.raises(UsageError, match="finished"):
        resume_slimming(folder)


def test_other_weights_than_those_it_began_with_are_refused(place: Path, tmp_path: Path) -> None:
    """A source that was trained again since is another network."""
    folder = tmp_path / "runs" / "slim" / "half"
    source = Path(shutil.copytree(place / "runs" / "train" / "lenet5-relu", tmp_path / "source"))

    def cut_off(step: Step) -> None:
        if step.task == "train slim":
            raise KeyboardInterrupt

    arguments = replace(arguments_for(place, tmp_path / "runs"), source=str(source))
    with pytest.raises(KeyboardInterrupt):
        slim(arguments, progress=cut_off)
    shutil.copy(
        place / "runs" / "train" / "lenet5-1998" / "weights" / "best.safetensors", Run(source).best
    )
    with pytest.raises(DataUnavailable, match="not those that the run began with"):
        resume_slimming(folder)


def test_a_changed_teacher_stops_a_resumed_slimming(place: Path, tmp_path: Path) -> None:
    """The network and its control would not have had the same one."""
    teacher = Path(shutil.copytree(place / "runs" / "train" / "lenet5-relu", tmp_path / "teacher"))

    def cut_off(step: Step) -> None:
        if step.task == "train slim":
            raise KeyboardInterrupt

    arguments = replace(arguments_for(place, tmp_path / "runs"), teacher=str(teacher))
    with pytest.raises(KeyboardInterrupt):
        slim(arguments, progress=cut_off)
    checkpoint = checkpoints.load(Run(teacher).best)
    weights = {name: tensor + 1 for name, tensor in checkpoint.weights.items()}
    checkpoints.save(replace(checkpoint, weights=weights), Run(teacher).best)
    with pytest.raises(DataUnavailable, match=r"the teacher .* not those that the run began with"):
        resume_slimming(tmp_path / "runs" / "slim" / "half")


def test_without_a_control_the_report_says_so(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a teacher, here the network itself, goes into the recipe."""
    arguments = arguments_for(place, tmp_path)
    arguments = replace(arguments, control=False, teacher=arguments.source, criterion="magnitude")
    result = slim(arguments)
    assert result.control is None
    assert result.against_control == {}
    assert result.pictures == 0
    assert result.teacher is not None
    assert Run(result.path / "members" / "slim").arguments()["training"]["distillation"]
    slimming_views.slimming(Output(), result)
    assert "the control was skipped" in capsys.readouterr().err


def test_a_plan_trains_nothing(place: Path, tmp_path: Path) -> None:
    """It has the whole recipe: the parent's with the changes."""
    planned = plan_slimming(arguments_for(place, tmp_path)).arguments
    assert planned["training"]["epochs"] == 2
    assert planned["training"]["batch"] == 16
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_slimmed_so_far_is_refused_before_anything_is_written(
    place: Path, tmp_path: Path
) -> None:
    """The network of 1998 at all, and another to nothing."""
    source = str(place / "runs" / "train" / "lenet5-1998")
    with pytest.raises(NotPossible, match="lenet5-1998 cannot be slimmed"):
        slim(replace(arguments_for(place, tmp_path), source=source))
    with pytest.raises(UsageError, match="the smallest that its widths allow"):
        slim(replace(arguments_for(place, tmp_path), keep=0.001))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"keep": None}, "say how small"),
        ({"budget": "params=10"}, "say how small"),
        ({"keep": 1.0}, "more than 0 and less than 1"),
        ({"keep": None, "budget": "weight=3"}, "unknown measure"),
        ({"pictures": 0}, "pictures must be"),
        ({"training": {"epoch": 3}}, "unknown training option"),
        ({"training": {"distillation": {"alpha": 0.5}}}, "needs a teacher"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], match: str) -> None:
    """Before any file is looked at."""
    with pytest.raises(UsageError, match=match):
        SlimArguments(**{"source": "nowhere", "keep": 0.5, **changes})
