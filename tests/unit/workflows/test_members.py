"""Runs that have others below ``members/``, as the rest of edgenet sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgenet.errors import UsageError
from edgenet.workflows import DistillArguments, resolve, resume
from edgenet.workflows.run_list import list_runs
from edgenet.workflows.runs import DISTILLATION, SLIMMING, Run


def made(path: Path, state: str, *members: str) -> Run:
    """Return a run in a state, with members that have weights."""
    run = Run(path)
    run.write_arguments({})
    run.set_status(state)
    for name in members:
        member = Run(path / "members" / name)
        member.best.parent.mkdir(parents=True)
        member.best.write_bytes(b"12345")
        member.write_arguments({})
    return run


@pytest.mark.parametrize("verb", ["distill", "slim"])
def test_a_run_of_several_trainings_is_resumed_by_its_own_verb(tmp_path: Path, verb: str) -> None:
    """Its arguments are not those of a training."""
    run = made(tmp_path / verb / "x", "failed")
    with pytest.raises(UsageError, match="several") as caught:
        resume(run.path)
    assert caught.value.hint == f"edgenet {verb} --resume {run.path}"
    with pytest.raises(UsageError, match="yet") as caught:
        _ = resolve(run.path).checkpoint
    assert caught.value.hint == f"continue it with: edgenet {verb} --resume {run.path}"


def test_a_finished_run_without_weights_names_its_members(tmp_path: Path) -> None:
    """A distillation of several students has no network of its own."""
    run = made(tmp_path / "distill" / "x", "finished", "a", "b")
    with pytest.raises(UsageError, match="has no weights") as caught:
        _ = resolve(run.path).checkpoint
    members = [str(run.path / "members" / name) for name in ("a", "b")]
    assert caught.value.hint == f"name one of its members: {', '.join(members)}"


def test_the_size_of_a_run_is_that_of_its_own_weights(tmp_path: Path) -> None:
    """A slimming has copies below, and a control; without own weights it is all members'."""
    run = made(tmp_path / "slim" / "x", "finished", "slim", "control")
    assert [row.weights_bytes for row in list_runs(tmp_path)] == [10]
    run.best.parent.mkdir()
    run.best.write_bytes(b"123")
    assert [row.weights_bytes for row in list_runs(tmp_path)] == [3]


@pytest.mark.parametrize("name", [DISTILLATION, SLIMMING])
def test_an_overwritten_run_has_no_old_result(tmp_path: Path, name: str) -> None:
    """Until the new one is written there is none."""
    run = made(tmp_path / "x", "finished")
    run.write_json(name, {})
    run.clear()
    assert not (run.path / name).exists()


@pytest.mark.parametrize(
    "values",
    [
        {"training": 3},
        {"student_options": 3},
        {"students": "lenet5-2k"},
        {"teacher": 3},
        {"data": 3},
        {"control": "no"},
        {"seeds": "two"},
        {"threads": 1.5},
    ],
    ids=str,
)
def test_a_configuration_with_a_value_of_the_wrong_kind_is_refused(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    """A text is not taken for a list of its letters, nor left to fail later."""
    with pytest.raises(UsageError, match=f"{next(iter(values))} in the configuration must be"):
        DistillArguments.from_config({"teacher": "t", **values}, project=tmp_path, name=None)


def test_a_run_that_holds_what_is_to_be_read_is_not_overwritten(tmp_path: Path) -> None:
    """A teacher or parent would be deleted before it is used."""
    run = Run(tmp_path / "runs" / "slim" / "half")
    inside = run.path / "members" / "slim"
    inside.mkdir(parents=True)
    for source in (run.path, inside):
        with pytest.raises(UsageError, match="would be overwritten"):
            run.refuse_to_clear(tmp_path / "elsewhere", source)
    run.refuse_to_clear(tmp_path / "runs" / "slim" / "half-2")
