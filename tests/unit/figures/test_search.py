"""The figure of a search."""

from __future__ import annotations

from pathlib import Path

from edgenet.figures.search import students_tried
from tests.answers import words_of


def test_every_round_is_in_the_legend_with_the_student_that_was_chosen(tmp_path: Path) -> None:
    """Both costs have an axis of their own."""
    students = [
        (5300, 90_000, [(1, 0.95), (3, 0.98)]),
        (5100, 60_000, [(1, 0.94)]),
    ]
    students_tried(students, 0, tmp_path / "a")
    words = words_of(tmp_path / "a")
    for word in ("1 epoch", "3 epochs", "chosen", "parameters", "MACs", "validation error in %"):
        assert words.count(word) == 1
