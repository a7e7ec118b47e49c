"""``train_group`` and ``resume_group``: runs that differ in their seed, and what they are together.

One training is a draw from many: a figure of one seed says little. A group says how much the seed
matters, and its members can be asked together, which is more often right than any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.training.distributed import refuse_several
from edgenet.workflows._evaluate import EvaluateArguments, evaluate
from edgenet.workflows._train import check_same_data, resume, train_in
from edgenet.workflows.group_result import GroupAccuracy, Member, TrainGroupResult
from edgenet.workflows.groups import (
    check_seeds,
    finished_members,
    is_group,
    member_run,
    seeds_of,
    take_seeds,
    with_seed,
    write_group,
)
from edgenet.workflows.runs import ARGUMENTS, Run, new_run
from edgenet.workflows.train_arguments import TrainArguments
from edgenet.workflows.train_session import Session

__all__ = ["TrainGroupResult", "resume_group", "train_group"]

_EACH_FOR_ITSELF = "leave torchrun out, or train every seed for itself: edgenet train --seed N"


def train_group(
    arguments: TrainArguments, *, seeds: int, progress: ProgressCallback = ignore
) -> TrainGroupResult:
    """Train one network for each of several seeds, and ask them together.

    Every member is a run of its own, the same that ``train`` would make with its seed. Device and
    threads are chosen once, for all of them. The ensemble's answer is the mean of the members'
    probabilities; its look at the test split is logged in the group, each member's in the member.

    Args:
        arguments: Of every member; the recipe's seed is the first one's.
        seeds: How many members, two at least; the seeds follow one another.
        progress: Told which member is trained, and how far.

    Raises:
        UsageError: An argument is not acceptable for this model or these data, or several
            processes are to train the group.
        DataUnavailable: The data are not here, or change while the members are trained.
        CorruptFile: The checkpoint to start from is damaged.
        NotPossible: The device is not here.
        EdgenetError: The group's folder cannot be written, or training diverged.
    """
    refuse_several("a seed group is trained", _EACH_FOR_ITSELF)
    numbers = check_seeds(arguments, seeds)
    session = Session.prepare(with_seed(arguments, numbers[0]), progress)
    name = arguments.name or session.arguments.model
    group = new_run(arguments.project, "train", name, exist_ok=arguments.exist_ok)
    with group.working():
        if arguments.exist_ok:
            group.clear()
        # First what says that it is a group: args.toml alone would be taken for a run.
        write_group(group, numbers, {})
        group.write_arguments({**session.arguments.to_config(), "seeds": seeds})
        with group.noting_failure():
            work = _Work(group=group, arguments=session.arguments, seeds=numbers)
            return work.finish(session, progress)


def resume_group(path: Path, *, progress: ProgressCallback = ignore) -> TrainGroupResult:
    """Go on with an interrupted group: with the member that was interrupted and those that wait.

    Raises:
        UsageError: The folder is not a group, the group is finished, or its ``args.toml`` is no
            longer what it began with.
        DataUnavailable: The data are not here, or no longer those that the group began with.
        CorruptFile: A member's checkpoints cannot be read, nor can ``group.json``.
        EdgenetError: Another process works on the group, or training diverged.
    """
    refuse_several("a seed group is trained", _EACH_FOR_ITSELF)
    if not is_group(path):
        raise UsageError(f"{path} is not a seed group")
    group = Run(path)
    config, count = take_seeds(group.arguments())
    arguments = TrainArguments(project=path.parent.parent, name=path.name).with_config(config)
    with group.resuming():
        seeds = seeds_of(path)
        if count is None or tuple(check_seeds(arguments, count)) != seeds:
            raise _changed(group)
        work = _Work(group=group, arguments=arguments, seeds=seeds)
        work.check_members()
        with group.noting_failure():
            return work.finish(None, progress)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is to be done in a group, by the process that holds its lock.

    Attributes:
        group: The group.
        arguments: Of the first member, with device and threads chosen.
        seeds: One for every member.
    """

    group: Run
    arguments: TrainArguments
    seeds: Sequence[int]

    def check_members(self) -> None:
        """Refuse to go on with other arguments than the members have that are there.

        Raises:
            UsageError: They differ.
        """
        for seed in self.seeds:
            member = member_run(self.group.path, seed)
            if not (member.path / ARGUMENTS).is_file():
                continue
            recorded = TrainArguments().with_config(member.arguments())
            if recorded.to_config() != with_seed(self.arguments, seed).to_config():
                raise _changed(self.group)

    def finish(self, session: Session | None, progress: ProgressCallback) -> TrainGroupResult:
        """Train the members that are not finished, ask all of them, and report.

        Args:
            session: Of the first member, where it is prepared.
            progress: Told of every member.
        """
        total = len(self.seeds)
        for number, seed in enumerate(self.seeds, 1):
            self._set_status("running")
            member = member_run(self.group.path, seed)
            if member.status()["state"] != "finished":
                self._train(member, seed, session, _named(progress, f"seed {seed}"))
                step = Step(task="train group", done=number, total=total, unit="member", final=True)
                progress(step)
            session = None
        result = self._asked(progress)
        write_group(self.group, self.seeds, result.to_json())
        self._set_status(
            "finished",
            parameters=total * result.parameters,
            validation_accuracy=result.validation.accuracy,
            test_accuracy=result.test.accuracy,
            seconds=result.seconds,
        )
        return result

    def _train(
        self, member: Run, seed: int, session: Session | None, progress: ProgressCallback
    ) -> None:
        """Train one member to its end, from where it stands."""
        if (member.path / ARGUMENTS).is_file():
            resume(member.path, progress=progress)
            return
        session = session or Session.prepare(with_seed(self.arguments, seed), progress)
        self._check_data(session)
        member.path.mkdir(parents=True, exist_ok=True)
        train_in(member, session, progress)

    def _check_data(self, session: Session) -> None:
        """Refuse other data than those of the first member, once it has weights.

        Raises:
            DataUnavailable: They differ.
        """
        from edgenet.training.checkpoint import load

        first = member_run(self.group.path, self.seeds[0])
        if first.best.is_file():
            check_same_data(first, session, load(first.best))

    def _asked(self, progress: ProgressCallback) -> TrainGroupResult:
        """Ask all members together, and return what came of each and of all."""
        from edgenet.training.checkpoint import load

        runs = finished_members(self.group.path)
        members = tuple(map(Member.of, runs, self.seeds, (load(run.best) for run in runs)))
        ask = EvaluateArguments(source=self.group.path, threads=self.arguments.threads)
        validation = evaluate(replace(ask, split="validation", figures=False), progress=progress)
        test = evaluate(replace(ask, output=self.group.reports / "eval-test"), progress=progress)
        return TrainGroupResult(
            path=self.group.path,
            model=self.arguments.model,
            parameters=runs[0].status()["parameters"],
            members=members,
            validation=GroupAccuracy.of(
                [member.validation_accuracy for member in members],
                together=validation.report,
                digest=validation.digest,
            ),
            test=GroupAccuracy.of(
                [member.test_accuracy for member in members],
                together=test.report,
                digest=test.digest,
            ),
            seconds=sum(member.seconds for member in members),
            device=self.arguments.device,
            threads=self.arguments.threads,
            skipped=test.skipped,
        )

    def _set_status(self, state: str, **figures: Any) -> None:
        """Record the state, with what the list of runs shows of all members together."""
        members = [member_run(self.group.path, seed).status() for seed in self.seeds]
        self.group.set_status(
            state,
            model=self.arguments.model,
            members=len(members),
            epochs=sum(status.get("epochs", 0) for status in members),
            **figures,
        )


def _named(progress: ProgressCallback, suffix: str) -> ProgressCallback:
    """Return a callback that says of which member the steps of a training are."""
    return lambda step: progress(replace(step, task=f"{step.task} {suffix}"))


def _changed(group: Run) -> UsageError:
    return UsageError(
        f"{group.path / ARGUMENTS} is not what the group began with",
        "undo the change, or start a new group with --config",
    )
