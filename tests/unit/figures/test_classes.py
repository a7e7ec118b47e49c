"""Accuracy by class and the confusion matrix, against counts made by hand."""

from __future__ import annotations

from pathlib import Path

from edgenet.figures.classes import class_accuracy, confusion
from tests.answers import answers_to, words_of


def test_each_class_has_its_share_and_its_counts(tmp_path: Path) -> None:
    """A class without pictures has no share."""
    answers = answers_to([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1])
    class_accuracy(answers, tmp_path / "a")
    words = words_of(tmp_path / "a")
    assert {"75.00 %  3 of 4", "100.00 %  2 of 2", "no pictures"} <= set(words)
    assert {"ant", "bee", "cow", "net on data", answers.score} <= set(words)


def test_of_more_than_a_hundred_classes_the_worst_are_drawn(tmp_path: Path) -> None:
    """A hundred rows can still be read; the title still counts all."""
    names = [f"class {number}" for number in range(103)]
    labels = list(range(103))
    answers = answers_to(labels, [*labels[:-1], 0], names)
    class_accuracy(answers, tmp_path / "a")
    words = words_of(tmp_path / "a")
    assert "class 102" in words
    assert len([word for word in words if word.startswith("class ")]) == 100
    assert answers.score in words


def test_the_cells_of_a_confusion_matrix_have_their_counts(tmp_path: Path) -> None:
    """Row by row; a pair that never occurs has none."""
    answers = answers_to([0, 0, 0, 1, 2], [0, 0, 1, 1, 0])
    confusion(answers, tmp_path / "a")
    words = words_of(tmp_path / "a")
    counts = [word for word in words if word.isdigit()]
    assert counts == ["2", "1", "1", "1"]
    assert {"true class", "predicted class", answers.score} <= set(words)


def test_many_classes_have_shades_without_counts(tmp_path: Path) -> None:
    """Hundreds of numbers could not be read."""
    names = [f"class {number}" for number in range(30)]
    answers = answers_to(list(range(30)) * 2, list(range(30)) * 2, names)
    confusion(answers, tmp_path / "a")
    words = words_of(tmp_path / "a")
    assert words.count("class 29") == 2
    assert not any(word.isdigit() for word in words)
