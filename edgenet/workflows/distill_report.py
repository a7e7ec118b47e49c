"""What came of a distillation's trainings, read from their folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgenet.models.summary import summarise
from edgenet.workflows.distill_arguments import DistillArguments, member_run
from edgenet.workflows.distill_result import Column, Student, Trained
from edgenet.workflows.runs import Run

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint
    from edgenet.workflows.teachers import FoundTeacher
    from edgenet.workflows.train_session import Session


def read_student(run: Run, name: str, arguments: DistillArguments) -> Student:
    """Read what came of one student, all of whose trainings are finished.

    Args:
        run: The distillation's folder.
        name: The student.
        arguments: Of the distillation.
    """
    columns = {
        column: Column(
            trained=tuple(
                _trained(run, member_run(run.path, name, column, seed), seed)
                for seed in arguments.seed_numbers
            )
        )
        for column in arguments.columns
    }
    first = member_run(run.path, name, "distilled", arguments.seed_numbers[0])
    summary = summarise(best_checkpoint(first).spec)
    return Student(
        model=name,
        options=dict(arguments.student_options),
        parameters=summary.parameters,
        macs=summary.macs,
        distilled=columns["distilled"],
        control=columns.get("control"),
    )


def best_checkpoint(run: Run) -> Checkpoint:
    """Load the best weights of a run."""
    from edgenet.training.checkpoint import load

    return load(run.best)


def _trained(run: Run, member: Run, seed: int) -> Trained:
    """Read what a finished run recorded in its best checkpoint."""
    checkpoint = best_checkpoint(member)
    validation, test = checkpoint.metrics["validation"], checkpoint.metrics["test"]
    return Trained(
        seed=seed,
        validation_accuracy=validation["correct"] / validation["n"],
        test_correct=test["correct"],
        test_n=test["n"],
        seconds=sum(record.seconds for record in checkpoint.records),
        path=str(member.path.relative_to(run.path)),
    )


def teacher_figures(teacher: FoundTeacher, session: Session) -> dict[str, Any]:
    """Return where the teacher lies, its size, and how right it is on the validation split."""
    from edgenet.training.pictures import Pictures, logits_of

    rule, split = teacher.trained.preprocessing, session.dataset.validation
    pictures = Pictures.of(split, rule, session.device)
    network = teacher.trained.network.to(session.device)
    logits = logits_of(network, pictures, batch=64)
    right = int((logits.argmax(1) == pictures.labels).sum())
    return {
        "path": str(teacher.trained.path),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "validation_accuracy": right / len(split),
    }
