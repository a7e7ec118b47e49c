"""What ``distill`` returns: students with and without their teacher, side by side."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgenet.statistics import mean_interval, wilson_interval
from edgenet.workflows.search_result import SearchResult

_FEWEST = 3  # two seeds that happen to differ alike would seem certain


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training of a student.

    Attributes:
        seed: Of weights, order and augmentation.
        validation_accuracy: Share of the validation split right, after the best epoch.
        test_correct: Test pictures right.
        test_n: Test pictures.
        seconds: Wall time of its epochs.
        path: Its run, as it is within the distillation's folder.
    """

    seed: int
    validation_accuracy: float
    test_correct: int
    test_n: int
    seconds: float
    path: str

    @property
    def test_accuracy(self) -> float:
        """Share of the test pictures right."""
        return self.test_correct / self.test_n

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``test_accuracy``."""
        return {**asdict(self), "test_accuracy": self.test_accuracy}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One student over all seeds, with the teacher or without.

    Attributes:
        trained: One training for every seed.
    """

    trained: tuple[Trained, ...]

    @property
    def validation_accuracy(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(each.validation_accuracy for each in self.trained)

    @property
    def test_accuracy(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(each.test_accuracy for each in self.trained)

    @property
    def test_sd(self) -> float | None:
        """Standard deviation over the seeds; None of one."""
        several = [each.test_accuracy for each in self.trained]
        return statistics.stdev(several) if len(several) > 1 else None

    @property
    def test_interval(self) -> tuple[float, float]:
        """95 % interval: Student's, of the mean over seeds; of one seed Wilson's, of its pictures.

        The two say different things: how far another group of seeds may lie, or other pictures.
        Student's knows nothing of shares; what lies beyond 0 and 1 is cut off.
        """
        if len(self.trained) == 1:
            return wilson_interval(self.trained[0].test_correct, self.trained[0].test_n)
        low, high = mean_interval([each.test_accuracy for each in self.trained])
        return max(0.0, low), min(1.0, high)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test_accuracy,
            "test_sd": self.test_sd,
            "test_interval_95": list(self.test_interval),
            "trained": [each.to_json() for each in self.trained],
        }


@dataclass(frozen=True, kw_only=True)
class Student:
    """What became of one student.

    Attributes:
        model: Name in the table of models.
        options: What differs from that model's own options.
        parameters: Trainable numbers.
        macs: Multiply-accumulate operations for one picture.
        distilled: With the teacher.
        control: By the labels alone; None where it was skipped.
    """

    model: str
    options: Mapping[str, Any]
    parameters: int
    macs: int
    distilled: Column
    control: Column | None

    @property
    def difference(self) -> float | None:
        """What the teacher changed of the mean test accuracy; None without a control."""
        if self.control is None:
            return None
        return self.distilled.test_accuracy - self.control.test_accuracy

    @property
    def difference_interval(self) -> tuple[float, float] | None:
        """Its 95 % interval, by pairs of trainings that share their seed; None of one seed."""
        if self.control is None or len(self.control.trained) < 2:
            return None
        return mean_interval(
            [
                with_teacher.test_accuracy - without.test_accuracy
                for with_teacher, without in zip(
                    self.distilled.trained, self.control.trained, strict=True
                )
            ]
        )

    @property
    def verdict(self) -> str:
        """Whether the teacher helped, in words."""
        interval = self.difference_interval
        if self.difference is None:
            return "not known: no control was trained"
        if interval is None or len(self.distilled.trained) < _FEWEST:
            return f"not known: it takes {_FEWEST} seeds"
        if interval[0] > 0:
            return "helps"
        return "hurts" if interval[1] < 0 else "no difference shown"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        interval = self.difference_interval
        return {
            "model": self.model,
            "options": dict(self.options),
            "parameters": self.parameters,
            "macs": self.macs,
            "distilled": self.distilled.to_json(),
            "control": self.control.to_json() if self.control else None,
            "difference": self.difference,
            "difference_interval_95": list(interval) if interval else None,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, kw_only=True)
class DistillResult:
    """What came of a distillation.

    Attributes:
        path: The run's folder.
        teacher: Model, data, digest, parameters and validation accuracy of the teacher.
        students: One for every student, in the order they were named.
        temperature: T.
        alpha: The teacher's share of the loss.
        epochs: Epochs of every training.
        kept: Member whose weights are the run's own: of one student's trainings the one that is
            best on the validation split; None where there are several students.
        teacher_asked: Pictures for which the teacher's logits were wanted, since this process
            began.
        teacher_computed: Pictures for which they were computed; the others came from memory.
        device: Where it was trained.
        threads: CPU threads used.
        search: How the student was found; None where it was named.
        skipped: Pictures of a folder that could not be read, with reasons.
    """

    path: Path
    teacher: Mapping[str, Any]
    students: tuple[Student, ...]
    temperature: float
    alpha: float
    epochs: int
    kept: str | None
    teacher_asked: int
    teacher_computed: int
    device: str
    threads: int
    search: SearchResult | None = None
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def seeds(self) -> Sequence[int]:
        """The seeds, in their order."""
        return [each.seed for each in self.students[0].distilled.trained]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``seeds``."""
        return {
            **vars(self),
            "path": str(self.path),
            "teacher": dict(self.teacher),
            "students": [student.to_json() for student in self.students],
            "seeds": list(self.seeds),
            "search": self.search.to_json() if self.search else None,
            "skipped": [list(file) for file in self.skipped],
        }
