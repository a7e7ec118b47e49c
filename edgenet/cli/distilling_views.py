"""How a distillation looks on a terminal: students with and without their teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli import search_view
from edgenet.cli.console import Output
from edgenet.cli.views import left_out, percent, whole

if TYPE_CHECKING:
    from edgenet.workflows.distill_result import Column, DistillResult, Student


def distillation(out: Output, result: DistillResult) -> None:
    """Show who taught, the students with and without it, and which network was kept."""
    left_out(out, result.skipped)
    teacher, n = result.teacher, len(result.seeds)
    out.fields(
        {
            "run": result.path,
            "teacher": f"{teacher['model']}, {teacher['parameters']:,} parameters, validation "
            f"accuracy {percent(teacher['validation_accuracy'])}: {teacher['path']}",
            "teaching": f"temperature {result.temperature:g}, share of the loss {result.alpha:g}",
            "trainings": f"{result.epochs} epochs each, "
            + (f"seeds {result.seeds[0]} to {result.seeds[-1]}" if n > 1 else "one seed"),
            "device": f"{result.device}, threads {result.threads}",
            "teacher's answers": _answers(result),
            "weights": result.kept and f"{result.kept}, the best of validation",
        }
    )
    if result.search is not None:
        out.line()
        search_view.search(out, result.search)
    out.line()
    _table(out, result)
    if any(student.control is None for student in result.students):
        out.warn("the control without a teacher was skipped: what the teacher gave is not known")
    if n == 1:
        out.note("one seed says little; with --seeds 5 the table has intervals of the mean")


def _answers(result: DistillResult) -> str | None:
    if not result.teacher_asked:
        return None
    return (
        f"{result.teacher_computed:,} computed, "
        f"{result.teacher_asked - result.teacher_computed:,} taken from memory"
    )


def _table(out: Output, result: DistillResult) -> None:
    n = len(result.seeds)
    of_what = f"mean of {n} (95 % interval)" if n > 1 else "test (95 % interval)"
    rows = []
    for student in result.students:
        for name, column in (("teacher", student.distilled), ("labels alone", student.control)):
            if column is not None:
                rows.append(_row(student, name, column, first=name == "teacher"))
    columns = (
        "student",
        ">parameters",
        ">MACs",
        "learns from",
        ">validation",
        f">{of_what}",
        ">sd",
    )
    out.table((*columns, ">teacher gives, points"), rows)


def _row(student: Student, name: str, column: Column, *, first: bool) -> tuple[object, ...]:
    low, high = (percent(end) for end in column.test_interval)
    return (
        student.model if first else "",
        whole(student.parameters) if first else "",
        whole(student.macs) if first else "",
        name,
        percent(column.validation_accuracy),
        f"{percent(column.test_accuracy)} ({low} to {high})",
        percent(column.test_sd),
        _difference(student) if first else "",
    )


def _difference(student: Student) -> str | None:
    if student.difference is None:
        return None
    text = f"{100 * student.difference:+.2f}"
    interval = student.difference_interval
    if interval is None:
        return text
    low, high = (f"{100 * end:+.2f}" for end in interval)
    return f"{text} ({low} to {high}): {student.verdict}"
