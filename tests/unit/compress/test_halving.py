"""Successive halving, with scores that are made up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.compress.halving import Rung, Score, epochs_of, halve, plan_rungs
from edgenet.errors import UsageError


def rounds(candidates: int, first: int, eta: int, epochs: int) -> list[tuple[int, int]]:
    """Return the plan as pairs."""
    planned = plan_rungs(candidates, first_epochs=first, eta=eta, epochs=epochs)
    return [(rung.candidates, rung.epochs) for rung in planned]


def test_every_round_keeps_one_of_eta_and_trains_it_eta_times_as_long() -> None:
    """Figure 3 of the paper: all rounds cost about the same."""
    assert rounds(12, 2, 3, 24) == [(12, 2), (4, 6)]
    assert rounds(27, 1, 3, 24) == [(27, 1), (9, 3), (3, 9)]
    assert rounds(8, 1, 2, 24) == [(8, 1), (4, 2), (2, 4)]


def test_no_round_is_longer_than_a_whole_training_and_none_follows_it() -> None:
    """Another round of the same length would train the same networks once more."""
    assert rounds(27, 2, 3, 5) == [(27, 2), (9, 5)]
    assert rounds(12, 2, 3, 1) == [(12, 1)]


def test_one_candidate_is_not_trained() -> None:
    """There is nothing to compare it with."""
    assert rounds(1, 2, 3, 24) == []
    assert halve(1, (), lambda *_: pytest.fail("was scored")) == 0


def test_the_epochs_of_a_plan_are_those_of_all_its_trainings() -> None:
    """Twelve of two and four of six."""
    assert epochs_of(plan_rungs(12, first_epochs=2, eta=3, epochs=24)) == 48


@pytest.mark.parametrize(("candidates", "first", "eta"), [(0, 1, 2), (4, 0, 2), (4, 1, 1)])
def test_numbers_that_make_no_plan_are_refused(candidates: int, first: int, eta: int) -> None:
    """With eta 1 the search would never end."""
    with pytest.raises(UsageError, match="must be"):
        plan_rungs(candidates, first_epochs=first, eta=eta, epochs=24)


def test_more_candidates_than_there_are_cannot_run() -> None:
    """The plan was made for others."""
    with pytest.raises(UsageError, match="4 candidates are to run, and there are 3"):
        halve(3, (Rung(candidates=4, epochs=1),), lambda *_: Score(accuracy=1, loss=0))


def test_the_best_of_each_round_go_on_and_the_best_of_the_last_is_left() -> None:
    """The second round's scores decide, whatever the first's were."""
    scores = {
        1: {0: 0.5, 1: 0.9, 2: 0.6, 3: 0.8},
        2: {1: 0.91, 3: 0.95},
    }
    asked: list[tuple[int, int]] = []

    def score(number: int, rung: Rung) -> Score:
        asked.append((number, rung.epochs))
        return Score(accuracy=scores[rung.epochs][number], loss=0.0)

    assert halve(4, (Rung(candidates=4, epochs=1), Rung(candidates=2, epochs=2)), score) == 3
    assert sorted(asked) == [(0, 1), (1, 1), (1, 2), (2, 1), (3, 1), (3, 2)]


def test_the_loss_decides_between_equal_accuracies_and_then_the_order() -> None:
    """A loss that is no number is the worst there is."""
    losses = [0.3, math.nan, 0.2, 0.2]

    def score(number: int, _: Rung) -> Score:
        return Score(accuracy=0.9, loss=losses[number])

    assert halve(4, (Rung(candidates=4, epochs=1),), score) == 2


@given(
    accuracies=st.lists(st.integers(0, 1000), min_size=1, max_size=40, unique=True),
    first=st.integers(1, 4),
    eta=st.integers(2, 5),
)
def test_where_longer_training_changes_nothing_the_best_of_all_is_found(
    accuracies: list[int], first: int, eta: int
) -> None:
    """However many candidates and rounds there are."""
    plan = plan_rungs(len(accuracies), first_epochs=first, eta=eta, epochs=24)

    def score(number: int, _: Rung) -> Score:
        return Score(accuracy=accuracies[number], loss=0.0)

    if plan:
        assert accuracies[halve(len(accuracies), plan, score)] == max(accuracies)
    else:
        assert len(accuracies) == 1
    assert all(rung.candidates >= 2 and rung.epochs <= 24 for rung in plan)
