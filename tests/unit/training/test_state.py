"""What follows from the records of the epochs behind."""

from __future__ import annotations

from edgenet.training.recipe import Recipe
from edgenet.training.state import (
    EpochRecord,
    best_epoch,
    has_run_out_of_patience,
    plateau_decays,
)


def records(*figures: tuple[float, float]) -> list[EpochRecord]:
    """Make records with these validation accuracies and losses."""
    return [
        EpochRecord(
            epoch=number,
            train_loss=0,
            train_accuracy=0,
            validation_loss=loss,
            validation_accuracy=accuracy,
            lr=0,
            seconds=0,
            images_per_s=0,
        )
        for number, (accuracy, loss) in enumerate(figures, start=1)
    ]


def test_the_best_epoch_is_the_most_accurate_and_of_equals_the_one_with_less_loss() -> None:
    """The first of two epochs that are alike in both stays."""
    assert best_epoch(records((0.9, 1.0), (0.95, 0.9), (0.95, 0.8), (0.95, 0.8))).epoch == 3


def test_patience_counts_epochs_since_the_best_one() -> None:
    """Zero never ends training."""
    seen = records((0.9, 1), (0.95, 1), (0.94, 1), (0.93, 1))
    assert has_run_out_of_patience(seen, Recipe(patience=2))
    assert not has_run_out_of_patience(seen, Recipe(patience=3))
    assert not has_run_out_of_patience(seen, Recipe(patience=0))


def test_the_plateau_schedule_decays_after_so_many_epochs_without_a_lower_loss() -> None:
    """Counting starts anew after every decay."""
    recipe = Recipe(schedule="plateau", decay_every=2)
    losses = (1.0, 0.9, 0.95, 0.91, 0.9, 0.92, 0.8)
    decays = [
        plateau_decays(records(*((0, loss) for loss in losses[:n])), recipe) for n in range(8)
    ]
    assert decays == [0, 0, 0, 0, 1, 1, 2, 2]
