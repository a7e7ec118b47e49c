"""``train`` and ``resume``: from a data set to a checkpoint, in a run folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import CorruptFile, DataUnavailable, UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.workflows.runs import ARGUMENTS, Run, new_run
from edgenet.workflows.train_arguments import TrainArguments
from edgenet.workflows.train_result import TrainResult
from edgenet.workflows.train_session import Session

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint

__all__ = [
    "TrainArguments",
    "TrainPlan",
    "TrainResult",
    "last_checkpoint",
    "plan_training",
    "resume",
    "train",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """What a run would record.

    Attributes:
        arguments: The table of ``args.toml``. A device ``auto`` and 0 threads are resolved when
            training starts.
    """

    arguments: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, marked as those of a dry run."""
        return {"dry_run": True, "arguments": self.arguments}


def plan_training(arguments: TrainArguments) -> TrainPlan:
    """Check what can be checked without loading the data, and train nothing.

    Raises:
        UsageError: The model, one of its options, the data or the device is not acceptable.
        NotPossible: The device is not here.
    """
    from edgenet import data
    from edgenet.models import variant
    from edgenet.training.device import resolve_device

    variant(arguments.model).with_options(arguments.model_options)
    resolve_device(arguments.device)
    data.check_name(arguments.data)
    return TrainPlan(arguments=arguments.to_config())


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
        if arguments.exist_ok:
            run.clear()
        run.write_arguments(session.arguments.to_config())
        with run.noting_failure():
            return session.execute(run, None, progress)


def resume(path: Path, *, progress: ProgressCallback = ignore) -> TrainResult:
    """Go on with an interrupted run to the weights that it would have had without the interruption.

    Raises:
        UsageError: The folder is not a training run, the run is finished, or its ``args.toml`` is
            no longer what it began with.
        DataUnavailable: The data are not here, or no longer those that the run began with.
        CorruptFile: Neither the last checkpoint nor the one before can be read.
        EdgenetError: Another process works on the run.
    """
    run = Run(path)
    project, name = path.parent.parent, path.name
    arguments = TrainArguments(project=project, name=name).with_config(run.arguments())
    with run.working():
        if run.status()["state"] == "finished":
            raise UsageError(f"{path} is finished: there is nothing to resume")
        run.sweep()
        checkpoint = last_checkpoint(run)
        session = Session.prepare(arguments, progress)
        if checkpoint:
            _check_same(run, session, checkpoint)
        with run.noting_failure():
            return session.execute(run, checkpoint.state() if checkpoint else None, progress)


def _check_same(run: Run, session: Session, checkpoint: Checkpoint) -> None:
    """Refuse to go on with another network, recipe or data than the run began with.

    Raises:
        UsageError: The network or the recipe differs.
        DataUnavailable: The data differ.
    """
    from edgenet.training.recipe import Recipe

    if checkpoint.spec != session.spec or Recipe.from_json(checkpoint.recipe) != session.recipe:
        raise UsageError(
            f"{run.path / ARGUMENTS} is not what the run began with",
            "undo the change, or start a new run with --config",
        )
    dataset = session.dataset
    for split in (dataset.train, dataset.validation, dataset.test):
        if checkpoint.data.get(split.name) != split.digest:
            raise DataUnavailable(
                f"the {split.name} split of {session.arguments.data} is not the one that "
                f"{run.path} began with: its pictures, labels or class names have changed",
                "restore them, or start a new run with --config",
            )


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
