"""The accuracy gate: what it counts, what it decides, and how often it is right."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from edgenet.errors import UsageError
from edgenet.statistics import mcnemar_p, paired_interval
from edgenet.verify.gate import ClassChange, Gate, PairedComparison
from tests.pairs import outcomes

NAMES = ("a", "b", "c")
LABELS = [0, 0, 0, 1, 1, 2, 2]
PARENT = [0, 0, 1, 1, 1, 0, 0]
CHILD = [0, 1, 0, 1, 0, 0, 1]

Classes = NDArray[np.int64]


def compared(gained: int, lost: int, n: int) -> PairedComparison:
    """Build a comparison from its counts: one class, and all others right in both."""
    return PairedComparison(
        both_right=n - gained - lost,
        only_parent_right=lost,
        only_child_right=gained,
        both_wrong=0,
        equal_decisions=n - gained - lost,
        classes=(ClassChange(name="a", support=n, lost=lost, gained=gained),),
    )


def test_pairs_are_counted_by_hand() -> None:
    """Pictures 1 and 4 are lost, 2 is gained; of the two that both get wrong, one is equal."""
    pairs = PairedComparison.of(LABELS, PARENT, CHILD, NAMES)
    assert (pairs.both_right, pairs.only_parent_right, pairs.only_child_right) == (2, 2, 1)
    assert (pairs.both_wrong, pairs.n, pairs.equal_decisions) == (2, 7, 3)
    assert (pairs.parent_correct, pairs.child_correct) == (4, 3)
    assert pairs.change == pytest.approx(-1 / 7)
    assert pairs.agreement == pytest.approx(3 / 7)
    assert pairs.interval == paired_interval(1, 2, 7)
    assert pairs.p == mcnemar_p(1, 2) == 1.0


def test_every_class_has_its_own_gains_and_losses() -> None:
    """A child can keep its accuracy and forget a class."""
    rows = PairedComparison.of(LABELS, PARENT, CHILD, NAMES).classes
    assert [(row.name, row.support, row.lost, row.gained) for row in rows] == [
        ("a", 3, 1, 1),
        ("b", 2, 1, 0),
        ("c", 2, 0, 0),
    ]
    assert [row.change for row in rows] == [0, -0.5, 0]


def test_a_decision_that_was_not_come_to_is_wrong_and_equal_to_nothing() -> None:
    """-1 stands for logits that are not finite, on either side."""
    pairs = PairedComparison.of([0, 1], [-1, 1], [-1, -1], NAMES)
    assert (pairs.both_wrong, pairs.only_parent_right, pairs.equal_decisions) == (1, 1, 0)


def test_decisions_come_in_any_width_of_whole_numbers() -> None:
    """Golden vectors keep int16, argmax gives int64, data sets have int64 labels."""
    narrow = PairedComparison.of(
        np.array(LABELS, np.uint8), np.array(PARENT, np.int16), np.array(CHILD), NAMES
    )
    assert narrow == PairedComparison.of(LABELS, PARENT, CHILD, NAMES)


@pytest.mark.parametrize(
    ("labels", "parent", "child"),
    [
        ([0, 1], [0, 1], [0]),
        ([0, 3], [0, 1], [0, 1]),
        ([-1, 1], [0, 1], [0, 1]),
        ([0, 1], [0, 3], [0, 1]),
        ([0, 1], [0, 1], [0, -2]),
        ([0, 1], [0.0, 1.0], [0, 1]),
        ([0, 1], [[0.2, 0.8], [0.9, 0.1]], [0, 1]),
    ],
    ids=["lengths", "label", "no label", "parent", "child", "floats", "logits"],
)
def test_arrays_that_do_not_pair_up_are_refused(
    labels: list[int], parent: ArrayLike, child: list[int]
) -> None:
    """NumPy would broadcast some of them, and a gate would pass on nonsense."""
    with pytest.raises(ValueError, match=r"class|pair"):
        PairedComparison.of(labels, parent, child, NAMES)


def test_a_comparison_without_pictures_is_all_zeros_and_knows_nothing() -> None:
    """No division by zero, and an interval that says so."""
    pairs = PairedComparison.of([], [], [], NAMES)
    assert (pairs.n, pairs.change, pairs.agreement, pairs.p) == (0, 0.0, 0.0, 1.0)
    assert pairs.interval == (-1.0, 1.0)
    assert Gate(max_drop=0.5, validation=pairs).verdict == "too few pictures"


def test_the_lower_end_of_the_interval_decides_and_not_the_change() -> None:
    """15 of 5,000 lost are 0.3 points and may be 0.495; one more may be 0.52."""
    inside = Gate(max_drop=0.005, validation=compared(0, 15, 5_000))
    outside = Gate(max_drop=0.005, validation=compared(0, 16, 5_000))
    assert (inside.verdict, inside.passed) == ("passed", True)
    assert (outside.verdict, outside.passed) == ("failed", False)
    assert outside.validation.change > -0.005
    assert "at worst -0.519" in outside.describe()


def test_the_test_split_decides_nothing() -> None:
    """Neither does a bad one fail a child, nor a good one save it."""
    good, bad = compared(0, 0, 5_000), compared(0, 500, 5_000)
    assert Gate(max_drop=0.005, validation=good, test=bad).passed
    assert not Gate(max_drop=0.005, validation=bad, test=good).passed


def test_too_few_pictures_are_said_to_be_too_few() -> None:
    """Not even equal decisions on 764 of them show a loss of at most half a point; on 765 they do.

    764 equal decisions are no fault of the child's, and a reader is told how many it takes.
    """
    few, enough = (Gate(max_drop=0.005, validation=compared(0, 0, n)) for n in (764, 765))
    assert (few.verdict, few.passed) == ("too few pictures", False)
    assert enough.verdict == "passed"
    assert few.pictures_needed == 765
    assert "it takes 765" in few.describe()


def test_few_pictures_are_enough_to_see_that_a_child_is_broken() -> None:
    """50 of 100 lost fail: more pictures would not change it."""
    gate = Gate(max_drop=0.005, validation=compared(0, 50, 100))
    assert gate.verdict == "failed"
    assert "at best -40.383" in gate.describe()


def test_few_pictures_are_enough_for_a_child_that_is_shown_to_be_better() -> None:
    """20 of 100 gained: the whole interval lies above nothing lost."""
    assert Gate(max_drop=0.005, validation=compared(20, 0, 100)).passed


@pytest.mark.parametrize("max_drop", [0.0, -0.01, 1.0, math.nan])
def test_a_drop_that_no_pictures_can_show_is_refused(max_drop: float) -> None:
    """Nothing lost at all is a claim about pictures never seen."""
    with pytest.raises(UsageError, match="cannot be shown"):
        Gate(max_drop=max_drop, validation=compared(0, 0, 100))


def test_the_number_of_candidates_bounds_how_often_one_passes_by_luck() -> None:
    """2.5 % each, in the worst case added up, and never more than always."""
    bounds = [
        Gate(max_drop=0.01, validation=compared(0, 0, 500), candidates=count).false_pass_bound
        for count in (1, 6, 100)
    ]
    assert bounds == pytest.approx([0.025, 0.15, 1.0])
    with pytest.raises(UsageError, match="candidates"):
        Gate(max_drop=0.01, validation=compared(0, 0, 500), candidates=0)


def test_a_gate_becomes_plain_json() -> None:
    """Reports keep it: no NumPy number may be left in it."""
    pairs = PairedComparison.of(LABELS, PARENT, CHILD, NAMES)
    values = json.loads(json.dumps(Gate(max_drop=0.5, validation=pairs, test=pairs).to_json()))
    assert (values["verdict"], values["passed"], values["split"]) == ("failed", False, "validation")
    assert values["validation"]["only_parent_right"] == 2
    assert values["validation"] == values["test"]
    assert values["validation"]["classes"][1] == {
        "name": "b",
        "support": 2,
        "lost": 1,
        "gained": 0,
        "change": -0.5,
    }


# How often it is right. Figures of docs/decisions/0007.


@pytest.mark.parametrize(("n", "max_drop"), [(1_000, 0.01), (5_000, 0.005), (10_000, 0.001)])
@pytest.mark.parametrize("flips", [1, 3])
def test_a_planted_drop_is_rejected_in_95_of_100_cases(n: int, max_drop: float, flips: int) -> None:
    """Children of a parent that is right in 98 % flip decisions at random, to any other class.

    Their expected drop is exactly ``max_drop`` (or three times that), the hardest that must fail.
    """
    draw = np.random.Generator(np.random.PCG64(7))
    # A flip loses a picture that was right, and gains one in nine of those that were wrong.
    share = flips * max_drop / (0.98 - 0.02 / 9)
    rejected = sum(not _drawn_gate(draw, n, max_drop, share).passed for _ in range(200))
    assert rejected >= 0.95 * 200


def _drawn_gate(draw: np.random.Generator, n: int, max_drop: float, share: float) -> Gate:
    labels = draw.integers(0, 10, n)
    parent = _flipped(draw, labels, 0.02)
    names = [str(digit) for digit in range(10)]
    pairs = PairedComparison.of(labels, parent, _flipped(draw, parent, share), names)
    return Gate(max_drop=max_drop, validation=pairs)


def _flipped(draw: np.random.Generator, classes: Classes, share: float) -> Classes:
    """Return the classes with each one replaced, with probability ``share``, by one of 9 others."""
    others = (classes + draw.integers(1, 10, classes.size)) % 10
    return np.where(draw.random(classes.size) < share, others, classes)


@pytest.mark.parametrize(("n", "max_drop"), [(1_000, 0.01), (5_000, 0.005), (5_000, 0.002)])
@pytest.mark.parametrize("gain", [0.0, 0.0002, 0.002])
def test_a_child_that_loses_what_is_just_too_much_passes_in_at_most_26_of_1000_cases(
    n: int, max_drop: float, gain: float
) -> None:
    """Every outcome added up; 25 in 1,000 is nominal, 2.6 % the worst case of the interval."""
    assert _passing(n, max_drop, gain=gain, loss=gain + max_drop) <= 0.026


@pytest.mark.parametrize("n", [381, 1_000, 5_000])
def test_a_child_with_its_parents_decisions_always_passes_where_pictures_suffice(n: int) -> None:
    """From 381 pictures on, one point is shown not to be lost."""
    labels = np.arange(n) % 3
    assert Gate(max_drop=0.01, validation=PairedComparison.of(labels, labels, labels, NAMES)).passed


@pytest.mark.parametrize(
    ("n", "max_drop", "discordant", "power"),
    [
        (1_000, 0.01, 0.002, 0.992),
        (1_000, 0.01, 0.004, 0.959),
        (1_000, 0.01, 0.01, 0.795),
        (5_000, 0.005, 0.002, 1.0),
        (5_000, 0.005, 0.004, 0.999),
        (5_000, 0.005, 0.01, 0.925),
        (5_000, 0.002, 0.002, 0.774),
        (5_000, 0.002, 0.004, 0.544),
        (5_000, 0.002, 0.01, 0.284),
        (5_000, 0.001, 0.002, 0.290),
    ],
)
def test_a_child_as_accurate_as_its_parent_passes_with_the_stated_power(
    n: int, max_drop: float, discordant: float, power: float
) -> None:
    """As many gains as losses are to be expected; ``discordant`` is the share of both together."""
    found = _passing(n, max_drop, gain=discordant / 2, loss=discordant / 2)
    assert found == pytest.approx(power, abs=0.001)


@cache
def _passes(gained: int, lost: int, n: int, max_drop: float) -> bool:
    return Gate(max_drop=max_drop, validation=compared(gained, lost, n)).passed


def _passing(n: int, max_drop: float, *, gain: float, loss: float) -> float:
    """Return the probability that a child with these probabilities a picture passes."""
    return sum(
        probability
        for gained, lost, probability in outcomes(n, gain, loss)
        if _passes(gained, lost, n, max_drop)
    )
