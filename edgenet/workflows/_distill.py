"""``distill``: students that learn from a teacher, beside the same students without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError
from edgenet.files import write_atomically
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.training.distributed import refuse_several
from edgenet.workflows._train import TrainPlan, check_same_data, resume, train_in
from edgenet.workflows.distill_arguments import DistillArguments, member_run
from edgenet.workflows.distill_report import best_checkpoint, read_student, teacher_figures
from edgenet.workflows.distill_result import DistillResult
from edgenet.workflows.runs import ARGUMENTS, DISTILLATION, MEMBERS, Run, new_run
from edgenet.workflows.search_result import SearchResult
from edgenet.workflows.student_search import (
    check_budget,
    is_to_be_searched,
    search_student,
    winner_of,
)
from edgenet.workflows.teachers import FoundTeacher, find_teacher
from edgenet.workflows.train_session import Session

__all__ = [
    "DistillArguments",
    "DistillResult",
    "distill",
    "plan_distillation",
    "resume_distillation",
]

VERB = "distill"


def plan_distillation(arguments: DistillArguments) -> TrainPlan:
    """Check what can be checked without loading the data, and train nothing.

    Raises:
        UsageError: A student, the teacher or the data is not acceptable.
        CorruptFile: A checkpoint of the teacher is damaged.
        NotPossible: The device is not here.
    """
    from edgenet import data
    from edgenet.training.device import resolve_device

    arguments = arguments.of_family()
    data.check_name(arguments.data)
    device = resolve_device(arguments.device)
    find_teacher(arguments.teacher, sha256=arguments.teacher_sha256, device=device)
    return TrainPlan(arguments=arguments.to_config())


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
    refuse_several("a distillation is done")
    arguments = arguments.of_family()
    work, session = _Work.begin(arguments, progress)
    name = arguments.name or arguments.students[0]
    run = new_run(arguments.project, VERB, name, exist_ok=arguments.exist_ok)
    with run.working():
        if arguments.exist_ok:
            run.refuse_to_clear(arguments.teacher)
            run.clear()
        run.write_arguments(work.arguments.to_config())
        with run.noting_failure():
            return work.searched(run, session, progress).finish(run, session, progress)


def resume_distillation(path: Path, *, progress: ProgressCallback = ignore) -> DistillResult:
    """Go on with an interrupted distillation: with the training that was cut off, and the rest.

    Raises:
        UsageError: The folder is no distillation, or it is finished.
        DataUnavailable: The data or the teacher are not those that it began with.
        CorruptFile: Its checkpoints cannot be read.
        EdgenetError: Another process works on it, or training diverged.
    """
    refuse_several("a distillation is done")
    run = Run(path)
    if path.absolute().parent.name != VERB:
        raise UsageError(f"{path} is no distillation", "those lie in runs/distill")
    arguments = DistillArguments.from_config(
        run.arguments(), project=path.absolute().parent.parent, name=path.name
    )
    with run.resuming(), run.noting_failure():
        work, session = _Work.begin(arguments, progress)
        return work.searched(run, session, progress).finish(run, session, progress)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is to be done.

    Attributes:
        arguments: With teacher, device and threads settled.
        teacher: Loaded; it keeps its logits from one student to the next.
        search: How the student was found; None where it was named.
    """

    arguments: DistillArguments
    teacher: FoundTeacher
    search: SearchResult | None = None

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
        check_budget(arguments, session)
        settled = replace(
            arguments,
            teacher=str(Path(arguments.teacher).resolve()),
            teacher_sha256=teacher.trained.sha256,
            data=session.arguments.data,
            device=session.arguments.device,
            threads=session.arguments.threads,
        )
        return cls(arguments=settled, teacher=teacher), session

    def searched(self, run: Run, session: Session, progress: ProgressCallback) -> _Work:
        """Return the work with the student that keeps the budget best, where there is a budget."""
        if not is_to_be_searched(self.arguments, run):
            return self
        run.set_status("running", model=self.arguments.students[0], members=0)
        result = search_student(self.arguments, run, session, progress)
        arguments = replace(self.arguments, student_options=winner_of(result))
        run.write_arguments(arguments.to_config())
        return replace(self, arguments=arguments, search=result)

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
                self._train(member, (student, column, seed), progress)
                task = f"distill {member.path.name}"
                step = Step(task=task, done=number + 1, total=len(todo), unit="training")
                progress(replace(step, final=True))
        return self._report(run, session)

    def _train(
        self,
        member: Run,
        what: tuple[str, str, int],
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
        others = self._members(Run(member.path.parent.parent))
        before = next((run for run in others if run.best.is_file()), None)
        if before is not None:
            check_same_data(before, session, best_checkpoint(before))
        member.path.mkdir(parents=True, exist_ok=True)
        train_in(member, session, named)

    def _members(self, run: Run) -> list[Run]:
        return [Run(path) for path in sorted((run.path / MEMBERS).glob("*"))]

    def _report(self, run: Run, session: Session) -> DistillResult:
        """Gather what came of all trainings, write it and draw it."""
        from edgenet.figures.students import students_by_size

        arguments, teacher = self.arguments, self.teacher
        students = tuple(read_student(run, name, arguments) for name in arguments.students)
        kept = self._keep_best(run) if len(students) == 1 else None
        result = DistillResult(
            path=run.path,
            kept=None if kept is None else str(kept.path.relative_to(run.path)),
            teacher={**teacher.identity, **teacher_figures(teacher, session)},
            students=students,
            temperature=arguments.temperature,
            alpha=arguments.alpha,
            epochs=session.recipe.epochs,
            teacher_asked=teacher.teacher.asked,
            teacher_computed=teacher.teacher.computed,
            device=arguments.device,
            threads=arguments.threads,
            search=self.search,
            skipped=tuple((str(file.path), file.reason) for file in session.dataset.skipped),
        )
        written = {key: value for key, value in result.to_json().items() if key != "path"}
        run.write_json(DISTILLATION, written)
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
        figures: dict[str, Any] = {"members": arguments.seeds}
        figures["validation_accuracy"] = best.distilled.validation_accuracy
        figures["test_accuracy"] = best.distilled.test_accuracy
        if kept:  # the run's weights are that one's
            status = kept.status()
            figures = {name: status[name] for name in ("validation_accuracy", "test_accuracy")}
        run.set_status("finished", model=best.model, parameters=best.parameters, **figures)
        return result

    def _keep_best(self, run: Run) -> Run:
        """Make the network that is best on the validation split the run's own.

        Of equal ones that with the teacher stays, and of those the one with the lowest seed.
        """
        arguments = self.arguments
        (student,) = arguments.students
        members = (
            member_run(run.path, student, column, seed)
            for column in arguments.columns
            for seed in arguments.seed_numbers
        )
        best = max(members, key=lambda member: member.status()["validation_accuracy"])
        with write_atomically(run.best) as file:
            file.write(best.best.read_bytes())
        return best
