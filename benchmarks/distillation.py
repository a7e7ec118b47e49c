"""Students of four sizes with a teacher and by the labels alone: mean, spread and 95 % interval.

The teacher is one network of ``benchmarks/accuracy.py``, the best of its seeds on the validation
split. Every seed is a run of ``edgenet distill`` of its own, so an interrupted campaign goes on
where it stopped, and what several processes trained is gathered by the last one.
``python benchmarks/distillation.py runs/train/default-teacher-seed1 --seeds 0 2``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from _recording import HERE, record, revision

from edgenet.files import write_text
from edgenet.workflows import DistillArguments, distill, resume_distillation
from edgenet.workflows.distill_result import Column, Student, Trained
from edgenet.workflows.runs import Run, environment

MARKS = {
    "lenet5-relu": 0.995,
    "lenet5-17k": 0.9935,
    "lenet5-5k": 0.9905,
    "lenet5-2k": 0.981,
}
"""What the 95 % interval of the better column's mean must contain or exceed, by student."""


def main() -> None:
    """Train what is missing and record the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("teacher", help="a run, a checkpoint or a seed group")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--students", nargs="+", default=list(MARKS), choices=list(MARKS))
    parser.add_argument("--threads", type=int, default=0, help="0 chooses by a probe")
    parser.add_argument("--project", type=Path, default=HERE / "runs")
    options = parser.parse_args()
    started = environment()
    for seed in options.seeds:
        train(options.teacher, seed, tuple(options.students), options.threads, options.project)
    results = [
        {**json.loads(file.read_text("utf-8")), "revision": file.with_name("revision").read_text()}
        for file in sorted(options.project.glob("distill/students-*/distill.json"))
    ]
    students = [summary(name, results) for name in MARKS]
    values = {
        "teacher": {name: value for name, value in results[0]["teacher"].items() if name != "path"},
        "temperature": results[0]["temperature"],
        "alpha": results[0]["alpha"],
        "epochs": results[0]["epochs"],
        "revisions": sorted({result["revision"] for result in results}),
        "students": [row for row in students if row is not None],
    }
    record("distillation", values, started=started)


def train(teacher: str, seed: int, students: tuple[str, ...], threads: int, project: Path) -> None:
    """Train one seed of these students, finish it, or leave it as it is."""
    part = "" if students == tuple(MARKS) else "-" + "-".join(students)
    run = Run(project / "distill" / f"students-seed{seed}{part}")
    if not run.path.is_dir():
        arguments = DistillArguments(
            teacher=teacher,
            students=students,
            training={"seed": seed},
            threads=threads,
            project=project,
            name=run.path.name,
        )
        distill(arguments)
    elif run.status()["state"] != "finished":
        resume_distillation(run.path)
    else:
        return
    write_text(run.path / "revision", revision())


def summary(name: str, results: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return one student over all seeds that were trained; None for fewer than two."""
    rows = [row for result in results for row in result["students"] if row["model"] == name]
    columns = {
        column: Column(
            trained=tuple(
                sorted(
                    (
                        Trained(**{key: each[key] for key in Trained.__dataclass_fields__})
                        for row in rows
                        for each in row[column]["trained"]
                    ),
                    key=lambda each: each.seed,
                )
            )
        )
        for column in ("distilled", "control")
    }
    if len(rows) < 2:
        return None
    student = Student(
        model=name,
        options=rows[0]["options"],
        parameters=rows[0]["parameters"],
        macs=rows[0]["macs"],
        **columns,
    )
    better = max(columns.values(), key=lambda column: column.test_accuracy)
    return {
        **student.to_json(),
        "mark": MARKS[name],
        "mark_met": better.test_interval[1] >= MARKS[name],
    }


if __name__ == "__main__":
    main()
