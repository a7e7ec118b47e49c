"""``distill``: students beside their control, what is recorded, and how it goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.cli import distilling_views
from edgenet.cli.console import Output
from edgenet.errors import DataUnavailable, UsageError
from edgenet.progress import Step
from edgenet.training import checkpoint as checkpoints
from edgenet.workflows import (
    DistillArguments,
    DistillResult,
    EvaluateArguments,
    TrainArguments,
    distill,
    evaluate,
    plan_distillation,
    resume_distillation,
    train,
)
from edgenet.workflows.distill_arguments import member_run
from edgenet.workflows.runs import Run

SMALL: dict[str, Any] = {"epochs": 1, "batch": 16, "lr": 1e-3}
STUDENTS = ("lenet5-3k", "lenet5-2k")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures of two classes, and a teacher trained on them."""
    folder = tmp_path_factory.mktemp("distill")
    generator = np.random.default_rng(0)
    for number in range(60):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 120, (28, 28), dtype=np.uint8)
        pixels[(slice(None), 14) if kind == "standing" else (14, slice(None))] = 220
        (folder / "bars" / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / "bars" / kind / f"{number}.npy", pixels)
    train(teacher_arguments(folder))
    return folder


def teacher_arguments(folder: Path) -> TrainArguments:
    """Return how the teacher is trained."""
    return TrainArguments(
        data=str(folder / "bars"),
        training=SMALL,
        threads=1,
        project=folder / "runs",
        name="teacher",
    )


def arguments_for(folder: Path, project: Path) -> DistillArguments:
    """Return what to distil: two students, two seeds, with control."""
    return DistillArguments(
        teacher=str(folder / "runs" / "train" / "teacher"),
        students=STUDENTS,
        seeds=2,
        data=str(folder / "bars"),
        training={**SMALL, "seed": 3},
        threads=1,
        project=project,
        name="small",
    )


@pytest.fixture(scope="module")
def done(place: Path) -> DistillResult:
    """Return what came of it; no test changes its folder."""
    return distill(arguments_for(place, place / "runs"))


def test_every_student_and_seed_has_a_run_with_and_without_the_teacher(
    done: DistillResult,
) -> None:
    """Eight of them, each an ordinary run; the control differs in nothing but the teacher."""
    assert done.seeds == [3, 4]
    for student in done.students:
        assert student.control is not None
        for column, name in ((student.distilled, "distilled"), (student.control, "control")):
            for each in column.trained:
                run = member_run(done.path, student.model, name, each.seed)
                checkpoint = checkpoints.load(run.best)
                assert checkpoint.metrics["test"]["correct"] == each.test_correct
                assert checkpoint.recipe["seed"] == each.seed
        recipes = [
            dict(checkpoints.load(member_run(done.path, student.model, name, 3).best).recipe)
            for name in ("distilled", "control")
        ]
        assert recipes[0].pop("distillation") == {"temperature": 4.0, "alpha": 0.9}
        assert recipes[0] == recipes[1]


def test_the_result_is_written_with_a_figure(done: DistillResult) -> None:
    """The file says what the returned value says, but for the folder, which may be moved."""
    written = json.loads((done.path / "distill.json").read_text("utf-8"))
    assert written == {k: v for k, v in done.to_json().items() if k != "path"}
    assert (done.path / "figures" / "students.png").stat().st_size > 1000
    assert Run(done.path).status()["state"] == "finished"


def test_the_teacher_is_asked_once_for_students_of_one_seed(done: DistillResult) -> None:
    """Two students and two seeds: half of the answers come from memory."""
    assert done.teacher_asked == 2 * done.teacher_computed
    assert done.teacher["parameters"] == 61_706 - 8 * 85  # lenet5-relu with two classes


@pytest.mark.slow
def test_of_several_students_none_becomes_the_runs_own_network(
    done: DistillResult, place: Path
) -> None:
    """Of one it is the one that is best on the validation split, whoever taught it."""
    assert done.kept is None
    assert not Run(done.path).best.exists()
    one = replace(arguments_for(place, place / "runs"), students=STUDENTS[:1], name="one")
    result = distill(one)
    assert result.kept is not None
    kept = checkpoints.load(result.path / result.kept / "weights" / "best.safetensors")
    own = checkpoints.load(Run(result.path).best)
    assert checkpoints.digest(own.weights) == checkpoints.digest(kept.weights)
    best = max(
        each.validation_accuracy
        for student in result.students
        for column in (student.distilled, student.control)
        if column
        for each in column.trained
    )
    assert kept.metrics["validation"]["correct"] / kept.metrics["validation"]["n"] == best
    assert Run(result.path).status()["validation_accuracy"] == best
    assert evaluate(EvaluateArguments(source=result.path, figures=False)).model == "lenet5-3k"


