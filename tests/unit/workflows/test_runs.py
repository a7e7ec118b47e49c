"""Run folders: names, states and what is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.errors import CorruptFile, EdgenetError, UsageError
from edgenet.workflows.run_list import list_runs
from edgenet.workflows.runs import ARGUMENTS, Run, environment, new_run


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    """Nothing of an earlier run is touched."""
    paths = [new_run(tmp_path, "train", "lenet5").path.name for _ in range(3)]
    assert paths == ["lenet5", "lenet5-2", "lenet5-3"]
    assert new_run(tmp_path, "train", "lenet5", exist_ok=True).path.name == "lenet5"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/abs", ".hidden"])
def test_a_name_that_is_no_plain_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A run stays below its project."""
    with pytest.raises(UsageError, match="cannot be the name of a run"):
        new_run(tmp_path, "train", name)


def test_a_project_that_is_a_file_is_an_error_with_advice(tmp_path: Path) -> None:
    """The message names the folder that could not be made."""
    (tmp_path / "runs").touch()
    with pytest.raises(EdgenetError, match="cannot make the folder") as caught:
        new_run(tmp_path / "runs", "train", "lenet5")
    assert caught.value.hint == "choose another --project"


def test_arguments_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Numbers keep every digit."""
    run = Run(tmp_path)
    arguments = {"model": "lenet5", "training": {"lr": 0.1 + 0.2, "betas": [0.9, 0.999]}}
    run.write_arguments(arguments)
    assert run.arguments() == arguments


def test_a_folder_without_arguments_is_no_run(tmp_path: Path) -> None:
    """And a damaged file of arguments is named."""
    with pytest.raises(UsageError, match=r"has no args\.toml"):
        Run(tmp_path).arguments()
    (tmp_path / ARGUMENTS).write_text("model = ")
    with pytest.raises(CorruptFile, match=r"args\.toml is not valid TOML"):
        Run(tmp_path).arguments()


def test_a_run_that_nobody_works_on_was_interrupted(tmp_path: Path) -> None:
    """The lock of the working process tells; it ends with the process however it ends."""
    run = Run(tmp_path)
    run.set_status("running", epochs=3)
    assert run.status() == {"state": "interrupted", "epochs": 3}
    with run.working():
        assert run.status()["state"] == "running"
        with pytest.raises(EdgenetError, match="another process works on"), run.working():
            pass
    run.set_status("finished")
    assert run.status()["state"] == "finished"


def test_the_list_has_every_run_with_its_figures(tmp_path: Path) -> None:
    """A run without any file but its arguments is in it, too."""
    with pytest.raises(UsageError, match="there is no folder"):
        list_runs(tmp_path / "none")
    for name in ("b", "a"):
        new_run(tmp_path, "train", name).write_arguments({"model": "lenet5"})
    run = Run(tmp_path / "train" / "a")
    run.set_status("finished", model="lenet5", parameters=61_706, test_accuracy=0.99)
    run.best.parent.mkdir()
    run.best.write_bytes(b"12345")
    (run.bundles / "onnx-fp32").mkdir(parents=True)
    (run.bundles / "onnx-fp32" / "manifest.json").touch()
    first, second = list_runs(tmp_path)
    assert (first.state, first.weights_bytes, first.test_accuracy) == ("finished", 5, 0.99)
    assert first.bundles == ("onnx-fp32",)
    assert (second.state, second.model) == ("interrupted", None)
    assert first.to_json()["bundles"] == ["onnx-fp32"]


def test_the_environment_names_machine_and_packages() -> None:
    """A figure without its conditions is none."""
    seen = environment()
    assert "torch" in seen["packages"]
    assert seen["host"]
    assert seen["now"]


@pytest.mark.parametrize("text", ["[]", "{}", "{", '"running"'])
def test_a_damaged_status_is_taken_for_that_of_an_interrupted_run(
    tmp_path: Path, text: str
) -> None:
    """One odd file must not hide all other runs from the list."""
    run = new_run(tmp_path, "train", "lenet5")
    run.write_arguments({})
    (run.path / "status.json").write_text(text)
    assert [row.state for row in list_runs(tmp_path)] == ["interrupted"]


def test_an_error_leaves_the_state_failed_with_its_reason_and_figures(tmp_path: Path) -> None:
    """A run that diverged was not interrupted, and going on with it would not help."""
    run = Run(tmp_path)
    run.set_status("running", epochs=3)
    with pytest.raises(EdgenetError), run.working(), run.noting_failure():
        raise EdgenetError("training diverged")
    assert run.status() == {"state": "failed", "epochs": 3, "reason": "training diverged"}


def test_an_interruption_is_no_failure(tmp_path: Path) -> None:
    """Ctrl-C leaves a run that can be resumed."""
    run = Run(tmp_path)
    run.set_status("running", epochs=3)
    with pytest.raises(KeyboardInterrupt), run.working(), run.noting_failure():
        raise KeyboardInterrupt
    assert run.status()["state"] == "interrupted"


def test_clearing_a_run_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    """Weights and bundles of the run before are gone; a reader's notes are not."""
    run = Run(tmp_path)
    run.write_arguments({})
    for name in ("weights/last.previous.safetensors", "bundles/onnx-fp32/manifest.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    run.clear()
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
