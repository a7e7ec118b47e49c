"""What a distillation's figures say: differences in pairs, and how sure they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgenet.workflows.distill_result import Column, Student, Trained


def column(*correct: int) -> Column:
    """Return one student over some seeds, with so many of 1,000 test pictures right."""
    return Column(
        trained=tuple(
            Trained(
                seed=seed,
                validation_accuracy=0.9,
                test_correct=each,
                test_n=1000,
                seconds=1.0,
                path="x",
            )
            for seed, each in enumerate(correct)
        )
    )


STUDENT = Student(
    model="lenet5-2k",
    options={},
    parameters=1612,
    macs=90_000,
    distilled=column(910, 951, 930),
    control=column(900, 940, 921),
)


def test_the_teachers_gift_is_judged_in_pairs_of_one_seed() -> None:
    """Two columns that rise and fall together differ for certain, though they overlap."""
    assert STUDENT.difference == pytest.approx(0.010)
    assert STUDENT.verdict == "helps"
    swapped = replace(STUDENT, distilled=column(900, 940, 921), control=column(910, 951, 930))
    assert swapped.verdict == "hurts"
    assert replace(STUDENT, control=column(930, 910, 951)).verdict == "no difference shown"


def test_two_seeds_that_differ_alike_say_nothing() -> None:
    """Their interval has no width, and that is chance."""
    two = replace(STUDENT, distilled=column(910, 951), control=column(900, 941))
    assert two.difference_interval == pytest.approx((0.010, 0.010))
    assert two.verdict == "not known: it takes 3 seeds"


def test_no_interval_of_an_accuracy_leaves_0_to_1() -> None:
    """Student's knows nothing of shares."""
    low, high = column(700, 1000).test_interval
    assert (low, high) == (0.0, 1.0)
