"""``distill`` with a budget: what is tried, what is recorded, and how the search goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.cli import search_view
from edgenet.cli.console import Output
from edgenet.errors import CorruptFile, UsageError
from edgenet.progress import Step
from edgenet.training import checkpoint as checkpoints
from edgenet.training import loop
from edgenet.workflows import (
    DistillArguments,
    DistillResult,
    TrainArguments,
    distill,
    resume_distillation,
    train,
)
from edgenet.workflows.distill_arguments import member_run
from edgenet.workflows.looks import LOG_NAME
from edgenet.workflows.runs import SEARCH, Run
from edgenet.workflows.search_result import SearchResult

SMALL: dict[str, Any] = {"epochs": 3, "batch": 16, "lr": 2e-3}
LIMIT = 1500


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures of two classes, and a teacher trained on them."""
    folder = tmp_path_factory.mktemp("search")
    generator = np.random.default_rng(0)
    for number in range(60):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 120, (16, 16), dtype=np.uint8)
        pixels[(slice(None), 8) if kind == "standing" else (8, slice(None))] = 200
        (folder / "bars" / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / "bars" / kind / f"{number}.npy", pixels)
    train(
        TrainArguments(
            data=str(folder / "bars"),
            training=SMALL,
            threads=1,
            project=folder / "runs",
            name="teacher",
        )
    )
    return folder


def arguments_for(place: Path, project: Path) -> DistillArguments:
    """Return a search among five candidates: five of one epoch, two of two."""
    return DistillArguments(
        teacher=str(place / "runs" / "train" / "teacher"),
        budget=f"params={LIMIT}",
        search_candidates=5,
        search_epochs=1,
        search_eta=2,
        data=str(place / "bars"),
        training={**SMALL, "seed": 3},
        threads=1,
        project=project,
    )


STEPS: list[Step] = []
"""What was told while the finished search was done."""


