"""The figure of students by size."""

from __future__ import annotations

from pathlib import Path

from edgenet.figures.students import students_by_size


def test_students_without_an_error_are_drawn(tmp_path: Path) -> None:
    """A logarithmic axis has no place for 0; small folders are often decided without a mistake."""
    columns = {"distilled": [(1500, [1.0, 1.0])], "control": [(1500, [0.9, 1.0])]}
    students_by_size(columns, tmp_path / "students")
    assert (tmp_path / "students.png").stat().st_size > 0
