"""``train``, ``resume`` and their dry run on a handful of pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import DataUnavailable, EdgenetError, UsageError
from edgenet.progress import Step
from edgenet.training import checkpoint as checkpoints
from edgenet.workflows import EvaluateArguments, TrainArguments, evaluate, resume, train
from edgenet.workflows.runs import Run

SMALL: dict[str, Any] = {"channels": [2], "widths": [], "kernel": 3}


@pytest.fixture
def arguments(folder: Path) -> TrainArguments:
    """Return how to train two epochs on 60 pictures of lying and standing bars."""
    generator = np.random.default_rng(0)
    for number in range(60):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 90, (16, 16), dtype=np.uint8)
        place = int(generator.integers(2, 14))
        pixels[(slice(None), place) if kind == "standing" else (place, slice(None))] = 220
        (folder / "bars" / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / "bars" / kind / f"{number}.npy", pixels)
    return TrainArguments(
        model="lenet5-relu",
        model_options=SMALL,
        data="bars",
        training={"epochs": 2, "batch": 16},
        threads=1,
        name="run",
    )


class Stopped(BaseException):
    """Ends training from within, as a signal does."""


def stop_after(epochs: int) -> Any:
    """Return a callback that ends training when so many epochs are done."""

    def progress(step: Step) -> None:
        if step.task == "train" and step.final and step.done == epochs:
            raise Stopped

    return progress


def interrupted(arguments: TrainArguments) -> Run:
    """Return a run that was stopped after its first epoch."""
    with pytest.raises(Stopped):
        train(arguments, progress=stop_after(1))
    run = Run(Path("runs/train/run"))
    assert run.status()["state"] == "interrupted"
    return run


def test_overwriting_a_run_leaves_nothing_of_the_one_before(arguments: TrainArguments) -> None:
    """Stopped before its first epoch it has no weights to be resumed from, used or measured."""
    first = Run(train(arguments).path)
    (first.bundles / "onnx-fp32").mkdir(parents=True)
    assert checkpoints.previous_of(first.last).is_file()
    again = TrainArguments(**{**vars(arguments), "exist_ok": True})

    def stop_at_once(step: Step) -> None:
        if step.task == "train":
            raise Stopped

    with pytest.raises(Stopped):
        train(again, progress=stop_at_once)
    assert not first.bundles.exists()
    assert not first.best.exists()
    assert resume(first.path).epochs == 2


def test_a_resumed_run_counts_the_seconds_of_all_its_epochs(arguments: TrainArguments) -> None:
    """Not only of those after the interruption."""
    run = interrupted(arguments)
    before = checkpoints.load(run.last).records[0].seconds
    result = resume(run.path)
    assert result.epochs == 2
    assert result.seconds > before
    assert result.seconds == run.status()["seconds"]


def test_a_run_whose_pictures_have_changed_is_not_resumed(arguments: TrainArguments) -> None:
    """Its second half would be of another training, and nothing would say so."""
    run = interrupted(arguments)
    np.save("bars/lying/0.npy", np.zeros((16, 16), np.uint8))
    os.utime("bars/lying/0.npy", (1, 1))
    with pytest.raises(DataUnavailable, match="have changed"):
        resume(run.path)
    assert run.status()["state"] == "interrupted"


@pytest.mark.parametrize(
    ("present", "changed"), [("epochs = 2", "epochs = 3"), ("kernel = 3", "kernel = 5")]
)
def test_a_run_whose_arguments_were_edited_is_not_resumed(
    arguments: TrainArguments, present: str, changed: str
) -> None:
    """Neither with another recipe nor into another network, whose weights would not fit."""
    run = interrupted(arguments)
    file = run.path / "args.toml"
    text = file.read_text("utf-8")
    assert present in text
    file.write_text(text.replace(present, changed), encoding="utf-8")
    with pytest.raises(UsageError, match="is not what the run began with"):
        resume(run.path)


def test_a_resumed_run_removes_what_a_killed_process_left(arguments: TrainArguments) -> None:
    """A write that never came to its rename leaves a temporary file and nothing else."""
    run = interrupted(arguments)
    left = [run.path / ".status.json-a1b2c3d4", run.best.parent / ".last.safetensors-a1b2c3d4"]
    for file in left:
        file.write_bytes(b"half")
    resume(run.path)
    assert not any(file.exists() for file in left)
    assert run.best.is_file()


def test_a_run_that_diverged_has_failed(arguments: TrainArguments) -> None:
    """The list of runs says so, with the reason in its status."""
    wild = {**arguments.training, "lr": 1e30, "warmup": 0.0, "optimizer": "sgd"}
    with pytest.raises(EdgenetError, match="diverged"):
        train(TrainArguments(**{**vars(arguments), "training": wild}))
    status = Run(Path("runs/train/run")).status()
    assert status["state"] == "failed"
    assert "diverged" in status["reason"]


def test_a_folder_is_recorded_so_that_it_is_found_from_any_other(
    arguments: TrainArguments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``eval``, ``export`` and ``--resume`` are typed wherever their user is by then."""
    result = train(arguments)
    recorded = Run(result.path).arguments()["data"]
    assert Path(recorded).is_absolute()
    run = result.path.resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluate(EvaluateArguments(source=run)).report.n == result.test_n
