"""``train`` and ``resume``: from a data set to a checkpoint, in a run folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import CorruptFile, UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.workflows.runs import Run, new_run
from edgenet.workflows.train_arguments import TrainArguments
from edgenet.workflows.train_session import Session, TrainResult

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint

__all__ = ["TrainArguments", "TrainResult", "last_checkpoint", "resume", "train"]

log = logging.getLogger(__name__)


def train(arguments: TrainArguments, *, progress: ProgressCallback = ignore) -> TrainResult:
    """Train a network and keep its best weights, its history and its environment in a run folder.

    Recipes and the best epoch are chosen on the validation split; the test split is looked at
    once, at the end, and that look is logged in the run.

    Raises:
        UsageError: An argument is not acceptable for this model or these data.
        DataUnavailable: The data are not here.
        NotPossible: The device is not here.
        EdgenetError: The run's folder cannot be written, or training diverged.
    """
    session = Session.prepare(arguments, progress)
    run = new_run(
        arguments.project, "train", arguments.name or arguments.model, exist_ok=arguments.exist_ok
    )
    with run.working():
        run.last.unlink(missing_ok=True)
        run.write_arguments(session.arguments.to_config())
        return session.execute(run, None, progress)


def resume(path: Path, *, progress: ProgressCallback = ignore) -> TrainResult:
    """Go on with an interrupted run to the weights that it would have had without the interruption.

    Raises:
        UsageError: The folder is not a training run, or the run is finished.
        CorruptFile: Neither the last checkpoint nor the one before can be read.
        EdgenetError: Another process works on the run.
    """
    run = Run(path)
    project, name = path.parent.parent, path.name
    arguments = TrainArguments(project=project, name=name).with_config(run.arguments())
    with run.working():
        if run.status()["state"] == "finished":
            raise UsageError(f"{path} is finished: there is nothing to resume")
        checkpoint = last_checkpoint(run)
        session = Session.prepare(arguments, progress)
        return session.execute(run, checkpoint.state() if checkpoint else None, progress)


def last_checkpoint(run: Run) -> Checkpoint | None:
    """Return the newest whole checkpoint to resume ``run`` from; None before the first.

    Raises:
        CorruptFile: There are checkpoints, and none can be read.
    """
    from edgenet.training.checkpoint import load, previous_of

    damaged: CorruptFile | None = None
    for file in (run.last, previous_of(run.last)):
        if not file.is_file():
            continue
        try:
            return load(file)
        except CorruptFile as error:
            log.warning("%s; trying the one before it", error.message)
            damaged = damaged or error
    if damaged:
        raise damaged
    return None