def test_an_interrupted_distillation_goes_on_to_the_same_weights(
    done: DistillResult, place: Path, tmp_path: Path
) -> None:
    """Cut off in the third training: what was finished is not trained again."""

    class Cut(Exception):  # noqa: N818 - stands for a killed process
        pass

    def cut(step: Step) -> None:
        if step.task.startswith("lenet5-2k distilled") and step.final:
            raise Cut

    with pytest.raises(Cut):
        distill(arguments_for(place, tmp_path), progress=cut)
    path = tmp_path / "distill" / "small"
    before = member_run(path, "lenet5-3k", "control", 3).best.stat().st_mtime_ns
    result = resume_distillation(path)
    assert member_run(path, "lenet5-3k", "control", 3).best.stat().st_mtime_ns == before
    for student, other in zip(done.students, result.students, strict=True):
        for mine, theirs in zip(student.distilled.trained, other.distilled.trained, strict=True):
            weights = [
                checkpoints.load(Run(folder / each.path).best).weights
                for folder, each in ((done.path, mine), (path, theirs))
            ]
            assert checkpoints.digest(weights[0]) == checkpoints.digest(weights[1])
    with pytest.raises(UsageError, match="finished"):
        resume_distillation(path)


def test_a_member_is_repeated_from_its_arguments(done: DistillResult, tmp_path: Path) -> None:
    """They name the teacher by its digest, so another one under that name is refused."""
    member = member_run(done.path, "lenet5-2k", "distilled", 4)
    again = TrainArguments(project=tmp_path, name="again").with_config(member.arguments())
    result = train(again)
    weights = [checkpoints.load(run.best).weights for run in (member, Run(result.path))]
    assert checkpoints.digest(weights[0]) == checkpoints.digest(weights[1])
    with pytest.raises(DataUnavailable, match="not those that the run began with"):
        train(replace(again, teacher_sha256="0" * 64))


def test_a_distillation_is_repeated_from_its_arguments(done: DistillResult) -> None:
    """What ``args.toml`` holds is what was asked, with every choice made."""
    recorded = Run(done.path).arguments()
    again = DistillArguments.from_config(recorded, project=done.path.parent.parent, name="small")
    assert again.to_config() == recorded
    with pytest.raises(UsageError, match="studentz"):
        DistillArguments.from_config({**recorded, "studentz": 1}, project=done.path, name=None)


def test_without_control_nobody_claims_that_the_teacher_helped(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report says that the control was skipped."""
    arguments = replace(
        arguments_for(place, tmp_path), control=False, seeds=1, students=STUDENTS[:1]
    )
    result = distill(arguments)
    assert result.students[0].control is None
    assert result.students[0].verdict == "not known: no control was trained"
    with Output(json_mode=False, quiet=False) as out:
        distilling_views.distillation(out, result)
    assert "skipped" in capsys.readouterr().err


def test_a_teacher_that_saw_the_validation_pictures_is_refused(place: Path, tmp_path: Path) -> None:
    """Another split of the same data: its students would look better than they are."""
    with pytest.raises(DataUnavailable, match="may have seen"):
        distill(replace(arguments_for(place, tmp_path), split_seed=1))
    assert not (tmp_path / "distill").exists()


def test_a_teacher_for_other_classes_or_pictures_is_refused(place: Path, tmp_path: Path) -> None:
    """Before anything is written."""
    arguments = arguments_for(place, tmp_path)
    with pytest.raises(UsageError, match="classes of the teacher"):
        distill(replace(arguments, data="mnist"))
    with pytest.raises(UsageError, match="takes pictures of"):
        distill(replace(arguments, image_size=20))
    with pytest.raises(UsageError, match="become probabilities"):
        distill(replace(arguments, training={**SMALL, "loss": "bce"}))
    assert not (tmp_path / "distill").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"students": ()}, "no student"),
        ({"students": ("lenet5-3k", "lenet5-3k")}, "twice"),
        ({"students": ("lenet5-4k",)}, "lenet5-4k"),
        ({"student_options": {"kernel": 3}}, "one student"),
        ({"seeds": 0}, "seeds"),
        ({"alpha": 2.0}, "alpha"),
        ({"training": {"distillation": {"alpha": 0.5}}}, "temperature and alpha"),
        ({"budget_mib": -1}, "budget_mib"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_are_refused(changes: dict[str, Any], reason: str) -> None:
    """With the reason, before any file is looked at."""
    with pytest.raises(UsageError, match=reason):
        replace(DistillArguments(teacher="nobody", students=STUDENTS), **changes)


def test_a_dry_run_trains_nothing(place: Path, tmp_path: Path) -> None:
    """It checks the teacher and shows what would be recorded."""
    plan = plan_distillation(arguments_for(place, tmp_path))
    assert plan.to_json()["arguments"]["students"] == list(STUDENTS)
    assert not (tmp_path / "distill").exists()
    with pytest.raises(UsageError, match="there is no"):
        plan_distillation(replace(arguments_for(place, tmp_path), teacher="runs/train/nobody"))


def test_a_changed_teacher_stops_a_resumed_distillation(place: Path, tmp_path: Path) -> None:
    """The students before and after would not have had the same one."""
    moved = tmp_path / "teacher"
    shutil.copytree(place / "runs" / "train" / "teacher", moved)

    def cut(step: Step) -> None:
        if step.final:
            raise KeyboardInterrupt

    arguments = replace(arguments_for(place, tmp_path), teacher=str(moved))
    with pytest.raises(KeyboardInterrupt):
        distill(arguments, progress=cut)
    checkpoint = checkpoints.load(Run(moved).best)
    weights = {name: tensor + 1 for name, tensor in checkpoint.weights.items()}
    checkpoints.save(replace(checkpoint, weights=weights), Run(moved).best)
    with pytest.raises(DataUnavailable, match="teacher"):
        resume_distillation(tmp_path / "distill" / "small")
