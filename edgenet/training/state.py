"""What training knows between two epochs, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from edgenet.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch's figures: a row of ``results.csv``.

    Attributes:
        epoch: From 1 up.
        train_loss: Mean over the epoch's steps, each before its update, in nats.
        train_accuracy: Share of augmented training pictures right, each before its update.
        validation_loss: Mean over the validation split after the epoch, in nats.
        validation_accuracy: Share of the validation split right after the epoch.
        lr: Learning rate of the last step.
        seconds: Wall time of the epoch, validation included.
        images_per_s: Training pictures a second, validation excluded.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    lr: float
    seconds: float
    images_per_s: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return asdict(self)


@dataclass(kw_only=True)
class TrainingState:
    """All that a run needs, beside recipe and data, to go on as if it had never stopped.

    The order of pictures, augmentation and dropout are functions of the seed and the epoch, and
    schedules and early stopping are functions of the records, so none of them is kept.

    Attributes:
        records: One for every finished epoch.
        weights: Parameters and buffers after the last finished epoch.
        best_weights: Parameters and buffers after the best epoch.
        optimizer: The optimizer's tensors, named ``<parameter number>.<name>``.
    """

    records: list[EpochRecord] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Tensor] = field(default_factory=dict)


def best_epoch(records: Sequence[EpochRecord]) -> EpochRecord:
    """Return the record with the highest validation accuracy, then the lowest loss."""
    return max(records, key=lambda record: (record.validation_accuracy, -record.validation_loss))


def has_run_out_of_patience(records: Sequence[EpochRecord], recipe: Recipe) -> bool:
    """Tell whether early stopping ends training here."""
    if not recipe.patience or not records:
        return False
    return records[-1].epoch - best_epoch(records).epoch >= recipe.patience


def plateau_decays(records: Sequence[EpochRecord], recipe: Recipe) -> int:
    """Count how often the plateau schedule has lowered the learning rate by now.

    It does so whenever ``recipe.decay_every`` epochs have passed without a lower validation loss.
    """
    lowest, waited, decays = float("inf"), 0, 0
    for record in records:
        if record.validation_loss < lowest:
            lowest, waited = record.validation_loss, 0
            continue
        waited += 1
        if waited >= recipe.decay_every:
            decays, waited = decays + 1, 0
    return decays
