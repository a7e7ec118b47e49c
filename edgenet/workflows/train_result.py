"""What ``train`` and ``resume`` return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What came of training.

    Attributes:
        path: The run's folder.
        model: Name of the model.
        parameters: Trainable numbers.
        epochs: Epochs done.
        best_epoch: The one whose weights were kept.
        validation_accuracy: Share of the validation split right, after the best epoch.
        test_correct: Test pictures right.
        test_n: Test pictures.
        test_accuracy: Share of them right.
        test_interval: Its 95 % Wilson interval.
        seconds: Wall time of all epochs, those before an interruption included; without imports,
            loading and writing.
        device: Where it was trained.
        threads: CPU threads used.
        threads_reason: How that number came about.
        skipped: Pictures of a folder that could not be read, with reasons.
        processes: How many trained it together.
        parent: Model, data and digest of the checkpoint it started from; None for none.
        started_fresh: Layers that took nothing over from there.
        adapted: Layers that took something over in another form, and how.
    """

    path: Path
    model: str
    parameters: int
    epochs: int
    best_epoch: int
    validation_accuracy: float
    test_correct: int
    test_n: int
    test_accuracy: float
    test_interval: tuple[float, float]
    seconds: float
    device: str
    threads: int
    threads_reason: str
    skipped: tuple[tuple[str, str], ...] = ()
    processes: int = 1
    parent: Mapping[str, str] | None = None
    started_fresh: tuple[str, ...] = ()
    adapted: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {**asdict(self), "path": str(self.path), "test_interval": list(self.test_interval)}
