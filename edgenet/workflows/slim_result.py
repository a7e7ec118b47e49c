"""What ``slim`` returns: the parent, what was left of it, and the same from first weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgenet.statistics import wilson_interval
from edgenet.verify.gate import PairedComparison


@dataclass(frozen=True, kw_only=True)
class NetworkFigures:
    """What one network costs and is worth.

    Attributes:
        model: Name in the table of models.
        options: What differs from that model's own options.
        parameters: Trainable numbers.
        macs: Multiply–accumulates for one picture.
        float32_bytes: Bytes of all parameters as float32.
        validation_correct: Validation pictures right.
        validation_n: Validation pictures.
        test_correct: Test pictures right.
        test_n: Test pictures.
        seconds: Wall time of its training's epochs; None of the parent.
        path: Where its weights lie.
    """

    model: str
    options: Mapping[str, Any]
    parameters: int
    macs: int
    float32_bytes: int
    validation_correct: int
    validation_n: int
    test_correct: int
    test_n: int
    seconds: float | None
    path: str

    @property
    def validation_accuracy(self) -> float:
        """Share of the validation pictures right."""
        return self.validation_correct / self.validation_n

    @property
    def test_accuracy(self) -> float:
        """Share of the test pictures right."""
        return self.test_correct / self.test_n

    @property
    def test_interval(self) -> tuple[float, float]:
        """Its 95 % Wilson interval."""
        return wilson_interval(self.test_correct, self.test_n)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and the accuracies."""
        return {
            **asdict(self),
            "options": dict(self.options),
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test_accuracy,
            "test_interval_95": list(self.test_interval),
        }


@dataclass(frozen=True, kw_only=True)
class WidthChange:
    """What became of one width.

    Attributes:
        name: The option, such as ``channels[0]``.
        before: Channels of the parent.
        after: Channels that are left.
    """

    name: str
    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class SlimResult:
    """What came of slimming.

    Attributes:
        path: The run's folder.
        budget: What the network was to cost, such as ``params=17000``.
        criterion: By which channels were judged.
        pictures: Training pictures that were asked for it; 0 for a criterion that asks none.
        widths: What may vary, before and after.
        fixed: Widths that stayed as they are, with the reason.
        pruned_validation_accuracy: Share of the validation pictures right before fine-tuning.
        parent: The network that was slimmed.
        slim: After fine-tuning.
        control: The same widths from first weights, trained alike; None where it was skipped.
        comparisons: Parent against slimmed network, on ``validation`` and ``test``, in pairs.
        against_control: Control against slimmed network, in pairs; empty without a control.
        teacher: What identifies the teacher; None for none.
        epochs: Of fine-tuning, and of the control.
        seed: Of fine-tuning, and of the control.
        device: Where it was trained.
        threads: CPU threads used.
        skipped: Pictures of a folder that could not be read, with reasons.
    """

    path: Path
    budget: str
    criterion: str
    pictures: int
    widths: tuple[WidthChange, ...]
    fixed: Mapping[str, str]
    pruned_validation_accuracy: float
    parent: NetworkFigures
    slim: NetworkFigures
    control: NetworkFigures | None
    comparisons: Mapping[str, PairedComparison]
    against_control: Mapping[str, PairedComparison]
    teacher: Mapping[str, str] | None
    epochs: int
    seed: int
    device: str
    threads: int
    skipped: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        networks = {
            name: network.to_json() if network else None
            for name, network in (
                ("parent", self.parent),
                ("slim", self.slim),
                ("control", self.control),
            )
        }
        pairs = {
            name: {split: comparison.to_json() for split, comparison in found.items()}
            for name, found in (
                ("comparisons", self.comparisons),
                ("against_control", self.against_control),
            )
        }
        return {
            **vars(self),
            "path": str(self.path),
            "widths": [asdict(width) for width in self.widths],
            "fixed": dict(self.fixed),
            **networks,
            **pairs,
            "teacher": dict(self.teacher) if self.teacher else None,
            "skipped": [list(file) for file in self.skipped],
        }
