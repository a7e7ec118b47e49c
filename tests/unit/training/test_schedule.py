"""Learning rates over the epochs, against values worked out by hand."""

from __future__ import annotations

import pytest

from edgenet.training.recipe import SCHEDULES, Recipe
from edgenet.training.schedule import learning_rate


@pytest.mark.parametrize(
    ("schedule", "epoch", "expected"),
    [
        ("constant", 7, 1.0),
        ("cosine", 0, 1.0),
        ("cosine", 5, 0.55),
        ("cosine", 10, 0.1),
        ("linear", 5, 0.55),
        ("step", 4.9, 1.0),
        ("step", 5, 0.5),
        ("exponential", 2.5, 0.25),
        ("one-cycle", 1.5, 0.5),
        ("one-cycle", 3, 1.0),
        ("one-cycle", 10, 0.1),
    ],
)
def test_a_schedule_has_the_value_worked_out_by_hand(
    schedule: str, epoch: float, expected: float
) -> None:
    """Ten epochs from 1 to 0.1, halved every five epochs where decay is in steps."""
    recipe = Recipe(epochs=10, lr=1.0, final_lr=0.1, gamma=0.5, decay_every=5, schedule=schedule)
    assert learning_rate(recipe, epoch=epoch) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_rises_from_nothing_to_the_highest_rate(schedule: str) -> None:
    """A tenth of ten epochs: half the rate in the middle of the first one."""
    recipe = Recipe(epochs=10, lr=1.0, warmup=0.1, schedule=schedule)
    assert learning_rate(recipe, epoch=0) == 0
    assert learning_rate(recipe, epoch=0.5) == pytest.approx(0.5)


def test_the_plateau_schedule_decays_as_often_as_it_is_told() -> None:
    """The loop counts the decays; the rate follows."""
    recipe = Recipe(epochs=10, lr=1.0, gamma=0.1, schedule="plateau")
    assert learning_rate(recipe, epoch=3, decays=2) == pytest.approx(0.01)
