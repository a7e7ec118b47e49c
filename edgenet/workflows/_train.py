"""``train`` and ``resume``: from a data set to a checkpoint, in a run folder."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import CorruptFile, DataUnavailable, UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.training.distributed import joined
from edgenet.workflows.groups import check_seeds, is_group
from edgenet.workflows.pretrained import settled
from edgenet.workflows.runs import ARGUMENTS, OF_SEVERAL, Run, new_run
from edgenet.workflows.train_arguments import TrainArguments
from edgenet.workflows.train_result import TrainResult
from edgenet.workflows.train_session import Session

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint
    from edgenet.workflows.teachers import FoundTeacher

__all__ = [
    "TrainArguments",
    "TrainPlan",
    "TrainResult",
    "check_same_data",
    "last_checkpoint",
    "plan_training",
    "resume",
    "train",
    "train_in",
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


def plan_training(arguments: TrainArguments, *, seeds: int | None = None) -> TrainPlan:
    """Check what can be checked without loading the data, and train nothing.

    Args:
        arguments: What to train.
        seeds: How many members, for a seed group.

    Raises:
        UsageError: The seeds, the model, one of its options, the data, the checkpoint to start from
            or the device is not acceptable.
        DataUnavailable: The checkpoint to start from is not the one that was recorded.
        CorruptFile: It is damaged.
        NotPossible: The device is not here.
    """
    from edgenet import data
    from edgenet.models import variant
    from edgenet.training.device import resolve_device

    arguments, _ = settled(arguments)
    variant(arguments.model).with_options(arguments.model_options)
    resolve_device(arguments.device)
    data.check_name(arguments.data)
    if seeds is None:
        return TrainPlan(arguments=arguments.to_config())
    check_seeds(arguments, seeds)
    return TrainPlan(arguments={**arguments.to_config(), "seeds": seeds})


def train(arguments: TrainArguments, *, progress: ProgressCallback = ignore) -> TrainResult:
    """Train a network and keep its best weights, its history and its environment in a run folder.

    Recipes and the best epoch are chosen on the validation split; the test split is looked at
    once, at the end, and that look is logged in the run.

    Of several processes that torchrun started all return the result, and the first alone writes.

    Raises:
        UsageError: An argument is not acceptable for this model or these data.
        DataUnavailable: The data are not here, or the checkpoint to start from is another one than
            was recorded.
        CorruptFile: The checkpoint to start from is damaged.
        NotPossible: The device is not here.
        EdgenetError: The run's folder cannot be written, training diverged, or another of several
            processes failed.
    """
    with joined() as ranks:
        run: Run | None = None
        with ranks.agreeing():
            session = Session.prepare(arguments, progress, ranks)
            if ranks.first:
                name = arguments.name or session.arguments.model
                run = new_run(arguments.project, "train", name, exist_ok=arguments.exist_ok)
        if run is None:
            return session.follow(None)
        return train_in(run, session, progress)


def train_in(run: Run, session: Session, progress: ProgressCallback) -> TrainResult:
    """Train in a folder that is there, without a look at what an earlier run left unless told to.

    Raises:
        EdgenetError: Another process works on the run, its folder cannot be written, or training
            diverged.
    """
    with run.working():
        if session.arguments.exist_ok:
            run.clear()
        run.write_arguments(session.arguments.to_config())
        with run.noting_failure():
            return session.execute(run, None, progress)


def resume(
    path: Path, *, progress: ProgressCallback = ignore, teacher: FoundTeacher | None = None
) -> TrainResult:
    """Go on with an interrupted run to the weights that it would have had without the interruption.

    Args:
        path: The run's folder.
        progress: Told how far training is.
        teacher: The run's own teacher, where it is loaded already.

    Raises:
        UsageError: The folder is not a training run or is that of a group, the run is finished, or
            its ``args.toml`` is no longer what it began with.
        DataUnavailable: The data are not here, or no longer those that the run began with.
        CorruptFile: Neither the last checkpoint nor the one before can be read.
        EdgenetError: Another process works on the run.
    """
    if is_group(path):
        raise UsageError(f"{path} is a seed group, not a run", "go on with it by resume_group()")
    if (verb := path.absolute().parent.name) in OF_SEVERAL:
        raise UsageError(
            f"{path} is not one training but several", f"edgenet {verb} --resume {path}"
        )
    run = Run(path)
    project, name = path.parent.parent, path.name
    arguments = TrainArguments(project=project, name=name).with_config(run.arguments())
    with joined() as ranks, contextlib.ExitStack() as held:
        with ranks.agreeing():
            if ranks.first:
                # The others do not ask for the state: that would try the lock at the same time.
                held.enter_context(run.working())
                if run.status()["state"] == "finished":
                    raise UsageError(f"{path} is finished: there is nothing to resume")
                run.sweep()
            checkpoint = last_checkpoint(run)
            session = Session.prepare(arguments, progress, ranks, teacher)
            if checkpoint:
                _check_same(run, session, checkpoint)
        state = checkpoint.state() if checkpoint else None
        if not ranks.first:
            return session.follow(state)
        with run.noting_failure():
            return session.execute(run, state, progress)


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
    check_same_data(run, session, checkpoint)


def check_same_data(run: Run, session: Session, checkpoint: Checkpoint) -> None:
    """Refuse to train on other data than ``checkpoint``, in ``run``, was.

    Raises:
        DataUnavailable: The data differ.
    """
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
