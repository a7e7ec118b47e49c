"""What a network answered to labelled pictures: what the pictures of results are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from edgenet.figures.style import percent
from edgenet.statistics import ClassificationReport, confusion_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.data import Split


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """A split and what a network made of it.

    Attributes:
        title: Which network and which data, such as ``lenet5-relu on mnist``; one line of print.
        split: The pictures, one at least, with their true classes.
        probabilities: Floats [N, K], a row a picture.
    """

    title: str
    split: Split
    probabilities: NDArray[np.floating]

    @cached_property
    def predictions(self) -> NDArray[np.int64]:
        """The most probable class of every picture, int64 [N]."""
        classes: NDArray[np.int64] = self.probabilities.argmax(axis=1).astype(np.int64)
        return classes

    @cached_property
    def confidence(self) -> NDArray[np.floating]:
        """The probability of the predicted class, floats [N]."""
        largest: NDArray[np.floating] = self.probabilities.max(axis=1)
        return largest

    @cached_property
    def right(self) -> NDArray[np.int64]:
        """Positions of the pictures whose class was predicted, ascending."""
        return np.flatnonzero(self.predictions == self.split.labels)

    @cached_property
    def wrong(self) -> NDArray[np.int64]:
        """Positions of all others, ascending."""
        return np.flatnonzero(self.predictions != self.split.labels)

    @cached_property
    def report(self) -> ClassificationReport:
        """Accuracy with its interval, and the figures of every class."""
        names = self.split.class_names
        return ClassificationReport.of(
            confusion_matrix(self.split.labels, self.predictions, len(names)), names
        )

    @property
    def heading(self) -> str:
        """Title and score in one line."""
        return f"{self.title}, {self.score}"

    @property
    def score(self) -> str:
        """Which split, and how many of its pictures are right."""
        report = self.report
        right = f"{report.correct:,} of {report.n:,} right ({percent(report.accuracy)})"
        return f"{self.split.name} split: {right}"
