"""``slim``: a trained network with fewer channels, beside the same widths from first weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.files import write_atomically
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.training.distributed import refuse_several
from edgenet.workflows._train import TrainPlan, resume, train_in
from edgenet.workflows.runs import ARGUMENTS, MEMBERS, SLIMMING, Run, new_run
from edgenet.workflows.slim_arguments import SlimArguments
from edgenet.workflows.slim_parent import SlimParent, open_parent
from edgenet.workflows.slim_report import CONTROL, SLIM, report
from edgenet.workflows.slim_result import SlimResult
from edgenet.workflows.teachers import FoundTeacher, find_teacher
from edgenet.workflows.train_session import Session

if TYPE_CHECKING:
    from edgenet.models import ModelSpec
    from edgenet.training.checkpoint import Checkpoint

__all__ = ["SlimArguments", "SlimResult", "plan_slimming", "resume_slimming", "slim"]

VERB = "slim"
PRUNED = "pruned.safetensors"


def plan_slimming(arguments: SlimArguments) -> TrainPlan:
    """Check what can be checked without the data, and remove and train nothing.

    Raises:
        UsageError: There is no such network, or an argument does not fit it.
        DataUnavailable: Its weights are not those that were recorded.
        CorruptFile: Its checkpoint is damaged.
        NotPossible: It cannot be slimmed, or the device is not here.
    """
    from edgenet.compress.anatomy import anatomy
    from edgenet.compress.criteria import criterion
    from edgenet.training.device import resolve_device

    _, checkpoint, sha256 = open_parent(arguments)
    criterion(arguments.criterion)
    resolve_device(arguments.device)
    anatomy(checkpoint.spec)
    return TrainPlan(arguments=_settled(arguments, checkpoint, sha256).to_config())


def slim(arguments: SlimArguments, *, progress: ProgressCallback = ignore) -> SlimResult:
    """Remove channels from a trained network until it fits a budget, and train on.

    The pruned network and, unless told otherwise, its control are each trained in a run of their
    own below ``members/``, the same that ``train`` makes. The slimmed network becomes the run's
    own. Channels are judged by training pictures, the best epoch is chosen on the validation split.

    Raises:
        UsageError: An argument is not acceptable, or the budget cannot be met; the message then
            names the smallest that can.
        DataUnavailable: The data are not here, or not those that the network was trained on.
        CorruptFile: A checkpoint is damaged.
        NotPossible: The network cannot be slimmed, or the device is not here.
        EdgenetError: The run's folder cannot be written, or training diverged.
    """
    refuse_several("a slimming is done")
    work = _Work.begin(arguments, progress)
    pruned = work.parent.pruned(work.arguments, progress)
    name = arguments.name or pruned.spec.name
    run = new_run(arguments.project, VERB, name, exist_ok=arguments.exist_ok)
    with run.working():
        if arguments.exist_ok:
            run.refuse_to_clear(arguments.source, *filter(None, [arguments.teacher]))
            run.clear()
        run.write_arguments(work.arguments.to_config())
        with run.noting_failure():
            return work.finish(run, pruned, progress)


def resume_slimming(path: Path, *, progress: ProgressCallback = ignore) -> SlimResult:
    """Go on with an interrupted slimming, to the weights that it would have had.

    Raises:
        UsageError: The folder is no slimming, or it is finished.
        DataUnavailable: The data or the weights are not those that it began with.
        CorruptFile: Its checkpoints cannot be read.
        EdgenetError: Another process works on it, or training diverged.
    """
    from edgenet.training.checkpoint import load

    refuse_several("a slimming is done")
    run = Run(path)
    if path.absolute().parent.name != VERB:
        raise UsageError(f"{path} is no slimming", "those lie in runs/slim")
    arguments = SlimArguments.from_config(
        run.arguments(), project=path.absolute().parent.parent, name=path.name
    )
    with run.resuming(), run.noting_failure():
        work = _Work.begin(arguments, progress)
        kept = run.best.with_name(PRUNED)
        pruned = load(kept) if kept.is_file() else work.parent.pruned(work.arguments, progress)
        return work.finish(run, pruned, progress)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is to be done.

    Attributes:
        arguments: With the network, the recipe, and how it is trained settled.
        parent: The network and its data.
        teacher: Loaded, where there is one; it keeps its logits from one training to the next.
    """

    arguments: SlimArguments
    parent: SlimParent
    teacher: FoundTeacher | None

    @classmethod
    def begin(cls, arguments: SlimArguments, progress: ProgressCallback) -> _Work:
        """Load the network, its data and the teacher."""
        from edgenet.compress.criteria import criterion
        from edgenet.training.device import resolve_device

        criterion(arguments.criterion)
        device = resolve_device(arguments.device)
        parent = SlimParent.load(arguments, progress)
        arguments = _settled(arguments, parent.checkpoint, parent.sha256)
        if arguments.teacher is None:
            return cls(arguments=arguments, parent=parent, teacher=None)
        sha256 = arguments.teacher_sha256
        teacher = find_teacher(arguments.teacher, sha256=sha256, device=device)
        arguments = replace(arguments, teacher_sha256=teacher.trained.sha256)
        return cls(arguments=arguments, parent=parent, teacher=teacher)

    def finish(self, run: Run, pruned: Checkpoint, progress: ProgressCallback) -> SlimResult:
        """Train what is not trained, and report.

        Args:
            run: The slimming's folder, which this process works on.
            pruned: What is to be trained.
            progress: Told of every epoch.
        """
        from edgenet.training.checkpoint import save

        names = (SLIM, CONTROL) if self.arguments.control else (SLIM,)
        place = run.best.with_name(PRUNED)
        if not place.is_file():
            save(pruned, place)
        threads = self.arguments.threads
        for number, name in enumerate(names):
            member = Run(run.path / MEMBERS / name)
            run.set_status("running", model=pruned.spec.name, members=number)
            if member.status()["state"] != "finished":
                start = {"pretrained": str(place)} if name == SLIM else _from_first(pruned.spec)
                self._train(member, start, threads, progress)
            threads = int(member.arguments()["threads"])
        with write_atomically(run.best) as file:
            file.write(Run(run.path / MEMBERS / SLIM).best.read_bytes())
        result = report(run, self.arguments, self.parent, pruned, names=names, teacher=self.teacher)
        written = {key: value for key, value in result.to_json().items() if key != "path"}
        run.write_json(SLIMMING, written)
        run.set_status(
            "finished",
            model=result.slim.model,
            parameters=result.slim.parameters,
            epochs=result.epochs,
            validation_accuracy=result.slim.validation_accuracy,
            test_accuracy=result.slim.test_accuracy,
        )
        return result

    def _train(
        self, member: Run, start: dict[str, Any], threads: int, progress: ProgressCallback
    ) -> None:
        """Train one member to its end, from where it stands."""

        def named(step: Step) -> None:
            progress(replace(step, task=f"{step.task} {member.path.name}"))

        if (member.path / ARGUMENTS).is_file():
            resume(member.path, progress=named, teacher=self.teacher)
            return
        recipe, checkpoint = self.arguments.recipe({}), self.parent.checkpoint
        rule = checkpoint.preprocessing
        arguments = replace(self.arguments, threads=threads).of_member(
            recipe,
            data=self.parent.data,
            split_seed=int(checkpoint.data.get("split_seed", "0")),
            image_size=rule.height if rule.height == rule.width else None,
            **start,
        )
        session = Session.prepare(arguments, named, teacher=self.teacher)
        member.path.mkdir(parents=True, exist_ok=True)
        train_in(member, session, named)


def _settled(arguments: SlimArguments, checkpoint: Checkpoint, sha256: str) -> SlimArguments:
    """Return the arguments with the source by its path and digest, and the whole recipe."""
    source = arguments.source
    return replace(
        arguments,
        source=str(Path(source).resolve()),
        source_sha256=sha256,
        teacher=str(Path(arguments.teacher).resolve()) if arguments.teacher else None,
        training=arguments.recipe(checkpoint.recipe).to_json(),
    )


def _from_first(spec: ModelSpec) -> dict[str, Any]:
    """Return what a training takes that starts the network of ``spec`` from first weights."""
    return {"model": spec.name, "model_options": dict(spec.options)}
