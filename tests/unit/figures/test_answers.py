"""Which answers are right, which are wrong, and how sure they were."""

from __future__ import annotations

import pytest

from tests.answers import answers_to


def test_right_and_wrong_answers_are_told_apart_with_their_confidence() -> None:
    """By hand: the second and the last of four pictures were taken for something else."""
    answers = answers_to([0, 1, 2, 2], [0, 2, 2, 1], confidence=[0.9, 0.8, 0.7, 0.6])
    assert answers.right.tolist() == [0, 2]
    assert answers.wrong.tolist() == [1, 3]
    assert answers.predictions.tolist() == [0, 2, 2, 1]
    assert answers.confidence.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert answers.heading == "net on data, test split: 2 of 4 right (50.00 %)"
