"""Seed groups: what is in them, how they go on after an interruption, and who may ask them.

One trained group serves all of it, so it stays in one file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgenet.cli import views
from edgenet.cli.console import Output
from edgenet.data import load
from edgenet.errors import CorruptFile, DataUnavailable, EdgenetError, UsageError
from edgenet.progress import Step
from edgenet.statistics import mean_interval
from edgenet.training import checkpoint as checkpoints
from edgenet.training.distributed import _SET_BY_TORCHRUN
from edgenet.training.pictures import Pictures, logits_of
from edgenet.workflows import (
    EvaluateArguments,
    Kind,
    PredictArguments,
    TrainArguments,
    TrainGroupResult,
    evaluate,
    is_group,
    list_runs,
    plan_training,
    predict,
    resolve,
    resume,
    resume_group,
    take_seeds,
    train,
    train_group,
)
from edgenet.workflows.looks import count_test_looks
from edgenet.workflows.runs import Run

SEEDS = (4, 5, 6)
STEPS: list[Step] = []
"""What was told while the finished group was trained."""


def write_bars(folder: Path, count: int = 60) -> None:
    """Write pictures of lying and standing bars."""
    generator = np.random.default_rng(0)
    for number in range(count):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 160, (16, 16), dtype=np.uint8)
        place = int(generator.integers(2, 14))
        pixels[(slice(None), place) if kind == "standing" else (place, slice(None))] = 180
        (folder / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / kind / f"{number}.npy", pixels)


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two classes."""
    folder = tmp_path_factory.mktemp("data") / "bars"
    write_bars(folder)
    return folder


def arguments_for(data: Path, project: Path) -> TrainArguments:
    """Return how to train two short epochs from seed 4 on."""
    return TrainArguments(
        model="lenet5-relu",
        model_options={"channels": [2], "widths": [], "kernel": 3},
        data=str(data),
        training={"epochs": 2, "batch": 16, "seed": SEEDS[0], "lr": 1e-3},
        threads=1,
        project=project,
        name="group",
    )


