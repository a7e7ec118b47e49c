"""What ``train_group`` and ``resume_group`` return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.statistics import ClassificationReport, mean_interval
from edgenet.workflows.runs import MEMBERS, Run

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Member:
    """What came of one seed.

    Attributes:
        path: Its run.
        seed: Of weights, order, augmentation and dropout.
        epochs: Epochs done.
        validation_accuracy: Share of the validation split right, after the best epoch.
        test_correct: Test pictures right.
        test_accuracy: Share of them right.
        seconds: Wall time of its epochs.
    """

    path: Path
    seed: int
    epochs: int
    validation_accuracy: float
    test_correct: int
    test_accuracy: float
    seconds: float

    @classmethod
    def of(cls, run: Run, seed: int, checkpoint: Checkpoint) -> Member:
        """Read what a finished run recorded in its best checkpoint."""
        validation, test = checkpoint.metrics["validation"], checkpoint.metrics["test"]
        return cls(
            path=run.path,
            seed=seed,
            epochs=len(checkpoint.records),
            validation_accuracy=validation["correct"] / validation["n"],
            test_correct=test["correct"],
            test_accuracy=test["correct"] / test["n"],
            seconds=sum(record.seconds for record in checkpoint.records),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, the path as it is within the group."""
        return {**vars(self), "path": f"{MEMBERS}/{self.path.name}"}


@dataclass(frozen=True, kw_only=True)
class GroupAccuracy:
    """How right the members are on one split, each alone and all together.

    Attributes:
        digest: SHA-256 over the split's pictures, labels and class names.
        n: Pictures.
        mean: Mean of the members' accuracies.
        sd: Their standard deviation, with one degree of freedom taken by the mean.
        interval: 95 % interval of the mean, by Student's distribution.
        correct: Pictures that the mean of the members' probabilities gets right.
        accuracy: Share of them.
        accuracy_interval: Its 95 % Wilson interval.
    """

    digest: str
    n: int
    mean: float
    sd: float
    interval: tuple[float, float]
    correct: int
    accuracy: float
    accuracy_interval: tuple[float, float]

    @classmethod
    def of(
        cls, accuracies: Sequence[float], *, together: ClassificationReport, digest: str
    ) -> GroupAccuracy:
        """Derive the figures from those of two or more members, and of the ensemble.

        Raises:
            ValueError: There are fewer than two accuracies.
        """
        return cls(
            digest=digest,
            n=together.n,
            mean=float(np.mean(accuracies)),
            sd=float(np.std(accuracies, ddof=1)),
            interval=mean_interval(accuracies),
            correct=together.correct,
            accuracy=together.accuracy,
            accuracy_interval=together.interval,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: the members' figures, and the ensemble's under its name."""
        return {
            "digest": self.digest,
            "n": self.n,
            "mean": self.mean,
            "sd": self.sd,
            "mean_interval_95": list(self.interval),
            "ensemble": {
                "correct": self.correct,
                "accuracy": self.accuracy,
                "accuracy_interval_95": list(self.accuracy_interval),
            },
        }


@dataclass(frozen=True, kw_only=True)
class TrainGroupResult:
    """What came of a seed group.

    Attributes:
        path: The group's folder.
        model: Name of the members' model.
        parameters: Trainable numbers of one member.
        members: One for every seed, in their order.
        validation: Of the validation split.
        test: Of the test split.
        seconds: Wall time of all epochs of all members.
        device: Where they were trained.
        threads: CPU threads used.
        skipped: Pictures of a folder that could not be read, with reasons.
    """

    path: Path
    model: str
    parameters: int
    members: tuple[Member, ...]
    validation: GroupAccuracy
    test: GroupAccuracy
    seconds: float
    device: str
    threads: int
    skipped: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            **vars(self),
            "path": str(self.path),
            "members": [member.to_json() for member in self.members],
            "validation": self.validation.to_json(),
            "test": self.test.to_json(),
            "skipped": [list(file) for file in self.skipped],
        }
