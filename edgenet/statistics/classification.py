"""What a confusion matrix says of a classifier on one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenet.statistics.intervals import wilson_interval


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count pairs: row = true class, column = predicted class.

    Args:
        labels: True classes [N], from 0 to ``classes`` - 1.
        predictions: Predicted classes [N], in the same order.
        classes: K.

    Returns:
        Counts int64 [K, K]; their sum is N.

    Raises:
        ValueError: The lengths differ or a class is out of range.
    """
    true = np.asarray(labels, dtype=np.int64)
    predicted = np.asarray(predictions, dtype=np.int64)
    if true.shape != predicted.shape or true.ndim != 1:
        raise ValueError(f"labels {true.shape} and predictions {predicted.shape} do not pair up")
    if true.size and min(true.min(), predicted.min()) < 0:
        raise ValueError("a class is negative")
    if true.size and max(true.max(), predicted.max()) >= classes:
        raise ValueError(f"a class is not below {classes}")
    pairs = np.bincount(true * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class ClassReport:
    """How one class fared.

    Attributes:
        name: The class.
        support: Pictures that are of this class.
        predicted: Pictures that were said to be of this class.
        precision: Share of the predicted that are right; 0 where none was predicted.
        recall: Share of the support that was found; 0 where there is none.
        f1: Harmonic mean of precision and recall; 0 where both are 0.
    """

    name: str
    support: int
    predicted: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, kw_only=True)
class ClassificationReport:
    """Accuracy, precision, recall and F1 of a classifier on one split.

    A ratio whose denominator is zero counts as 0. The macro figures are plain means over the
    classes that occur among the labels or the predictions; a class that occurs in neither says
    nothing and is left out.

    Attributes:
        correct: Pictures whose class was predicted.
        n: All pictures.
        accuracy: ``correct / n``; 0 where there are no pictures.
        interval: Wilson's 95 % interval of the accuracy.
        classes: One report a class, in the order of the logits.
        macro_precision: Mean of the classes' precision.
        macro_recall: Mean of the classes' recall.
        macro_f1: Mean of the classes' F1.
        confusion: Counts, row = true class, column = predicted class.
    """

    correct: int
    n: int
    accuracy: float
    interval: tuple[float, float]
    classes: tuple[ClassReport, ...]
    macro_precision: float
    macro_recall: float
    macro_f1: float
    confusion: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, confusion: NDArray[np.int64], names: Sequence[str]) -> ClassificationReport:
        """Derive every figure from the counts.

        Args:
            confusion: As :func:`confusion_matrix` gives it, int64 [K, K].
            names: The K classes.

        Raises:
            ValueError: The matrix is not K by K.
        """
        if confusion.shape != (len(names), len(names)):
            raise ValueError(f"{len(names)} classes do not fit counts of {confusion.shape}")
        rows = tuple(
            _class_report(name, *(int(count) for count in counts))
            for name, *counts in zip(
                names, confusion.diagonal(), confusion.sum(1), confusion.sum(0), strict=True
            )
        )
        occurring = [row for row in rows if row.support or row.predicted]
        correct, n = int(confusion.trace()), int(confusion.sum())
        return cls(
            correct=correct,
            n=n,
            accuracy=ratio(correct, n),
            interval=wilson_interval(correct, n),
            classes=rows,
            macro_precision=ratio(sum(row.precision for row in occurring), len(occurring)),
            macro_recall=ratio(sum(row.recall for row in occurring), len(occurring)),
            macro_f1=ratio(sum(row.f1 for row in occurring), len(occurring)),
            confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "correct": self.correct,
            "n": self.n,
            "accuracy": self.accuracy,
            "accuracy_interval_95": list(self.interval),
            "macro": {
                "precision": self.macro_precision,
                "recall": self.macro_recall,
                "f1": self.macro_f1,
            },
            "classes": [vars(row) for row in self.classes],
            "confusion": [list(row) for row in self.confusion],
        }


def _class_report(name: str, correct: int, support: int, predicted: int) -> ClassReport:
    return ClassReport(
        name=name,
        support=support,
        predicted=predicted,
        precision=ratio(correct, predicted),
        recall=ratio(correct, support),
        f1=ratio(2 * correct, support + predicted),
    )


def ratio(part: float, whole: int) -> float:
    """Return ``part / whole``; 0 where ``whole`` is 0, as in an empty class."""
    return part / whole if whole else 0.0
