"""``distill``: students that learn from a teacher, beside the same students without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.models.summary import summarise
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.training.distributed import several
from edgenet.workflows._train import check_same_data, resume, train_in
from edgenet.workflows.distill_arguments import DistillArguments, member_run
from edgenet.workflows.distill_result import Column, DistillResult, Student, Trained
from edgenet.workflows.runs import ARGUMENTS, Run, new_run
from edgenet.workflows.teachers import FoundTeacher, find_teacher
from edgenet.workflows.train_session import Session

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint

__all__ = ["DistillArguments", "DistillResult", "distill", "resume_distillation"]

RESULT_NAME = "distill.json"
VERB = "distill"


def distill(arguments: DistillArguments, *, progress: ProgressCallback = ignore) -> DistillResult:
    """Train students with a teacher and, unless told otherwise, without it.

    Every training is a run of its own below ``members/``, the same that ``train`` makes. All
    students of one seed see the same views of the pictures, so the teacher is asked once for them.

    Raises:
        UsageError: An argument is not acceptable for a student, the teacher or the data.
        DataUnavailable: The data are not here, or the teacher has seen what the students are judged
            by.
        CorruptFile: A checkpoint of the teacher is damaged.
        NotPossible: The device is not here.
        EdgenetError: The run's folder cannot be written, or training diverged.
    """
    _refuse_several()
    work, session = _Work.begin(arguments, progress)
    name = arguments.name or arguments.students[0]
    run = new_run(arguments.project, VERB, name, exist_ok=arguments.exist_ok)
    with run.working():
        if arguments.exist_ok:
            run.clear()
        run.write_arguments(work.arguments.to_config())
        with run.noting_failure():
            return work.finish(run, session, progress)


def resume_distillation(path: Path, *, progress: ProgressCallback = ignore) -> DistillResult:
    """Go on with an interrupted distillation: with the training that was cut off, and the rest.

    Raises:
        UsageError: The folder is no distillation, or it is finished.
        DataUnavailable: The data or the teacher are not those that it began with.
        CorruptFile: Its checkpoints cannot be read.
        EdgenetError: Another process works on it, or training diverged.
    """
    _refuse_several()
    run = Run(path)
    if path.absolute().parent.name != VERB:
        raise UsageError(f"{path} is no distillation", "those lie in runs/distill")
    arguments = DistillArguments.from_config(
        run.arguments(), project=path.absolute().parent.parent, name=path.name
    )
    with run.working():
        if run.status()["state"] == "finished":
            raise UsageError(f"{path} is finished: there is nothing to resume")
        run.sweep()
        with run.noting_failure():
            work, session = _Work.begin(arguments, progress)
            return work.finish(run, session, progress)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is to be done.

    Attributes:
        arguments: With teacher, device and threads settled.
        teacher: Loaded; it keeps its logits from one student to the next.
    """

    arguments: DistillArguments
    teacher: FoundTeacher

    @classmethod
    def begin(
        cls, arguments: DistillArguments, progress: ProgressCallback
    ) -> tuple[_Work, Session]:
        """Load the teacher, and prepare the first training: it makes the choices for all."""
        from edgenet.training.device import resolve_device

        teacher = find_teacher(
            arguments.teacher,
            sha256=arguments.teacher_sha256,
            device=resolve_device(arguments.device),
            budget_bytes=arguments.budget_mib << 20,
        )
        first = arguments.of_member(arguments.students[0], "distilled", arguments.seed_numbers[0])
        session = Session.prepare(first, progress, teacher=teacher)
        settled = replace(
            arguments,
            teacher=str(Path(arguments.teacher).resolve()),
            teacher_sha256=teacher.trained.sha256,
            data=session.arguments.data,
            device=session.arguments.device,
            threads=session.arguments.threads,
        )
        return cls(arguments=settled, teacher=teacher), session

    def finish(self, run: Run, session: Session, progress: ProgressCallback) -> DistillResult:
        """Train what is not trained, seed by seed, and report.

        Args:
            run: The distillation's folder, which this process works on.
            session: A prepared one, whose data are those of all.
            progress: Told of every training.
        """
        arguments = self.arguments
        todo = [
            (seed, student, column)
            for seed in arguments.seed_numbers
            for student in arguments.students
            for column in arguments.columns
        ]
        seed_before = todo[0][0]
        for number, (seed, student, column) in enumerate(todo):
            if seed != seed_before:  # no later student sees these views again
                self.teacher.teacher.forget()
                seed_before = seed
            member = member_run(run.path, student, column, seed)
            run.set_status("running", model=student, members=number)
            if member.status()["state"] != "finished":
                self._train(member, (student, column, seed), session, progress)
                task = f"distill {member.path.name}"
                step = Step(task=task, done=number + 1, total=len(todo), unit="training")
                progress(replace(step, final=True))
        return self._report(run, session)

    def _train(
        self,
        member: Run,
        what: tuple[str, str, int],
        first: Session,
        progress: ProgressCallback,
    ) -> None:
        """Train one member to its end, from where it stands."""
        student, column, seed = what
        teacher = self.teacher if column == "distilled" else None

        def named(step: Step) -> None:
            progress(replace(step, task=f"{student} {column} seed {seed}"))

        if (member.path / ARGUMENTS).is_file():
            resume(member.path, progress=named, teacher=teacher)
            return
        arguments = self.arguments.of_member(student, column, seed)
        session = Session.prepare(arguments, progress, teacher=teacher)
        before = next((run for run in self._members(member) if run.best.is_file()), None)
        if before is not None:
            check_same_data(before, session, _load(before))
        member.path.mkdir(parents=True, exist_ok=True)
        train_in(member, session, named)

    def _members(self, member: Run) -> list[Run]:
        return [Run(path) for path in sorted(member.path.parent.glob("*"))]

    def _report(self, run: Run, session: Session) -> DistillResult:
        """Gather what came of all trainings, write it and draw it."""
        from edgenet.figures.students import students_by_size

        arguments, teacher = self.arguments, self.teacher
        students = tuple(self._student(run, name) for name in arguments.students)
        result = DistillResult(
            path=run.path,
            teacher={**teacher.identity, **_teacher_figures(teacher, session)},
            students=students,
            temperature=arguments.temperature,
            alpha=arguments.alpha,
            epochs=session.recipe.epochs,
            teacher_asked=teacher.teacher.asked,
            teacher_computed=teacher.teacher.computed,
            device=arguments.device,
            threads=arguments.threads,
            skipped=tuple((str(file.path), file.reason) for file in session.dataset.skipped),
        )
        written = {key: value for key, value in result.to_json().items() if key != "path"}
        run.write_json(RESULT_NAME, written)
        points = {
            name: [
                (student.parameters, [each.test_accuracy for each in column.trained])
                for student in students
                if (column := getattr(student, name)) is not None
            ]
            for name in arguments.columns
        }
        students_by_size(points, run.figures / "students")
        best = max(students, key=lambda student: student.distilled.validation_accuracy)
        run.set_status(
            "finished",
            model=best.model,
            members=len(students) * len(arguments.columns) * arguments.seeds,
            parameters=best.parameters,
            validation_accuracy=best.distilled.validation_accuracy,
            test_accuracy=best.distilled.test_accuracy,
        )
        return result

    def _student(self, run: Run, name: str) -> Student:
        """Read what came of one student."""
        columns = {
            column: Column(
                trained=tuple(
                    _trained(run, member_run(run.path, name, column, seed), seed)
                    for seed in self.arguments.seed_numbers
                )
            )
            for column in self.arguments.columns
        }
        first = _load(member_run(run.path, name, "distilled", self.arguments.seed_numbers[0]))
        summary = summarise(first.spec)
        return Student(
            model=name,
            options=dict(self.arguments.student_options),
            parameters=summary.parameters,
            macs=summary.macs,
            distilled=columns["distilled"],
            control=columns.get("control"),
        )


def _load(run: Run) -> Checkpoint:
    from edgenet.training.checkpoint import load

    return load(run.best)


def _trained(run: Run, member: Run, seed: int) -> Trained:
    """Read what a finished run recorded in its best checkpoint."""
    checkpoint = _load(member)
    validation, test = checkpoint.metrics["validation"], checkpoint.metrics["test"]
    return Trained(
        seed=seed,
        validation_accuracy=validation["correct"] / validation["n"],
        test_correct=test["correct"],
        test_n=test["n"],
        seconds=sum(record.seconds for record in checkpoint.records),
        path=str(member.path.relative_to(run.path)),
    )


def _teacher_figures(teacher: FoundTeacher, session: Session) -> dict[str, Any]:
    """Return the teacher's size, and how right it is on the validation split."""
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


def _refuse_several() -> None:
    """Refuse to share the work: students are trained one after the other.

    Raises:
        UsageError: torchrun started several processes.
    """
    if several():
        raise UsageError(
            "a distillation is done by one process", "leave torchrun out: start edgenet itself"
        )
