"""Counts and ratios of a classifier against values worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgenet.statistics import ClassificationReport, confusion_matrix, wilson_interval


def test_the_confusion_matrix_has_true_classes_as_rows() -> None:
    """Counted by hand: one 0 was taken for a 1, both 1s were right, the 2 was taken for a 0."""
    matrix = confusion_matrix([0, 0, 1, 1, 2], [0, 1, 1, 1, 0], 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert matrix.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "predictions"), [([0, 1], [0]), ([0, 3], [0, 1]), ([0, 1], [0, -1])]
)
def test_classes_out_of_range_and_unequal_lengths_are_refused(
    labels: list[int], predictions: list[int]
) -> None:
    """A wrong class would otherwise be counted as a pair of two other classes."""
    with pytest.raises(ValueError, match=r"class|pair"):
        confusion_matrix(labels, predictions, 3)


def test_the_report_is_worked_out_by_hand() -> None:
    """Class a: 1 of 2 predicted right, 1 of 2 found; b: 2 of 3, 2 of 2; c: none predicted."""
    matrix = confusion_matrix([0, 0, 1, 1, 2], [0, 1, 1, 1, 0], 3)
    report = ClassificationReport.of(matrix, ("a", "b", "c"))
    a, b, c = report.classes
    assert (a.precision, a.recall, a.f1) == (0.5, 0.5, 0.5)
    assert (b.precision, b.recall, b.f1) == pytest.approx((2 / 3, 1.0, 0.8))
    assert (c.precision, c.recall, c.f1, c.support, c.predicted) == (0.0, 0.0, 0.0, 1, 0)
    assert report.accuracy == 0.6
    assert report.interval == wilson_interval(3, 5)
    assert report.macro_precision == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert report.macro_recall == pytest.approx(0.5)
    assert report.macro_f1 == pytest.approx(1.3 / 3)


def test_a_class_that_never_occurs_does_not_pull_the_macro_figures_down() -> None:
    """It is in neither labels nor predictions, so it says nothing about the classifier."""
    report = ClassificationReport.of(confusion_matrix([0, 1], [0, 1], 3), ("a", "b", "c"))
    assert (report.macro_precision, report.macro_recall, report.macro_f1) == (1.0, 1.0, 1.0)
    assert report.classes[2].support == 0


def test_a_report_without_pictures_is_all_zeros_and_knows_nothing() -> None:
    """No division by zero, and an interval that says so."""
    report = ClassificationReport.of(np.zeros((2, 2), dtype=np.int64), ("a", "b"))
    assert (report.accuracy, report.macro_f1, report.interval) == (0.0, 0.0, (0.0, 1.0))


def test_a_report_becomes_plain_json() -> None:
    """``--json`` prints it: no NumPy number may be left in it."""
    report = ClassificationReport.of(confusion_matrix([0, 1], [0, 0], 2), ("a", "b"))
    values = json.loads(json.dumps(report.to_json()))
    assert values["confusion"] == [[1, 0], [1, 0]]
    assert values["classes"][0] == {
        "name": "a",
        "support": 1,
        "predicted": 2,
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
    }