@pytest.fixture(scope="module")
def done(place: Path) -> DistillResult:
    """Return what came of it; no test changes its folder."""
    return distill(arguments_for(place, place / "runs"), progress=STEPS.append)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the epochs of every training from here on, filled as they begin."""
    epochs: list[int] = []
    real = loop.fit

    def counted(network: Any, recipe: Any, **rest: Any) -> Any:
        epochs.append(recipe.epochs)
        return real(network, recipe, **rest)

    monkeypatch.setattr(loop, "fit", counted)
    return epochs


def searched(result: DistillResult) -> SearchResult:
    """Return the search of a distillation that had one."""
    assert result.search is not None
    return result.search


def timeless(result: SearchResult) -> dict[str, Any]:
    """Return what two equal searches have in common: all but the time they took."""
    values = result.to_json()
    del values["seconds"]
    for each in values["tried"]:
        for trial in each["trials"]:
            del trial["seconds"]
    return values


def test_the_best_of_validation_is_trained_as_the_student(done: DistillResult) -> None:
    """Its options are recorded, it keeps the budget, and every round left the better ones."""
    search = searched(done)
    assert done.path.name == f"params-{LIMIT}"
    assert [(rung.candidates, rung.epochs) for rung in search.rungs] == [(5, 1), (2, 2)]
    assert search.epochs == 9
    last = {n: trial for n, each in enumerate(search.tried) if (trial := each.trial(2))}
    assert len(last) == 2
    assert search.winner is not None
    assert search.winner == max(last, key=lambda n: (last[n].accuracy, -last[n].loss))
    winner = search.tried[search.winner]
    (student,) = done.students
    assert student.model == "lenet5-relu"
    assert student.options == winner.options
    assert student.parameters == winner.parameters <= LIMIT
    config = Run(done.path).arguments()
    assert config["student_options"] == winner.options
    assert config["budget"] == f"params={LIMIT}"
    member = member_run(done.path, "lenet5-relu", "control", 3)
    assert checkpoints.load(member.best).spec.options == winner.options


def test_the_search_is_in_the_result_and_has_a_figure(done: DistillResult) -> None:
    """With every candidate and every training."""
    written = json.loads((done.path / "distill.json").read_text("utf-8"))
    assert SearchResult.from_json(written["search"]) == done.search
    assert (done.path / "figures" / "search.png").stat().st_size > 1000


def test_the_search_does_not_look_at_the_test_split(done: DistillResult) -> None:
    """Each look is logged: the only ones are those of the two trainings at the end."""
    logs = sorted(done.path.rglob(LOG_NAME))
    assert [log.parent.parent.name for log in logs] == ["members", "members"]
    assert all(len(log.read_text("utf-8").splitlines()) == 2 for log in logs)  # with the heading


def test_the_search_is_one_bar_of_epochs(done: DistillResult) -> None:
    """It only goes forward, and ends where all epochs are trained."""
    told = [step for step in STEPS if step.task == "search"]
    assert [step.done for step in told] == sorted(step.done for step in told)
    assert {step.total for step in told} == {9}
    finals = [step for step in told if step.final]
    assert len(finals) == 7
    assert finals[-1].done == 9


def test_the_teacher_answers_each_view_of_the_search_once(done: DistillResult) -> None:
    """Nine short trainings and one of three epochs see the views of three epochs."""
    pictures = done.teacher_computed / 3
    assert done.teacher_asked == pictures * (9 + 3)


def test_the_same_seed_finds_the_same_student(
    place: Path, done: DistillResult, tmp_path: Path
) -> None:
    """With the same figures after every round."""
    again = distill(replace(arguments_for(place, tmp_path), control=False))
    assert timeless(searched(again)) == timeless(searched(done))


def test_an_interrupted_search_goes_on_and_ends_the_same(
    place: Path, done: DistillResult, tmp_path: Path, fits: list[int]
) -> None:
    """What was trained before the interruption is not trained again."""

    def interrupted(step: Step) -> None:
        if step.task == "search" and step.done > 3 and not step.final:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(arguments_for(place, tmp_path), progress=interrupted)
    folder = tmp_path / "distill" / f"params-{LIMIT}"
    begun = SearchResult.from_json(json.loads((folder / SEARCH).read_text("utf-8")))
    assert (begun.epochs, begun.winner) == (3, None)
    assert Run(folder).arguments()["student_options"] == {}
    fits.clear()
    result = resume_distillation(folder)
    assert fits == [1, 1, 2, 2, 3, 3]  # two of the first round, the second, student and control
    assert timeless(searched(result)) == timeless(searched(done))
    assert result.students[0].distilled.test_accuracy == (done.students[0].distilled.test_accuracy)


def test_a_finished_search_is_reported_when_its_student_is_trained_later(
    place: Path, done: DistillResult, tmp_path: Path, fits: list[int]
) -> None:
    """The interruption came after the search: nothing of it is repeated."""

    def interrupted(step: Step) -> None:
        if step.task.startswith("lenet5-relu distilled"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(arguments_for(place, tmp_path), progress=interrupted)
    fits.clear()
    result = resume_distillation(tmp_path / "distill" / f"params-{LIMIT}")
    assert fits == [3, 3]
    assert timeless(searched(result)) == timeless(searched(done))


@pytest.mark.parametrize("damage", ["{", "[]", '{"asked": {}}'])
def test_a_damaged_record_of_a_search_is_named(
    place: Path, done: DistillResult, tmp_path: Path, damage: str
) -> None:
    """Rather than searched anew without a word."""
    folder = stopped(place, tmp_path)
    (folder / SEARCH).write_text(damage, "utf-8")
    with pytest.raises(CorruptFile, match="search"):
        resume_distillation(folder)


def test_a_search_that_was_begun_otherwise_is_not_gone_on_with(place: Path, tmp_path: Path) -> None:
    """Its figures would be of two recipes."""
    folder = stopped(place, tmp_path)
    run = Run(folder)
    config = run.arguments()
    run.write_arguments({**config, "training": {**config["training"], "lr": 1e-3}})
    with pytest.raises(UsageError, match="not of the search that is asked for"):
        resume_distillation(folder)


def stopped(place: Path, project: Path) -> Path:
    """Return a distillation that was interrupted after the first short training."""

    def interrupted(step: Step) -> None:
        if step.final and step.task == "search":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(arguments_for(place, project), progress=interrupted)
    return project / "distill" / f"params-{LIMIT}"


def test_a_budget_that_no_student_keeps_makes_no_run(place: Path, tmp_path: Path) -> None:
    """It is found out before anything is written."""
    arguments = replace(arguments_for(place, tmp_path), budget="params=40")
    with pytest.raises(UsageError, match="no student has 40 parameters or less"):
        distill(arguments)
    assert not (tmp_path / "distill").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budget": "params"}, "MEASURE=NUMBER"),
        ({"budget": "weights=3"}, "weights"),
        ({"students": ("lenet5-2k",)}, "a budget finds the student"),
        ({"student_options": {"widths": [3]}}, "a budget finds the options"),
        ({"search_candidates": 0}, "candidates must be 1 or more"),
        ({"search_eta": 1}, "eta must be 2 or more"),
    ],
)
def test_a_search_that_cannot_be_is_refused_at_once(
    place: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    """Before data are loaded."""
    with pytest.raises(UsageError, match=words):
        replace(arguments_for(place, tmp_path), **changes)


def test_arguments_with_a_found_student_train_it_without_a_search(
    place: Path, done: DistillResult, tmp_path: Path, fits: list[int]
) -> None:
    """What ``args.toml`` of a finished search says, makes the same student again."""
    arguments = DistillArguments.from_config(
        Run(done.path).arguments(), project=tmp_path, name="again"
    )
    result = distill(arguments)
    assert fits == [3, 3]
    assert result.search is None
    assert result.students[0].options == done.students[0].options


def test_the_view_shows_every_candidate_and_says_who_was_chosen(
    done: DistillResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chosen one comes first."""
    with Output() as out:
        search_view.search(out, searched(done))
    shown = capsys.readouterr().out
    rows = [line for line in shown.splitlines() if "×" in line and "|" in line]
    assert len(rows) == 5
    assert rows[0].rstrip().endswith("chosen")
    assert f"params={LIMIT}" in shown
    assert "5 × 1, 2 × 2 epochs (9 in all" in shown