@pytest.fixture(scope="module")
def finished(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainGroupResult:
    """A group of three that was never disturbed; no test changes it."""
    project = tmp_path_factory.mktemp("finished")
    return train_group(arguments_for(bars, project), seeds=len(SEEDS), progress=STEPS.append)


@pytest.fixture
def arguments(bars: Path, tmp_path: Path) -> TrainArguments:
    """Return how to train a group in a folder of its own."""
    return arguments_for(bars, tmp_path / "runs")


def member(group: Path, seed: int) -> Run:
    """Return the run of a seed."""
    return Run(group / "members" / f"seed{seed}")


def digests(run: Run) -> list[str]:
    """Return what the weights of both checkpoints of a run are, bit for bit."""
    return [checkpoints.digest(checkpoints.load(file).weights) for file in (run.best, run.last)]


def test_a_member_is_the_run_that_its_seed_alone_would_be(
    finished: TrainGroupResult, arguments: TrainArguments
) -> None:
    """Whole, with its arguments and its history, and the same weights bit for bit."""
    alone = train(replace(arguments, training={**arguments.training, "seed": SEEDS[1]}))
    run = member(finished.path, SEEDS[1])
    assert digests(run) == digests(Run(alone.path))
    assert run.arguments() == Run(alone.path).arguments()
    files = {file.relative_to(alone.path) for file in alone.path.rglob("*")}
    assert files == {file.relative_to(run.path) for file in run.path.rglob("*")}


def test_the_figures_of_a_group_follow_from_its_members(finished: TrainGroupResult) -> None:
    """Mean, deviation and interval of their accuracies, each with its counts."""
    assert [row.seed for row in finished.members] == list(SEEDS)
    for row, seed in zip(finished.members, SEEDS, strict=True):
        status = member(finished.path, seed).status()
        assert row.validation_accuracy == status["validation_accuracy"]
        assert row.test_accuracy == status["test_accuracy"] == row.test_correct / finished.test.n
    accuracies = [row.test_accuracy for row in finished.members]
    assert finished.test.mean == pytest.approx(np.mean(accuracies))
    assert finished.test.sd == pytest.approx(np.std(accuracies, ddof=1))
    assert finished.test.interval == mean_interval(accuracies)


def test_the_ensemble_is_right_where_the_mean_probability_is(
    finished: TrainGroupResult, bars: Path
) -> None:
    """Computed here from the members' checkpoints, on both splits."""
    dataset = load(str(bars))
    for split, figures in (
        (dataset.validation, finished.validation),
        (dataset.test, finished.test),
    ):
        probabilities = []
        for seed in SEEDS:
            checkpoint = checkpoints.load(member(finished.path, seed).best)
            pictures = Pictures.of(split, checkpoint.preprocessing, torch.device("cpu"))
            probabilities.append(logits_of(checkpoint.build(), pictures).double().softmax(1))
        mean = torch.stack(probabilities).mean(0).numpy()
        assert figures.correct == int((mean.argmax(1) == split.labels).sum())
        assert (figures.n, figures.digest) == (len(split), split.digest)


def test_the_file_of_a_group_holds_its_result(finished: TrainGroupResult) -> None:
    """Paths in it are those within the group, which may be moved as a whole."""
    values = json.loads((finished.path / "group.json").read_text("utf-8"))
    said = json.loads(json.dumps(finished.to_json()))
    assert values.pop("schema") == "edgenet.group/1"
    assert said.pop("path") == str(finished.path)
    assert values == said
    assert [row["path"] for row in values["members"]] == [f"members/seed{seed}" for seed in SEEDS]
    assert values["test"]["ensemble"]["correct"] == finished.test.correct


@pytest.fixture
def copy(finished: TrainGroupResult, tmp_path: Path) -> Path:
    """Return a copy of the finished group that a test may change."""
    return Path(shutil.copytree(finished.path, tmp_path / "copy"))


def test_every_look_at_the_test_set_is_counted(finished: TrainGroupResult, copy: Path) -> None:
    """One of each member and one of all together; ``eval`` adds its own, with the digest."""
    log = (copy / "test-looks.csv").read_text("utf-8").splitlines()
    assert len(log) == 2
    assert finished.test.digest in log[1]
    assert count_test_looks(copy) == 3 + 1
    assert evaluate(EvaluateArguments(source=copy, figures=False)).test_looks == 5


def test_a_group_is_asked_as_one_network(finished: TrainGroupResult, bars: Path) -> None:
    """By ``predict`` with probabilities that are the mean of the members'."""
    pictures = sorted((bars / "lying").iterdir())[:3]
    sources = [member(finished.path, seed).path for seed in SEEDS]
    alone = [
        [row.to_json()["top"] for row in predict(_asking(source, pictures)).predictions]
        for source in sources
    ]
    together = predict(_asking(finished.path, pictures))
    assert together.model == "3 × lenet5-relu"
    assert together.source == str(finished.path)
    for number, row in enumerate(together.predictions):
        for answer in row.top:
            of_members = [
                entry["probability"]
                for answers in alone
                for entry in answers[number]
                if entry["label"] == answer.label
            ]
            assert answer.probability == pytest.approx(np.mean(of_members), rel=1e-5)


def _asking(source: Path, pictures: list[Path]) -> PredictArguments:
    return PredictArguments(source=source, pictures=pictures, top_k=2)


def test_an_evaluation_of_a_group_says_that_it_is_one(finished: TrainGroupResult) -> None:
    """The result names the folder, the kind and how many networks answered."""
    ask = EvaluateArguments(source=finished.path, split="validation", figures=False)
    result = evaluate(ask)
    assert (result.kind, result.runtime, result.model) == ("group", "torch", "3 × lenet5-relu")
    assert result.report.correct == finished.validation.correct
    with pytest.raises(UsageError, match="a seed group runs on torch, not on 'onnxruntime'"):
        evaluate(replace(ask, runtime="onnxruntime"))


def test_a_group_is_one_row_in_the_list_of_runs(finished: TrainGroupResult) -> None:
    """With the figures of all its members together."""
    (row,) = list_runs(finished.path.parent.parent)
    assert (row.path, row.state, row.members) == (str(finished.path), "finished", 3)
    assert row.model == "lenet5-relu"
    assert (row.parameters, row.epochs) == (3 * finished.parameters, 3 * 2)
    assert row.test_accuracy == finished.test.accuracy
    sizes = [member(finished.path, seed).best.stat().st_size for seed in SEEDS]
    assert row.weights_bytes == sum(sizes)


def test_progress_names_the_member(finished: TrainGroupResult) -> None:
    """Epoch 2 of what would otherwise be anyone's guess."""
    wanted: list[tuple[str, int, int]] = []
    for number, seed in enumerate(SEEDS, 1):
        wanted += [(f"train seed {seed}", 1, 2), (f"train seed {seed}", 2, 2)]
        wanted += [("train group", number, 3)]
    finals = [(step.task, step.done, step.total) for step in STEPS if step.final]
    assert [step for step in finals if step[0].startswith("train")] == wanted


class Stopped(BaseException):
    """Ends training from within, as a signal does."""


def stop_at(task: str, done: int) -> Callable[[Step], None]:
    """Return a callback that ends the work at some step."""

    def progress(step: Step) -> None:
        if step.task == task and step.final and step.done == done:
            raise Stopped

    return progress


@pytest.mark.parametrize(
    ("task", "done"),
    [
        ("train seed 4", 1),
        ("train group", 1),
        pytest.param("train seed 6", 2, marks=pytest.mark.slow),
        pytest.param("train group", 3, marks=pytest.mark.slow),
    ],
)
def test_a_group_goes_on_where_it_was_interrupted(
    finished: TrainGroupResult, arguments: TrainArguments, task: str, done: int
) -> None:
    """Within a member, between two, or before all were asked: to the same group bit for bit."""
    with pytest.raises(Stopped):
        train_group(arguments, seeds=len(SEEDS), progress=stop_at(task, done))
    group = arguments.project / "train" / "group"
    assert is_group(group)
    assert Run(group).status()["state"] == "interrupted"
    kept = member(group, SEEDS[0]).last.stat().st_mtime_ns
    member(group, SEEDS[1]).path.mkdir(exist_ok=True)  # as if it had been about to begin
    result = resume_group(group)
    if task != "train seed 4":
        assert member(group, SEEDS[0]).last.stat().st_mtime_ns == kept
    assert Run(group).status()["state"] == "finished"
    for seed in SEEDS:
        assert digests(member(group, seed)) == digests(member(finished.path, seed))
    assert (result.validation, result.test) == (finished.validation, finished.test)


def test_the_arguments_of_a_group_repeat_it(
    finished: TrainGroupResult, arguments: TrainArguments
) -> None:
    """Its ``args.toml`` is that of the first member and the number of seeds."""
    config, seeds = take_seeds(Run(finished.path).arguments())
    assert seeds == len(SEEDS)
    assert config == member(finished.path, SEEDS[0]).arguments()
    again = TrainArguments(project=arguments.project).with_config(config)
    assert plan_training(again, seeds=seeds).arguments == {**again.to_config(), "seeds": 3}
    result = train_group(again, seeds=2)
    for seed in SEEDS[:2]:
        assert digests(member(result.path, seed)) == digests(member(finished.path, seed))
    with pytest.raises(UsageError, match="seeds in the configuration must be a whole number"):
        take_seeds({"seeds": "three"})


def test_an_unfinished_group_is_not_asked(arguments: TrainArguments) -> None:
    """Two of three would be another ensemble than the one that was named."""
    with pytest.raises(Stopped):
        train_group(arguments, seeds=len(SEEDS), progress=stop_at("train group", 2))
    group = arguments.project / "train" / "group"
    with pytest.raises(UsageError, match="2 of the 3 members") as caught:
        evaluate(EvaluateArguments(source=group))
    assert caught.value.hint == f"continue it with: edgenet train --resume {group}"


def test_a_group_is_resumed_as_a_group_and_a_run_as_a_run(
    finished: TrainGroupResult, tmp_path: Path
) -> None:
    """Neither is taken for the other, and what is finished stays as it is."""
    with pytest.raises(UsageError, match="is a seed group, not a run"):
        resume(finished.path)
    with pytest.raises(UsageError, match="is not a seed group"):
        resume_group(member(finished.path, SEEDS[0]).path)
    with pytest.raises(UsageError, match="is finished"):
        resume_group(finished.path)


@pytest.mark.parametrize(
    ("present", "changed"), [("epochs = 2", "epochs = 3"), ("seeds = 3", "seeds = 4")]
)
def test_a_group_whose_arguments_were_edited_is_not_resumed(
    arguments: TrainArguments, present: str, changed: str
) -> None:
    """Its members would not differ in their seeds alone."""
    with pytest.raises(Stopped):
        train_group(arguments, seeds=len(SEEDS), progress=stop_at("train group", 1))
    file = arguments.project / "train" / "group" / "args.toml"
    text = file.read_text("utf-8")
    assert present in text
    file.write_text(text.replace(present, changed), encoding="utf-8")
    with pytest.raises(UsageError, match="is not what the group began with"):
        resume_group(file.parent)


def test_members_are_not_trained_on_pictures_that_changed_between(
    arguments: TrainArguments, tmp_path: Path
) -> None:
    """Figures of two data sets have no mean; the group has failed and says why."""
    write_bars(tmp_path / "own")
    own = replace(arguments, data=str(tmp_path / "own"))

    def change(step: Step) -> None:
        if step.task == "train group" and step.done == 1:
            np.save(tmp_path / "own" / "lying" / "0.npy", np.zeros((16, 16), np.uint8))

    with pytest.raises(DataUnavailable, match="have changed"):
        train_group(own, seeds=2, progress=change)
    status = Run(arguments.project / "train" / "group").status()
    assert status["state"] == "failed"
    assert "have changed" in status["reason"]


def test_a_member_of_other_data_is_refused(copy: Path) -> None:
    """It may have learnt from what the others are tested on."""
    run = member(copy, SEEDS[1])
    foreign = checkpoints.load(run.best)
    checkpoints.save(replace(foreign, data={**foreign.data, "test": "0" * 64}), run.best)
    with pytest.raises(UsageError, match="not of one model and one data set"):
        evaluate(EvaluateArguments(source=copy))


@pytest.mark.parametrize("seeds", [-1, 0, 1])
def test_a_group_has_two_members_at_least(arguments: TrainArguments, seeds: int) -> None:
    """One has no deviation; nothing is written."""
    with pytest.raises(UsageError, match="seeds must be 2 or more"):
        train_group(arguments, seeds=seeds)
    with pytest.raises(UsageError, match="seeds must be 2 or more"):
        plan_training(arguments, seeds=seeds)
    assert not arguments.project.exists()


def test_seeds_end_where_numbers_do(arguments: TrainArguments) -> None:
    """The last member's seed is checked before the first one is trained."""
    last = replace(arguments, training={**arguments.training, "seed": 2**63 - 1})
    with pytest.raises(UsageError, match="seed must be"):
        train_group(last, seeds=2)


def test_several_processes_do_not_train_a_group(
    arguments: TrainArguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would make a group of its own in the same place."""
    for name in _SET_BY_TORCHRUN:
        monkeypatch.setenv(name, "2")
    with pytest.raises(UsageError, match="trained by one process") as caught:
        train_group(arguments, seeds=2)
    assert "--seed" in str(caught.value.hint)


def test_a_group_that_diverged_has_failed(arguments: TrainArguments) -> None:
    """The list of runs says so, with the reason in its status and in the member's."""
    wild = {**arguments.training, "lr": 1e30, "warmup": 0.0, "optimizer": "sgd"}
    with pytest.raises(EdgenetError, match="diverged"):
        train_group(replace(arguments, training=wild), seeds=2)
    group = arguments.project / "train" / "group"
    for run in (Run(group), member(group, SEEDS[0])):
        assert run.status()["state"] == "failed"
        assert "diverged" in run.status()["reason"]


def test_overwriting_leaves_nothing_of_the_group_before(
    copy: Path, arguments: TrainArguments
) -> None:
    """By a run of its name it becomes a run, in everything that tells the two apart."""
    group = arguments.project / "train" / "group"
    group.parent.mkdir(parents=True)
    copy.rename(group)
    assert resolve(group).kind is Kind.GROUP
    train(replace(arguments, exist_ok=True))
    assert resolve(group).kind is Kind.RUN
    assert not (group / "members").exists()
    (row,) = list_runs(arguments.project)
    assert row.members is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"schema": "edgenet.group/2", "members": [{"seed": 1}, {"seed": 2}]}']
    + [
        f'{{"schema": "edgenet.group/1", "members": {members}}}'
        for members in ("[]", '[{"seed": 1}]', '[{"seed": "../../x"}, {"seed": 2}]', "[1, 2]")
    ],
)
def test_a_damaged_group_is_corrupt(finished: TrainGroupResult, tmp_path: Path, text: str) -> None:
    """Whatever stands in its file, nothing outside the group is opened."""
    (tmp_path / "args.toml").write_bytes((finished.path / "args.toml").read_bytes())
    (tmp_path / "group.json").write_text(text)
    with pytest.raises(CorruptFile, match=r"group\.json"):
        evaluate(EvaluateArguments(source=tmp_path))


def test_a_group_on_a_terminal(
    finished: TrainGroupResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every member in a row, then the mean with its interval and the ensemble, for both splits."""
    with Output() as out:
        views.group(out, finished)
    shown = capsys.readouterr().out
    assert "3 × lenet5-relu" in shown
    for row in finished.members:
        assert str(row.path) in shown
    for name in ("validation", "test"):
        assert f"{name}, mean of 3" in shown
        assert f"{name}, together" in shown
    assert f"({finished.test.correct} of {finished.test.n}; 95 % interval" in shown


def test_a_result_is_plain_json(finished: TrainGroupResult) -> None:
    """``--json`` prints it."""
    values: dict[str, Any] = json.loads(json.dumps(finished.to_json()))
    assert values["test"]["mean"] == finished.test.mean
    assert values["skipped"] == []
